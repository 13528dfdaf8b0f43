//! What is left of a person after an erasure: the texts of records without their words.
//!
//! Its own file because an erasure must not break a fold: histories keep every event and every time, and lose what
//! somebody wrote. It finds nothing and removes nothing by itself; which rows there are is the engine's matter.

use serde_json::{Map, Value};

use crate::consent::{ConsentAct, ConsentEntry};
use crate::event::SourceEvent;
use crate::gate::Verdict;
use crate::message::{Event, Finding};
use crate::outcome::Outcome;
use crate::reason::Reason;
use crate::source::Mapped;

/// What stands where a text was.
pub const ERASED: &str = "[erased]";

/// Fields of reasons that hold words of somebody.
const WORDS: [&str; 3] = ["evidence", "cause", "problem"];

/// An entry of the ledger without its evidence. That of an erasure says why it was made, and stays.
pub fn entry(entry: &ConsentEntry) -> ConsentEntry {
    match entry.act {
        ConsentAct::Erase => entry.clone(),
        _ => ConsentEntry { evidence: ERASED.to_owned(), ..entry.clone() },
    }
}

/// An event of a source without whom and what it was about; its names stay, so that a copy is known as one.
pub fn mapped(mapped: &Mapped) -> Mapped {
    let event = SourceEvent { subject: None, data: Value::Null, extensions: std::collections::BTreeMap::new(), ..mapped.event.clone() };
    Mapped { event, phone: None, region: None, locale: None, attributes: Map::new(), labels: std::collections::BTreeMap::new(), ..mapped.clone() }
}

/// An entry of a message's history without words, and without the number of these digits.
pub fn event(event: &Event, digits: &str) -> Event {
    let mut event = event.clone();
    match &mut event {
        Event::Made { verdict } | Event::Gated { verdict } | Event::Claimed { verdict, .. } => *verdict = of_verdict(verdict),
        Event::Settled { outcome, .. } => match outcome {
            Outcome::Permanent { message, .. } => ERASED.clone_into(message),
            Outcome::Transient { cause } | Outcome::Ambiguous { cause } | Outcome::NotWritten { cause } => *cause = without(cause, digits),
            Outcome::Accepted { .. } | Outcome::Throttled { .. } => {}
        },
        Event::Looked { found: Finding::NotTaken { cause, .. } | Finding::Nothing { cause }, .. } => *cause = without(cause, digits),
        Event::Ruled { evidence, .. } => ERASED.clone_into(evidence),
        Event::Canceled { reason } | Event::Routed { reason, .. } => *reason = of_reason(reason),
        Event::WrittenBack { record, .. } => *record = without(record, digits),
        Event::WritebackDead { record, cause, .. } => (*record, *cause) = (without(record, digits), ERASED.to_owned()),
        // How an answer was understood is a word of ours, of a closed list; hers are in the inbound text.
        Event::Looked { found: Finding::Taken { .. }, .. }
        | Event::TakenOver { .. }
        | Event::Asked { .. }
        | Event::GivenUp { .. }
        | Event::Receipt { .. }
        | Event::Replied { .. } => {}
    }
    event
}

/// A text with a number of these digits taken out.
pub fn without(text: &str, digits: &str) -> String {
    if digits.is_empty() { text.to_owned() } else { text.replace(digits, ERASED) }
}

fn of_verdict(verdict: &Verdict) -> Verdict {
    Verdict { decision: verdict.decision, findings: verdict.findings.iter().map(of_reason).collect() }
}

