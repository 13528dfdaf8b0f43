//! Systems and followers: fields with two owners, endpoints that cannot be reached, keys that do not sign, write-backs
//! that touch what is not ours.
//!
//! Apart from the other checks because these are about what leaves towards systems that are no vendors.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use trunkline_connectors::crm::declared::{About, Connector};
use trunkline_connectors::follower::SigningKey;
use trunkline_core::expr::Engine;
use trunkline_core::time::Span;
use trunkline_engine::air::{LEASE, LONGEST_CALL};
use trunkline_engine::definitions::OURSELVES;

use super::super::diagnose::{Diagnoses, Key};
use super::super::files::Files;
use super::super::secret::Resolved;
use super::at;

pub(super) fn all(files: &Files, secrets: &Resolved, found: &mut Diagnoses) {
    owners(files, found);
    followers(files, secrets, found);
    written(files, found);
}

fn owners(files: &Files, found: &mut Diagnoses) {
    let path = &files.main.path;
    // Several sources may own a field, each for its own people; what we write is ours alone.
    let ours = files.main.value.systems.get(OURSELVES).map(|s| s.owns.as_slice()).unwrap_or_default();
    for (name, system) in &files.main.value.systems {
        for (index, field) in system.owns.iter().enumerate().filter(|(_, field)| name != OURSELVES && ours.contains(field)) {
            let problem = format!("'{field}' belongs to '{OURSELVES}', which writes it back");
            found.error(path, at!["systems", name.as_str(), "owns", index], &problem, "take it from one of the two");
        }
        let known = name == OURSELVES || files.sources.values().any(|s| s.value.system == *name);
        if !known {
            let problem = format!("no source belongs to a system '{name}'");
            found.warning(path, at!["systems", name.as_str()], &problem, "its fields can be written by PUT /v1/profiles with written_by only; check the spelling");
        }
    }
}

fn followers(files: &Files, secrets: &Resolved, found: &mut Diagnoses) {
    let path = &files.main.path;
    for (name, follower) in &files.main.value.followers {
        let place = |field: &str| vec![Key::from("followers"), Key::from(name.as_str()), Key::from(field)];
        match follower.url.parse::<http::Uri>() {
            Ok(uri) if uri.scheme_str() == Some("https") && uri.host().is_some() => {}
            Ok(uri) if uri.scheme_str() == Some("http") && uri.host().is_some() && follower.allow_private => {}
            Ok(uri) if uri.scheme_str() == Some("http") => {
                found.error(path, &place("url"), "is not encrypted", "use https://; http:// is for a private network only, with allow_private = true");
            }
            _ => found.error(path, &place("url"), "is not a web address", "write one such as \"https://warehouse.example.com/hooks\""),
        }
        over_in_time(path, &place("timeout"), follower.timeout, found);
        if follower.events.is_empty() {
            found.error(path, &place("events"), "is empty, so it would hear of nothing", "write [\"message.*\"]");
        }
        for (index, event) in follower.events.iter().enumerate().filter(|(_, e)| !e.starts_with("message.")) {
            let way = [place("events"), vec![Key::from(index)]].concat();
            found.error(path, &way, &format!("'{event}' never happens"), "name events such as \"message.delivered\", or \"message.*\" for all of them");
        }
        if follower.secrets.is_empty() {
            found.error(path, &place("secrets"), "is empty, so nothing could be signed", "make a key with: trunkline keys signing");
        }
        for (index, secret) in secrets.list(&format!("follower {name} secrets")).iter().enumerate() {
            if let Err(error) = SigningKey::parse(secret) {
                let way = [place("secrets"), vec![Key::from(index)]].concat();
                found.error(path, &way, &format!("the secret {error}"), "make one with: trunkline keys signing");
            }
        }
    }
}

/// A call that is in the air for longer than a while is taken for lost and made again: it must be over by then.
pub(super) fn over_in_time(path: &Path, way: &[Key], timeout: Span, found: &mut Diagnoses) {
    if timeout.0 <= 0 || timeout > LONGEST_CALL {
        let problem = format!("is not a time up to {LONGEST_CALL}: a call is taken for lost after {LEASE}, and has to be over by then");
        found.error(path, way, &problem, "write one such as \"10s\"");
    }
}

/// Renders each connector's body with made-up facts and looks at its fields.
fn written(files: &Files, found: &mut Diagnoses) {
    let systems = &files.main.value.systems;
    if systems.is_empty() {
        return;
    }
    let engine = Engine::new();
    let owner = |field: &str| systems.iter().find(|(name, s)| *name != OURSELVES && s.owns.iter().any(|f| f == field)).map(|(name, _)| name.as_str());
    for (name, file) in &files.connectors {
        let definition = file.value.definition.clone();
        let facts = sample(definition.about);
        let connector =
            Connector { name: name.clone(), definition: trunkline_connectors::crm::declared::Definition { headers: BTreeMap::new(), ..definition }, secrets: BTreeMap::new() };
        // A body that cannot be rendered from these facts is looked at when it is written.
        let Ok(request) = connector.request(&engine, &facts) else { continue };
        if let Some((field, owner)) = connector.foreign_field(&request, owner) {
            let problem = format!("writes '{field}', which belongs to '{owner}'");
            found.error(&file.path, at!["body"], &problem, &format!("take it out, or change [systems.{owner}]"));
        }
    }
}

fn sample(about: About) -> Value {
    let address = json!({"id": "adr_x", "number": "+14155550123", "opted_out": false, "opted_out_at": null});
    match about {
        About::Address => json!({"address": address}),
        About::Message => json!({
            "address": address,
            "message": {
                "id": "msg_x", "word": "delivered", "delivery": "delivered", "replied": false, "opted_out": false, "duplicate": "no", "vendor_code": null, "reasons": [],
                "purpose": "service", "program": "acme", "sender": "+15005550006", "body": "Hello", "segments": 1, "created_at": "2026-11-23T12:00:00Z", "labels": {}, "attempts": 1,
            },
        }),
    }
}
