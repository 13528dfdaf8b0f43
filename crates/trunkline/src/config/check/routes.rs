//! Routes: senders that do not exist, shares that are none, routes that no text ever takes.
//!
//! Apart from `senders.rs` because these look at several routes at once: the first one that takes a text wins.

use trunkline_core::purpose::Purpose;
use trunkline_core::zone;

use super::super::diagnose::{Diagnoses, Key};
use super::super::files::{Files, RouteFile, ViaFile};
use super::at;

pub(super) fn all(files: &Files, found: &mut Diagnoses) {
    let (path, routes) = (&files.main.path, &files.main.value.routes);
    for (index, route) in routes.iter().enumerate() {
        for (n, code) in route.country.iter().enumerate().filter(|(_, code)| !zone::is_country(code)) {
            found.error(path, at!["routes", index, "country", n], &format!("'{code}' is no country"), "write two capital letters, such as \"US\"");
        }
        if let Some(name) = &route.name
            && routes.iter().take(index).any(|above| above.name.as_ref() == Some(name))
        {
            found.error(path, at!["routes", index, "name"], &format!("a route above is called '{name}' too"), "give each route its own name");
        }
        vias(files, index, route, found);
        order(files, index, route, found);
    }
}

fn vias(files: &Files, index: usize, route: &RouteFile, found: &mut Diagnoses) {
    let (path, senders) = (&files.main.path, &files.main.value.senders);
    if route.via.is_empty() {
        found.error(path, at!["routes", index, "via"], "is empty, so no text could go anywhere", "name a sender: via = [{ sender = \"+15005550006\" }]");
        return;
    }
    if route.via.iter().all(|via| via.weight == 0) {
        found.error(path, at!["routes", index, "via"], "gives all of its senders no share", "give at least one a weight of 1");
    }
    let mut meant: Vec<(&str, &str)> = Vec::new();
    for (n, via) in route.via.iter().enumerate() {
        if via.weight == 0 {
            found.warning(path, at!["routes", index, "via", n, "weight"], "is zero, so it has no recipients and takes no text from others", "give it at least 1, or remove it");
        }
        let found_here = via.senders(senders);
        if via.sender.is_none() && via.kind.is_none() && via.account.is_none() {
            found.error(path, at!["routes", index, "via", n], "names nothing", "give a sender, a kind or an account");
        } else if found_here.is_empty() {
            let (field, problem) = missing(files, via);
            found.error(path, at!["routes", index, "via", n, field], &problem, &hint(files, via));
        }
        if via.sender.is_some() && found_here.len() > 1 {
            let accounts: Vec<&str> = found_here.iter().map(|sender| sender.account.as_str()).collect();
            let problem = format!("means the senders of several accounts: {}", accounts.join(", "));
            found.error(path, at!["routes", index, "via", n, "sender"], &problem, "add account = \"…\" with the one that is meant");
        }
        for sender in found_here {
            let way = (sender.account.as_str(), sender.number.as_str());
            if meant.contains(&way) {
                let problem = format!("means {} of '{}', which is meant above already", sender.number, sender.account);
                found.error(path, at!["routes", index, "via", n], &problem, "name each sender once in a route");
            } else {
                meant.push(way);
            }
        }
    }
}

/// What a way that leads nowhere names wrongly.
fn missing(files: &Files, via: &ViaFile) -> (&'static str, String) {
    let main = &files.main.value;
    if let Some(account) = via.account.as_ref().filter(|account| !main.accounts.contains_key(*account)) {
        return ("account", format!("no account is called '{account}'"));
    }
    match (&via.sender, via.kind) {
        (Some(sender), _) if !main.senders.iter().any(|s| s.number == *sender) => ("sender", format!("no sender is '{sender}'")),
        (Some(sender), _) => ("sender", format!("'{sender}' is a sender of another account or kind")),
        (None, Some(kind)) => ("kind", format!("no sender there is of kind '{}'", kind.word())),
        (None, None) => ("account", "has no senders".to_owned()),
    }
}

fn hint(files: &Files, via: &ViaFile) -> String {
    let main = &files.main.value;
    if via.account.as_ref().is_some_and(|account| !main.accounts.contains_key(account)) {
        return format!("use one of: {}", main.accounts.keys().cloned().collect::<Vec<_>>().join(", "));
    }
    let senders: Vec<String> = main.senders.iter().map(|s| format!("{} ({}, {})", s.number, s.account, s.kind().word())).collect();
    format!("these are configured: {}", senders.join("; "))
}

