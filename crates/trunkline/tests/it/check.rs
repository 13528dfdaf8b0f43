//! `check` finds every problem at once, each with file, line, caret and hint.

use serde_json::Value;

use crate::support::Folder;

fn problems(folder: &Folder) -> Vec<Value> {
    let output = folder.run(&["check", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(if report["ok"].as_bool().unwrap() { 0 } else { 3 }), "{report}");
    report["problems"].as_array().unwrap().clone()
}

#[test]
fn the_shipped_configuration_has_no_errors() {
    let folder = Folder::new("http://127.0.0.1:8081");
    let found = problems(&folder);
    assert!(found.iter().all(|p| p["severity"] == "warning"), "{found:#?}");
}

#[test]
fn every_problem_is_told_at_once() {
    let folder = Folder::new("http://127.0.0.1:8081");
    folder.write(
        "trunkline.toml",
        "public_url = \"nowhere\"\nlisten = 8080\ncolour = \"red\"\n[accounts.twilio]\nprovider = \"carrier pigeon\"\naccount_id = \"AC1\"\nsecrets = [{ env = \"NO_SUCH_SECRET\" }]\nverify = \"enforce\"\n",
    );
    folder.write(
        "journeys/broken.toml",
        "program = \"acme\"\npurpose = \"service\"\ncorrelation = \"event.data.order\"\n[trigger]\ntype = \"order.created\"\nwhen = \"event.data.colour == 'red'\"\n[[step]]\nid = \"a\"\ndo = \"send\"\ntemplate = \"nope\"\nnext = \"c\"\n[[step]]\nid = \"b\"\ndo = \"end\"\n",
    );
    folder.write("templates/order_confirmed/default.txt", "Hi {{ event.data.oder }}\n");
    folder.write("templates/order_shipped/default.txt", "Hi {{ event.data.order \n");
    folder.write("sources/shopify.toml", "kind = \"shopify\"\nsystem = \"shopify\"\nsecrets = []\nverify = \"perhaps\"\nmap = []\n");
    folder.write("connectors/crm.toml", "about = \"message\"\nrecord = \"{{ message.id }}\"\nmethod = \"SING\"\nurl = \"{{ nothing }}\"\ndone = []\n");
    let found = problems(&folder);
    let has = |file: &str, line: u64, words: &str| {
        found.iter().any(|p| p["file"].as_str().unwrap().ends_with(file) && p["line"] == line && p["problem"].as_str().unwrap().contains(words))
    };
    for (file, line, words) in [
        ("trunkline.toml", 2, "invalid type"),
        ("trunkline.toml", 3, "unknown field"),
        ("journeys/broken.toml", 11, "no step is called 'c'"),
        ("journeys/broken.toml", 10, "no template is called 'nope'"),
        ("journeys/broken.toml", 13, "never reached"),
        ("order_shipped/default.txt", 1, "cannot be read"),
        ("sources/shopify.toml", 4, "unknown variant"),
        ("connectors/crm.toml", 3, "'SING' is not a method"),
        ("connectors/crm.toml", 4, "'nothing' is undefined"),
        ("connectors/crm.toml", 5, "no answer"),
    ] {
        assert!(has(file, line, words) || has(file, line + 1, words) || has(file, line - 1, words), "{file}:{line} {words}\n{found:#?}");
    }
    assert!(found.iter().all(|p| !p["hint"].as_str().unwrap().is_empty()));
}

#[test]
fn words_that_cannot_be_are_told_with_their_place() {
    let folder = Folder::new("http://127.0.0.1:8081");
    let shipped = std::fs::read_to_string(folder.path().join("trunkline.toml")).unwrap();
    folder.write("trunkline.toml", &shipped.replace("free_text = \"review\"", "help = [\"sos\", \"Stop!\"]\nexcept = [\"cancel\"]\n[keywords.xyzw]\nstop = []"));
    let found: Vec<String> = problems(&folder).into_iter().map(|p| p["problem"].as_str().unwrap().to_owned()).collect();
    for part in ["'Stop!' is a 'stop' word already", "'cancel' is a revocation by law", "'xyzw' is not the code of a language"] {
        assert!(found.iter().any(|problem| problem.contains(part)), "{part}: {found:?}");
    }
}

#[test]
fn a_picture_has_line_and_caret() {
    let folder = Folder::new("http://127.0.0.1:8081");
    folder.write("templates/order_confirmed/default.txt", "Hi there\nyour order {{ event.data.oder }}\n");
    let output = folder.run(&["check"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("'event.data.oder' is undefined"), "{text}");
    assert!(text.contains("default.txt:2:15") && text.contains(&"^".repeat("event.data.oder".len())), "{text}");
    assert!(text.contains("event.data.order"), "the hint names what is set: {text}");
    let served = folder.run(&["serve"]);
    assert_eq!(served.status.code(), Some(1), "nothing starts with a broken configuration");
    assert!(String::from_utf8_lossy(&served.stderr).contains("nothing was started"));
}

#[test]
fn each_text_is_previewed() {
    let folder = Folder::new("http://127.0.0.1:8081");
    folder.write("templates/order_shipped/ru.txt", "Заказ {{ event.data.order }} в пути\n");
    let output = folder.run(&["check", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |template: &str, locale: &str| report["templates"].as_array().unwrap().iter().find(|t| t["template"] == template && t["locale"] == locale).unwrap().clone();
    let plain = text("order_shipped", "default");
    assert_eq!((&plain["encoding"], &plain["forced_by"], &plain["guessed"]), (&"GSM-7".into(), &Value::Null, &Value::Array(Vec::new())), "{plain}");
    let cyrillic = text("order_shipped", "ru");
    assert_eq!((&cyrillic["encoding"], &cyrillic["segments"], &cyrillic["forced_by"]["column"]), (&"UCS-2".into(), &1.into(), &1.into()), "{cyrillic}");
    let problems = report["problems"].as_array().unwrap();
    let told = |file: &str, words: &str| problems.iter().any(|p| p["file"].as_str().unwrap().ends_with(file) && p["problem"].as_str().unwrap().contains(words));
    assert!(told("order_shipped/ru.txt", "'З' (U+0417)"), "{problems:#?}");
    assert!(told("delivery_exception/default.txt", "has no text for") && told("order_confirmed/default.txt", "ru"), "{problems:#?}");
    let table = String::from_utf8(folder.run(&["check"]).stdout).unwrap();
    assert!(table.contains("order_shipped") && table.contains("'З' (U+0417) at 1:1"), "{table}");
}

#[test]
fn a_journey_does_not_change_its_language_halfway() {
    let folder = Folder::new("http://127.0.0.1:8081");
    let shipped = std::fs::read_to_string(folder.path().join("journeys/order-confirmed.toml")).unwrap();
    folder.write("journeys/order-confirmed.toml", &format!("{shipped}\n[[step]]\nid = \"again\"\ndo = \"send\"\ntemplate = \"order_shipped\"\n"));
    folder.write("templates/order_confirmed/es-MX.txt", "Hola\n");
    let found = problems(&folder);
    let mixed: Vec<&str> = found.iter().filter_map(|p| p["problem"].as_str()).filter(|p| p.contains("other templates of journey 'order-confirmed' have")).collect();
    assert_eq!(mixed, ["template 'order_shipped' has no text for es, es-MX, which other templates of journey 'order-confirmed' have"]);
}

#[test]
fn what_is_configured_of_texts_must_exist() {
    let folder = Folder::new("http://127.0.0.1:8081");
    let shipped = std::fs::read_to_string(folder.path().join("trunkline.toml")).unwrap();
    folder.write("trunkline.toml", &format!("{shipped}\n[templates.nowhere]\nsmart_encoding = true\n[templates.delivery_exception.worst]\n\"event.data.colour\" = \"red\"\n"));
    folder.write("rates/mine.csv", "rate_id,provider\na,twilio\n");
    let found = problems(&folder);
    for (file, words) in [("trunkline.toml", "no template is called 'nowhere'"), ("trunkline.toml", "reads 'event.data.colour'"), ("rates/mine.csv", "missing field")] {
        assert!(found.iter().any(|p| p["file"].as_str().unwrap().ends_with(file) && p["problem"].as_str().unwrap().contains(words)), "{words}: {found:#?}");
    }
}

#[test]
fn a_missing_secret_is_named() {
    let folder = Folder::new("http://127.0.0.1:8081");
    let output = folder.command(&["check"]).env_remove("CRM_TOKEN").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("CRM_TOKEN is not set") && text.contains("export CRM_TOKEN"), "{text}");
}

#[test]
fn an_account_whose_receipts_nobody_could_check_is_named() {
    let folder = Folder::new("http://127.0.0.1:8081");
    let shipped = std::fs::read_to_string(folder.path().join("trunkline.toml")).unwrap();
    let accounts = "[accounts.sinch]\nprovider = \"sinch\"\naccount_id = \"plan\"\nsecrets = [{ env = \"TWILIO_AUTH_TOKEN\" }]\nverify = \"enforce\"\ntimeout = \"2m\"\n";
    folder.write("trunkline.toml", &format!("{shipped}\n{accounts}"));
    let told: Vec<String> = problems(&folder).iter().filter(|p| p["severity"] == "error").map(|p| p["problem"].as_str().unwrap().to_owned()).collect();
    assert!(told.iter().any(|p| p.contains("no signing_keys")) && told.iter().any(|p| p.contains("30 seconds")) && told.len() == 2, "{told:?}");
}

#[test]
fn a_size_that_is_none_is_named() {
    let folder = Folder::new("http://127.0.0.1:8081");
    let shipped = std::fs::read_to_string(folder.path().join("trunkline.toml")).unwrap();
    let told = |store: &str| -> Vec<String> {
        folder.write("trunkline.toml", &format!("{}\n{store}", shipped.replace("store = \"trunkline.sqlite\"", "")));
        problems(&folder).iter().filter(|p| p["severity"] == "error").map(|p| p["problem"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(told("[store]\nmax_size = \"20 GB\"\n"), Vec::<String>::new());
    assert!(told("[store]\nmax_size = \"lots\"\n").iter().any(|p| p.contains("'lots' is not a size")));
    assert!(told("[store]\nsize = \"20GB\"\n").iter().any(|p| p.contains("unknown field")));
}

#[test]
fn a_call_that_would_be_taken_for_lost_is_named() {
    let folder = Folder::new("http://127.0.0.1:8081");
    let shipped = std::fs::read_to_string(folder.path().join("connectors/crm.toml")).unwrap();
    for (timeout, fine) in [("90s", true), ("2m", false), ("0s", false)] {
        folder.write("connectors/crm.toml", &shipped.replace("timeout = \"5s\"", &format!("timeout = \"{timeout}\"")));
        let told: Vec<String> = problems(&folder).iter().filter(|p| p["severity"] == "error").map(|p| p["problem"].as_str().unwrap().to_owned()).collect();
        assert_eq!(told.is_empty(), fine, "{timeout}: {told:?}");
        assert!(fine || told.iter().all(|p| p.contains("taken for lost")), "{told:?}");
    }
}