/// By the names of its fields, so that a reason which is added later loses its words too.
fn of_reason(reason: &Reason) -> Reason {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(reason) else { return reason.clone() };
    for name in WORDS {
        if let Some(words) = fields.get_mut(name) {
            *words = ERASED.into();
        }
    }
    // Who it was stays, and what she wrote goes: `inb_… (STOP)`.
    if let Some(Value::String(by)) = fields.get_mut("by")
        && let Some((who, _)) = by.split_once(" (")
    {
        *by = who.to_owned();
    }
    serde_json::from_value(Value::Object(fields)).unwrap_or_else(|_| reason.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Decision;
    use crate::id::{AddressId, HookId, InboundId};
    use crate::keyword::How;
    use crate::message::{self, Evidence, Ruling};
    use crate::outcome::Refusal;
    use crate::retry::Next;
    use crate::time::Time;

    const DIGITS: &str = "14155550123";

    fn lives() -> Vec<Vec<Event>> {
        let opted_out = Reason::OptedOut { at: Time(1), evidence: "inb_1 texted 'secret'".into() };
        let made = |decision, findings| Event::Made { verdict: Verdict { decision, findings } };
        let claimed = Event::Claimed {
            n: 1,
            account: "main".into(),
            sender: "+15005550006".into(),
            epoch: 1,
            verdict: Verdict { decision: Decision::Send, findings: vec![Reason::ConsentGranted { at: Time(1), evidence: "secret form".into() }] },
        };
        let settled = |outcome, next| Event::Settled { n: 1, outcome, next };
        let refused = Outcome::Permanent { class: Refusal::Number, vendor_code: "21211".into(), message: "secret: +14155550123 is not valid".into() };
        let unclear = Outcome::Ambiguous { cause: format!("no answer about +{DIGITS}") };
        let by = "inb_1 (STOP secret: a short text that begins with a keyword)".to_owned();
        let receipt = Event::Receipt { n: 1, status: "delivered".into(), evidence: Some(Evidence::Delivered), vendor_code: String::new(), hook: HookId::new(1, Time(1), [1; 16]) };
        vec![
            vec![made(Decision::Suppress, vec![opted_out])],
            vec![made(Decision::Send, vec![]), Event::Canceled { reason: Reason::CanceledBy { by } }],
            vec![made(Decision::Send, vec![]), claimed.clone(), settled(refused, Next::Fail)],
            vec![
                made(Decision::Send, vec![]),
                claimed.clone(),
                settled(unclear, Next::Unknown { ask_at: None }),
                Event::Looked { n: 1, found: Finding::Nothing { cause: format!("+{DIGITS} has no text") }, next: None },
                Event::Ruled { n: 1, ruling: Ruling::Arrived, by: "operator ada".into(), evidence: "secret".into(), again: None },
            ],
            vec![
                made(Decision::Send, vec![]),
                claimed,
                settled(Outcome::Accepted { vendor_id: "SM1".into() }, Next::Taken),
                receipt,
                Event::Replied { inbound: InboundId::of("main", "SM2", AddressId([1; 16])), stop: false, how: Some(How::FreeText) },
                Event::WrittenBack { connector: "crm".into(), record: format!("contacts/{DIGITS}"), word: "delivered".into() },
                Event::WritebackDead { connector: "crm".into(), record: "messages/1".into(), cause: "secret".into() },
            ],
        ]
    }

    #[test]
    fn a_history_loses_its_words_and_nothing_of_its_course() {
        for events in lives() {
            let fold = |events: &[Event]| message::fold(events.iter().zip(1..).map(|(e, at)| (e, Time(at)))).unwrap();
            let erased: Vec<Event> = events.iter().map(|e| event(e, DIGITS)).collect();
            let text = serde_json::to_string(&erased).unwrap();
            assert!(!text.contains("secret") && !text.contains(DIGITS), "{text}");
            let (before, after) = (fold(&events), fold(&erased));
            let shown = serde_json::to_string(&after).unwrap();
            assert!(!shown.contains("secret") && !shown.contains(DIGITS), "{shown}");
            let course = |state: &message::State| (state.work, state.due, state.delivery(), state.attempts.len(), state.flags);
            assert_eq!(course(&before), course(&after), "{text}");
            assert_eq!(erased, erased.iter().map(|e| event(e, DIGITS)).collect::<Vec<_>>(), "once is enough");
        }
    }

    #[test]
    fn an_entry_keeps_what_it_does() {
        let stop = ConsentEntry {
            act: ConsentAct::Stop,
            program: None,
            purpose: None,
            account: Some("main".into()),
            sender: Some("+15005550006".into()),
            evidence: "inb_1 texted 'secret'".into(),
            actor: "inbound".into(),
            occurred_at: Time(1),
            recorded_at: Time(2),
            terms: crate::consent::Terms::default(),
        };
        assert_eq!(entry(&stop), ConsentEntry { evidence: ERASED.into(), ..stop.clone() });
        let erase = ConsentEntry { act: ConsentAct::Erase, evidence: "her letter of May".into(), ..stop };
        assert_eq!(entry(&erase), erase);
    }
}