/// A route whose texts all go by routes above it, or that shares texts with one of them.
fn order(files: &Files, index: usize, route: &RouteFile, found: &mut Diagnoses) {
    let (path, above) = (&files.main.path, files.main.value.routes.get(..index).unwrap_or_default());
    let taken = |(country, purpose): &(Option<&String>, Purpose)| above.iter().any(|earlier| takes(earlier, *country, *purpose));
    let texts = texts(route);
    if texts.iter().all(taken) {
        found.error(path, at!["routes", index], "is never taken: routes above take all of its texts", "move it up, or remove it");
        return;
    }
    for (n, earlier) in above.iter().enumerate() {
        // What is more general comes last, and is meant to leave some texts to those above.
        let general = self::texts(earlier).iter().all(|(country, purpose)| takes(route, *country, *purpose));
        let shared = texts.iter().find(|(country, purpose)| takes(earlier, *country, *purpose));
        if let (false, Some((country, purpose))) = (general, shared) {
            let place = country.map_or_else(|| "everywhere".to_owned(), |country| format!("to {country}"));
            let problem = format!("shares texts with route {} above, which takes them: {} {place}, among others", n + 1, purpose.word());
            found.warning(path, at!["routes", index], &problem, "take out what they share, or change their order");
        }
    }
}

/// The kinds of texts that a route is for; no country means all that are not named.
fn texts(route: &RouteFile) -> Vec<(Option<&String>, Purpose)> {
    let countries: Vec<Option<&String>> = if route.country.is_empty() { vec![None] } else { route.country.iter().map(Some).collect() };
    let purposes = if route.purpose.is_empty() { Purpose::ALL.to_vec() } else { route.purpose.clone() };
    countries.into_iter().flat_map(|country| purposes.iter().map(move |purpose| (country, *purpose))).collect()
}

