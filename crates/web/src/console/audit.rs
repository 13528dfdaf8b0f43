//! `GET /audit`: what people did, newest first.
//!
//! Its own file because it answers for people, not for texts: who uncovered a number, took a text back, decided about
//! an unclear one or replayed something. It is written by whoever does these things, and never changed.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use trunkline_store::row::Audit;

use super::Console;
use super::mask;
use super::page::{self, Page};
use super::problem::Problem;
use super::said::Said;
use super::session::SignedIn;
use super::view::When;

/// How many are shown.
const MOST: usize = 50;

/// What the URL says.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Asked {
    before: String,
}

/// Something that somebody did.
struct Deed {
    when: When,
    who: String,
    did: Said,
    detail: Said,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    page: Page,
    deeds: Vec<Deed>,
    newest: Option<String>,
    older: Option<String>,
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let before = asked.before.parse::<i64>().ok();
    let mut audits = console.engine.store.audits(before, MOST + 1).await?;
    let more = audits.len() > MOST;
    audits.truncate(MOST);
    let older = audits.last().filter(|_| more).map(|last| format!("/audit?before={}", last.number));
    let view =
        AuditPage { page: Page::new("What people did", &signed_in).at("audit"), deeds: audits.iter().map(deed).collect(), newest: before.map(|_| "/audit".to_owned()), older };
    Ok(page::html(StatusCode::OK, &view))
}

fn deed(audit: &Audit) -> Deed {
    let did = match audit.act.as_str() {
        "revealed" => "revealed the number of",
        "replayed" => "replayed",
        "canceled" => "canceled",
        "ruled" => "ruled on",
        "erased" => "erased everything about",
        "imported" => "imported consent as",
        other => other,
    };
    Deed { when: When::from(audit.at), who: mask::numbers(&audit.operator), did: Said::new(&format!("{did} {}", audit.about)), detail: Said::sentence(&audit.detail) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::id::AddressId;
    use trunkline_core::time::Time;

    #[test]
    fn deeds_are_sentences_with_links() {
        let about = AddressId([1; 16]).to_string();
        let audit = |act: &str| Audit { number: 1, at: Time(1), operator: "operator ada".into(), act: act.into(), about: about.clone(), detail: String::new() };
        let revealed = deed(&audit("revealed"));
        assert_eq!(revealed.did.text(), format!("revealed the number of {about}"));
        assert!(revealed.did.bits.iter().any(|bit| bit.link.is_some()) && revealed.detail.is_empty());
        assert_eq!(deed(&audit("exported")).did.text(), format!("exported {about}"));
        let ruled = deed(&Audit { detail: "it arrived: seen for +14155550123".into(), ..audit("ruled") });
        assert_eq!((ruled.did.text(), ruled.detail.text()), (format!("ruled on {about}"), "It arrived: seen for +141••••0123".to_owned()));
    }
}
