//! What the configuration means: references that lead nowhere, expressions that cannot work, steps nobody reaches.
//!
//! Its own file because these checks look across files. They run even if some file is broken, so that one run tells
//! everything; they change nothing.

mod hours;
mod journeys;
mod keywords;
mod outward;
mod routes;
mod senders;
mod texts;

use std::collections::BTreeSet;
use std::path::Path;

use trunkline_connectors::crm::declared::About;
use trunkline_connectors::registry::{PROVIDERS, SOURCES};
use trunkline_core::expr::Engine;
use trunkline_core::looping;
use trunkline_core::time::Span;
use trunkline_engine::definitions::VerifyMode;

use super::diagnose::{Diagnoses, Key};
use super::files::{ConnectorFile, File, Files, SourceFile};
use super::secret::Resolved;

pub(crate) use texts::{Preview, previews};

pub(crate) fn all(files: &Files, secrets: &Resolved, found: &mut Diagnoses) {
    let engine = Engine::new();
    main(files, found);
    senders::all(files, found);
    routes::all(files, found);
    outward::all(files, secrets, found);
    hours::all(files, found);
    for (name, file) in &files.sources {
        source(name, file, files, &engine, found);
    }
    for (name, file) in &files.connectors {
        connector(name, file, &engine, found);
    }
    texts::all(files, &engine, found);
    journeys::all(files, &engine, found);
    keywords::all(files, found);
}

/// A way to a value: `at!["accounts", name, "provider"]`.
macro_rules! at {
    ($($key:expr),*) => { &[$(Key::from($key)),*][..] };
}
pub(crate) use at;

fn main(files: &Files, found: &mut Diagnoses) {
    let (path, main) = (&files.main.path, &files.main.value);
    if main.public_url.is_empty() {
        // The file itself could not be read; that was said already.
        return;
    }
    let web = main.public_url.strip_prefix("https://").or_else(|| main.public_url.strip_prefix("http://"));
    if web.is_none_or(|rest| rest.is_empty() || rest.contains(['?', '#', ' '])) {
        found.error(path, at!["public_url"], "is not a web address", "write what vendors call, such as \"https://sms.example.com\"");
    }
    if main.listen.parse::<std::net::SocketAddr>().is_err() {
        found.error(path, at!["listen"], "is not an address and port", "write \"127.0.0.1:8080\"");
    }
    if main.default_region.as_deref().is_some_and(|r| r.len() != 2 || !r.chars().all(|c| c.is_ascii_uppercase())) {
        found.error(path, at!["default_region"], "is not a country code", "write two capital letters, such as \"US\"");
    }
    for (name, account) in &main.accounts {
        if !PROVIDERS.contains(&account.provider.as_str()) {
            let problem = format!("no provider is called '{}'", account.provider);
            found.error(path, at!["accounts", name.as_str(), "provider"], &problem, &format!("use one of: {}", PROVIDERS.join(", ")));
        }
        if account.secrets.is_empty() {
            found.error(path, at!["accounts", name.as_str(), "secrets"], "is empty", "give the auth token, such as { env = \"TWILIO_AUTH_TOKEN\" }");
        }
        // Each of these signs hooks with something of its own.
        if account.signing_keys.is_empty() && account.verify == VerifyMode::Enforce && matches!(account.provider.as_str(), "telnyx" | "sinch") {
            let fix = "give what its webhooks are signed with (Telnyx: the public key; Sinch: the webhook secret), such as { env = \"SINCH_HOOK_SECRET\" }";
            found.error(path, at!["accounts", name.as_str()], "has no signing_keys, so that every receipt would be refused", fix);
        }
        // What is asked about an unclear text rests on its call being over by then, and so does taking a call for lost.
        if account.timeout.0 <= 0 || account.timeout > Span::secs(30) {
            found.error(path, at!["accounts", name.as_str(), "timeout"], "is not a time up to 30 seconds", "write one such as \"10s\"");
        }
        if files.sources.contains_key(name) {
            let problem = format!("'{name}' is also the name of a source, and both would answer at /hooks/{name}");
            found.error(path, at!["accounts", name.as_str()], &problem, "rename one of the two");
        }
    }
    if main.senders.is_empty() {
        found.error(path, at!["senders"], "no sender is configured", "add [[senders]] with the number that texts come from");
    }
    for (purpose, policy) in &main.purposes {
        if policy.ttl.0 <= 0 || policy.max_attempts == 0 {
            found.error(path, at!["purposes", purpose.word()], "ttl or max_attempts is zero, so nothing could be sent", "give both at least 1");
        }
        let limits = policy.looping.map(|rule| (rule.within, rule.same.into_iter().chain(rule.any)));
        if let Some((within, mut limits)) = limits
            && (within.0 <= 0 || limits.any(|most| most == 0 || most > looping::MOST))
        {
            let fix =
                format!("write how many texts may go to one address in a time, 1 to {}, such as {{ same = 3, within = \"1h\" }}; leave a limit out to have none", looping::MOST);
            found.error(path, at!["purposes", purpose.word(), "loop"], "is not a limit and a time", &fix);
        }
    }
    if main.programs.is_empty() {
        found.error(path, at!["programs"], "no program is configured", "add [programs.<key>] with the name that recipients know");
    }
}