fn takes(route: &RouteFile, country: Option<&String>, purpose: Purpose) -> bool {
    let here = route.country.is_empty() || country.is_some_and(|country| route.country.contains(country));
    here && (route.purpose.is_empty() || route.purpose.contains(&purpose))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use super::super::senders;
    use super::*;
    use crate::config::files::File;

    const MAIN: &str = r#"public_url = "http://127.0.0.1:8080"
listen = "127.0.0.1:8080"
[accounts.twilio]
provider = "twilio"
account_id = "AC1"
secrets = [{ env = "T" }]
verify = "enforce"
[accounts.telnyx]
provider = "telnyx"
account_id = "1"
secrets = [{ env = "T" }]
verify = "observe"
[[senders]]
number = "+15005550006"
account = "twilio"
rate = { per_second = 1, burst = 1 }
opt_out_reply = "vendor"
[[senders]]
number = "+15005550009"
account = "telnyx"
rate = { per_second = 1, burst = 1 }
opt_out_reply = "ours"
[[senders]]
number = "72345"
account = "telnyx"
rate = { per_second = 1, burst = 1 }
opt_out_reply = "ours"
"#;

    /// What is said of these routes, with file and line.
    fn problems(routes: &str) -> String {
        let mut found = Diagnoses::new(Path::new(""));
        let path = PathBuf::from("trunkline.toml");
        let value = found.parse(&path, format!("{MAIN}{routes}")).unwrap();
        let main = File { path, value };
        let (sources, connectors, journeys) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let files = Files { main, sources, connectors, journeys, templates: BTreeMap::new(), rules: BTreeMap::new(), rates: BTreeMap::new() };
        all(&files, &mut found);
        senders::all(&files, &mut found);
        found.finish().into_iter().map(|problem| problem.picture).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn routes_that_lead_somewhere_are_in_order() {
        let offers =
            "[[routes]]\nname = \"offers\"\ncountry = [\"US\", \"CA\"]\npurpose = [\"marketing\"]\nvia = [{ sender = \"+15005550006\", weight = 3 }, { kind = \"short_code\" }]\n";
        let rest = "[[routes]]\nvia = [{ account = \"telnyx\" }]\n";
        assert_eq!(problems(&format!("{offers}{rest}[countries.FR]\nrate = {{ per_second = 5, burst = 5 }}\n")), "");
    }

    #[test]
    fn mistakes_have_a_place_and_a_fix() {
        let via = "via = [{ sender = \"+15005550006\" }]\n";
        for (routes, words) in [
            ("[[routes]]\nvia = []\n".to_owned(), "no text could go anywhere"),
            ("[[routes]]\nvia = [{}]\n".to_owned(), "names nothing"),
            ("[[routes]]\nvia = [{ sender = \"+15005550001\" }]\n".to_owned(), "no sender is '+15005550001'"),
            ("[[routes]]\nvia = [{ sender = \"+15005550006\", account = \"telnyx\" }]\n".to_owned(), "of another account or kind"),
            ("[[routes]]\nvia = [{ account = \"sinch\" }]\n".to_owned(), "no account is called 'sinch'"),
            ("[[routes]]\nvia = [{ kind = \"toll_free\" }]\n".to_owned(), "of kind 'toll_free'"),
            ("[[routes]]\nvia = [{ sender = \"+15005550006\", weight = 0 }]\n".to_owned(), "no share"),
            ("[[routes]]\nvia = [{ sender = \"72345\" }, { account = \"telnyx\" }]\n".to_owned(), "meant above already"),
            (format!("[[routes]]\ncountry = [\"usa\"]\n{via}"), "'usa' is no country"),
            (format!("[[routes]]\n{via}[[routes]]\ncountry = [\"US\"]\n{via}"), "is never taken"),
            (
                format!("[[routes]]\ncountry = [\"US\"]\n{via}[[routes]]\ncountry = [\"CA\"]\n{via}[[routes]]\ncountry = [\"CA\", \"US\"]\npurpose = [\"otp\"]\n{via}"),
                "is never taken",
            ),
            (format!("[[routes]]\ncountry = [\"US\", \"CA\"]\n{via}[[routes]]\ncountry = [\"CA\", \"MX\"]\n{via}"), "shares texts with route 1 above"),
            ("[countries.USA]\nrate = { per_second = 0, burst = 1 }\n".to_owned(), "'USA' is no country"),
            ("[countries.US]\nrate = { per_second = 0, burst = 1 }\n".to_owned(), "lets nothing through"),
        ] {
            let told = problems(&routes);
            assert!(told.contains(words) && told.contains("trunkline.toml:"), "{routes}\n{told}");
        }
    }

    #[test]
    fn senders_limits_and_breakers_are_looked_at() {
        let sender = |more: &str| format!("[[senders]]\naccount = \"twilio\"\nrate = {{ per_second = 1, burst = 1 }}\nopt_out_reply = \"ours\"\n{more}\n");
        let account = |more: &str| format!("[accounts.sinch]\nprovider = \"sinch\"\naccount_id = \"1\"\nsecrets = [{{ env = \"T\" }}]\nverify = \"observe\"\n{more}\n");
        for (text, words) in [
            (sender("number = \"15005550007\""), "3 to 8 digits"),
            (sender("number = \"Acme & Sons\""), "neither a number nor a name"),
            (sender("number = \"+1500\""), "E.164"),
            (sender("number = \"+15005550006\""), "written twice"),
            (sender("number = \"72346\"\nkind = \"long_code\""), "looks like 'short_code'"),
            (sender("number = \"Acme\"\ndaily = { limit = 0, zone = \"UTC\" }"), "lets nothing through"),
            (sender("number = \"Acme\"\ndaily = { limit = 9, zone = \"Mars/Olympus\" }"), "no time zone is called"),
            (account("rate = { per_second = 1, burst = 0 }"), "lets nothing through"),
            (account("breaker = { percent = 0 }"), "not a share"),
            (account("breaker = { probes = 0 }"), "is zero"),
            (account("breaker = { cool_down = \"10m\" }"), "shorter than cool_down"),
        ] {
            let told = problems(&text);
            assert!(told.contains(words) && told.contains("trunkline.toml:"), "{text}\n{told}");
        }
        assert_eq!(problems(&format!("{}{}", sender("number = \"+448005550123\"\nkind = \"toll_free\""), account("breaker = { percent = 80 }"))), "");
    }
}
