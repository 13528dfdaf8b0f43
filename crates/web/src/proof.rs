//! The proof of consent as one HTML file that needs nothing else: no script, no style sheet, no picture.
//!
//! Its own file because it is read far from here, on paper or years later: the console gives it as a download, the command
//! line writes it. What it says is put together by the engine.

use askama::Template;
use trunkline_engine::proof::{EntryItem, Item, Proof, TextItem};

/// One thing that happened: an entry or a text.
struct Row<'a> {
    entry: Option<&'a EntryItem>,
    text: Option<&'a TextItem>,
}

#[derive(Template)]
#[template(path = "proof.html")]
struct ProofPage<'a> {
    proof: &'a Proof,
    /// The address, as a text.
    address: String,
    /// When everything was erased, or empty.
    erased: String,
    rows: Vec<Row<'a>>,
}

/// The file.
pub fn html(proof: &Proof) -> Result<String, String> {
    let erased = proof.erased_at.map_or_else(String::new, |at| at.to_string());
    let page = ProofPage { proof, address: proof.address.to_string(), erased, rows: proof.items.iter().map(row).collect() };
    page.render().map_err(|e| e.to_string())
}

fn row(item: &Item) -> Row<'_> {
    match item {
        Item::Entry(entry) => Row { entry: Some(entry), text: None },
        Item::Text(text) => Row { entry: None, text: Some(text) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::id::{AddressId, MessageId};
    use trunkline_core::time::Time;
    use trunkline_engine::proof::Stands;

    #[test]
    fn it_says_who_gave_what_when_and_escapes_it() {
        let stands = |permitted| Stands { program: "acme".into(), purpose: "marketing".into(), permitted, why: vec!["the recipient has not opted out".into()] };
        let entry = EntryItem {
            occurred_at: Time(1_795_442_709_000_000),
            recorded_at: Time(1_795_442_710_000_000),
            act: "grant".into(),
            program: Some("acme".into()),
            purpose: Some("marketing".into()),
            channel: "sms".into(),
            basis: Some("express_written".into()),
            source: Some("web".into()),
            jurisdiction: Some("US".into()),
            through: None,
            import: None,
            evidence: "ticked <b>offers</b>".into(),
            actor: "key k1".into(),
            after: vec!["granted for acme, marketing".into()],
        };
        let text = TextItem {
            id: MessageId::new(1, Time(1), [1; 16]),
            at: Time(1_795_442_800_000_000),
            left: true,
            purpose: "marketing".into(),
            program: "acme".into(),
            sender: "+15005550006".into(),
            delivery: "delivered".into(),
            because: "it is delivered".into(),
            body: "Sale & more".into(),
            exempt: false,
            as_known: stands(true),
            as_happened: stands(false),
            gate: vec!["consent was granted".into()],
        };
        let proof = Proof {
            address: AddressId([1; 16]),
            number: "+141••••0123".into(),
            made_at: Time(1_795_442_900_000_000),
            erased_at: None,
            in_force: vec!["granted for acme, marketing".into()],
            standings: vec![stands(true)],
            items: vec![Item::Entry(entry), Item::Text(text)],
        };
        let page = html(&proof).unwrap();
        for piece in ["+141••••0123", "express_written", "key k1", "2026-11-23T14:05:09Z", "Sale", "delivered", "granted for acme, marketing"] {
            assert!(page.contains(piece), "no {piece}");
        }
        assert!(!page.contains("<b>offers") && !page.contains("Sale & more"), "what others wrote is escaped");
        assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("href="), "it needs nothing else");
        assert!(page.contains("not permitted"), "what was true may differ from what was known");
    }
}