fn source(name: &str, file: &File<SourceFile>, files: &Files, engine: &Engine, found: &mut Diagnoses) {
    let (path, source) = (&file.path, &file.value);
    let webhooks = SOURCES.contains(&source.kind.as_str());
    if !webhooks && source.kind != "events" {
        let problem = format!("no source is of kind '{}'", source.kind);
        found.error(path, at!["kind"], &problem, &format!("use one of: events, {}", SOURCES.join(", ")));
    }
    if webhooks && source.secrets.is_empty() {
        found.error(path, at!["secrets"], "is empty, so no webhook could be verified", "give the shop's secret, such as { env = \"SHOPIFY_SECRET\" }");
    }
    if webhooks && source.verify.is_none() {
        found.error(
            path,
            at!["kind"],
            "verify is missing, and there is no default",
            "write verify = \"enforce\"; \"observe\" takes unsigned webhooks and logs what it would refuse",
        );
    }
    if source.kind == "events" && source.reads.is_none() {
        found.error(path, at!["reads"], "is missing, so no event of the API would be read by these rules", "give the CloudEvents 'source' that it reads");
    }
    if source.map.is_empty() {
        found.error(path, at!["map"], "has no rules", "add [[map]] with the topics it reads");
    }
    let mut topics = BTreeSet::new();
    for (index, mapping) in source.map.iter().enumerate() {
        for (field, expression) in mapping.expressions() {
            let mut way: Vec<Key> = vec!["map".into(), index.into()];
            way.extend(field.split('.').map(Key::from));
            match engine.expression_names(expression) {
                Err(error) => found.error(path, &way, &format!("the expression {error}"), "expressions read body, data, id, source, type, subject, time and extensions"),
                Ok(names) => roots(&names, &["body", "data", "id", "source", "type", "subject", "time", "extensions"], path, &way, found),
            }
        }
        for topic in &mapping.topics {
            if !topics.insert(topic.clone()) {
                found.error(path, at!["map", index, "topics"], &format!("'{topic}' is read by an earlier rule already"), "remove it from one of them");
            }
        }
        if let Some(kind) = &mapping.kind
            && !files.journeys.values().any(|j| j.value.trigger.kind == *kind || j.value.cancel.iter().any(|c| c.kind == *kind))
        {
            found.warning(path, at!["map", index, "type"], &format!("no journey is started or ended by '{kind}'"), "add a journey, or remove the rule");
        }
    }
    if files.main.value.accounts.contains_key(name) {
        found.error(path, at!["kind"], &format!("'{name}' is also the name of an account"), "rename one of the two");
    }
}

/// Names that an expression may not know.
fn roots(names: &[String], known: &[&str], path: &Path, way: &[Key], found: &mut Diagnoses) {
    for name in names {
        let root = name.split('.').next().unwrap_or_default();
        if !known.contains(&root) {
            found.error(path, way, &format!("'{name}' is undefined"), &format!("these are known here: {}", known.join(", ")));
        }
    }
}

fn connector(name: &str, file: &File<ConnectorFile>, engine: &Engine, found: &mut Diagnoses) {
    let (path, definition) = (&file.path, &file.value.definition);
    let known: &[&str] = if definition.about == About::Message { &["message", "address"] } else { &["address"] };
    let with_secret: Vec<&str> = known.iter().copied().chain(["secret"]).collect();
    let mut texts: Vec<(Vec<Key>, &str, &[&str])> =
        vec![(vec!["record".into()], &definition.record, known), (vec!["url".into()], &definition.url, &with_secret), (vec!["body".into()], &definition.body, known)];
    for (header, text) in &definition.headers {
        texts.push((vec!["headers".into(), header.as_str().into()], text, &with_secret));
    }
    for (way, text, known) in texts {
        match engine.names(text) {
            Err(error) => found.error(path, &way, &format!("the template {error}"), "mend its syntax"),
            Ok(names) => {
                roots(&names, known, path, &way, found);
                for secret in names.iter().filter_map(|n| n.strip_prefix("secret.")) {
                    if !file.value.secrets.contains_key(secret) {
                        found.error(path, &way, &format!("secret '{secret}' is not configured"), "add it under [secrets]");
                    }
                }
            }
        }
    }
    if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&definition.method.as_str()) {
        found.error(path, at!["method"], &format!("'{}' is not a method", definition.method), "use PUT, PATCH or POST");
    }
    outward::over_in_time(path, at!["timeout"], definition.timeout, found);
    if definition.done.is_empty() {
        found.error(path, at!["done"], &format!("no answer would mean that connector '{name}' is done"), "write [\"2xx\"]");
    }
}
