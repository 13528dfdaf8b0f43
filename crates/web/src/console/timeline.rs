//! One message's story as a list of entries: what happened, when, and why.
//!
//! Its own file because it is the answer to "why did she not get it?": pure functions from stored values to sentences.
//! It leaves nothing out and judges nothing: findings come from the gate, sentences of reasons from `core`.

use std::collections::BTreeMap;

use serde_json::Value;
use trunkline_core::gate::{self, Decision, Verdict};
use trunkline_core::id::{HookId, InboundId};
use trunkline_core::message::{Event, Evidence, Finding, Question, Ruling};
use trunkline_core::outcome::Outcome;
use trunkline_core::reason::Reason;
use trunkline_core::retry::Next;
use trunkline_core::time::Time;
use trunkline_store::row::{self, Fate, HistoryEntry, Inbound, Run, Writeback, WritebackState};

use super::clock::Clocks;
use super::hook::HookView;
use super::mask;
use super::said::Said;
use super::view::When;

/// One thing that happened.
pub(super) struct Entry {
    /// Names it on the page, the same at every look.
    pub(super) key: String,
    /// When, for sorting.
    pub(super) at: Time,
    /// When, for people.
    pub(super) when: When,
    /// The same on the recipient's clock, where it concerns her; or empty.
    pub(super) there: String,
    /// The colour's class.
    pub(super) tone: &'static str,
    /// What happened.
    pub(super) title: Said,
    /// The words of a person, if any were said.
    pub(super) quote: Option<String>,
    /// Why, and what followed.
    pub(super) lines: Vec<Line>,
    /// The hook that brought it.
    pub(super) hook: Option<HookId>,
    /// The same, loaded.
    pub(super) raw: Option<HookView>,
}

/// One reason or consequence.
pub(super) struct Line {
    /// `pass`, `hold`, `stop` or `note`.
    pub(super) mark: &'static str,
    /// The sentence.
    pub(super) text: Said,
    /// The stable code, or empty.
    pub(super) code: &'static str,
}

impl Entry {
    fn new(key: String, at: Time, tone: &'static str, title: &str) -> Entry {
        Entry { key, at, when: When::from(at), there: String::new(), tone, title: Said::new(title), quote: None, lines: Vec::new(), hook: None, raw: None }
    }

    fn note(mut self, text: &str) -> Entry {
        self.lines.push(note(text));
        self
    }

    fn findings(mut self, verdict: &Verdict) -> Entry {
        self.lines.extend(verdict.findings.iter().map(finding));
        self
    }
}

/// Something to know.
pub(super) fn note(text: &str) -> Line {
    Line { mark: "note", text: Said::sentence(text), code: "" }
}

/// A finding of the gate: what it alone would decide, its sentence with the evidence, its code.
fn finding(reason: &Reason) -> Line {
    let mark = match gate::consequence(reason) {
        Decision::Send => "pass",
        Decision::Hold { .. } => "hold",
        Decision::Suppress | Decision::Expire | Decision::Fail => "stop",
    };
    Line { mark, ..cause(reason) }
}

/// A reason of a state: what made it so, never a check that passed.
pub(super) fn standing(reason: &Reason) -> Line {
    let line = finding(reason);
    if line.mark == "pass" { Line { mark: "note", ..line } } else { line }
}

/// A reason that is no finding: why something was done.
fn cause(reason: &Reason) -> Line {
    Line { code: reason.code(), ..note(&reason.to_string()) }
}

/// The source event that began it.
pub(super) fn taken(event: &row::Event) -> Entry {
    let said = &event.mapped.event;
    let title = format!("{} told us: {}", said.source, said.kind);
    let mut entry = Entry::new("event".to_owned(), event.received_at, "info", &title);
    if let Some(subject) = &said.subject {
        entry = entry.note(&format!("about {subject}"));
    }
    if said.time != event.received_at {
        entry = entry.note(&format!("it happened there at {}", said.time));
    }
    entry.hook = event.hook;
    entry.note(&fate(event.fate.as_ref()))
}

/// What became of a source event.
pub(super) fn fate(fate: Option<&Fate>) -> String {
    match fate {
        None => "no journey has looked at it yet".to_owned(),
        Some(Fate::NoJourney) => "no journey wanted it".to_owned(),
        Some(Fate::Runs { runs }) => {
            let words: Vec<String> = runs.iter().map(|(run, word)| format!("{run}: {word}")).collect();
            format!("runs: {}", words.join("; "))
        }
        Some(Fate::Dead { cause }) => format!("it could not be worked on: {cause}"),
    }
}

/// One move of the run.
pub(super) fn moved(run: &Run, entry: &HistoryEntry) -> Entry {
    let title = format!("Journey {} (version {}) moved on", run.journey, run.version);
    let trail = entry.body.get("trail").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let why = entry.body.get("why").or_else(|| entry.body.get("position")?.get("why")).and_then(Value::as_str);
    let lines = trail.map(|step| format!("step {step}")).chain(why.map(str::to_owned)).map(|text| note(&text)).collect();
    Entry { lines, ..Entry::new(format!("run-{}", entry.seq), entry.at, "quiet", &title) }
}

/// One entry of the message's own history; `inbound` holds the texts that its replies speak of, `clocks` are the
/// recipient's.
pub(super) fn happened(entry: &HistoryEntry, inbound: &BTreeMap<InboundId, Inbound>, clocks: &Clocks) -> Entry {
    let (key, at) = (format!("history-{}", entry.seq), entry.at);
    let Ok(event) = serde_json::from_value::<Event>(entry.body.clone()) else {
        return Entry::new(key, at, "unsure", "Something that this version cannot read").note(&format!("history entry {} of fold version {}", entry.seq, entry.fold));
    };
    let there = if concerns_recipient(&event) { clocks.at(at) } else { String::new() };
    let shown = match event {
        Event::Made { verdict } => Entry::new(key, at, decided(&verdict), &format!("The intent was made, and {}", decision(&verdict))).findings(&verdict),
        Event::Gated { verdict } => Entry::new(key, at, decided(&verdict), &format!("The gate was asked again: {}", decision(&verdict))).findings(&verdict),
        Event::Routed { way, reason } => {
            let title = format!("It goes another way: account {} from {}", way.account, way.sender);
            Entry { lines: vec![cause(&reason)], ..Entry::new(key, at, "info", &title) }
        }
        Event::Claimed { n, account, sender, verdict, .. } => {
            let title = format!("Attempt {n} was recorded, through account {account} from {sender}");
            Entry::new(key, at, "info", &title).findings(&verdict)
        }
        Event::Settled { n, outcome, next } => settled(key, at, n, &outcome, &next),
        Event::TakenOver { n, epoch, .. } => Entry::new(key, at, "unsure", &format!("The process that made attempt {n} is gone"))
            .note("nobody knows whether the vendor took it; not sent again")
            .note(&format!("generation {epoch} took over")),
        Event::Asked { n, how, again_at } => asked(key, at, n, how, again_at),
        Event::Looked { n, found, next } => looked(key, at, n, &found, next),
        Event::GivenUp { n, resend } => given_up(key, at, n, resend),
        Event::Ruled { ruling, by, evidence, again, .. } => {
            let (tone, title) = match ruling {
                Ruling::Arrived => ("good", format!("{by} decided that it arrived")),
                Ruling::SendAgain => ("info", format!("{by} had it sent again")),
                Ruling::LetGo => ("quiet", format!("{by} let it go")),
            };
            let entry = Entry::new(key, at, tone, &title).note(&evidence);
            if let Some(again) = again { entry.note(&format!("the new text is {again}")) } else { entry }
        }
        Event::Receipt { n, status, evidence, vendor_code, hook } => Entry { hook: Some(hook), ..receipt(key, at, n, &status, evidence, &vendor_code) },
        Event::Canceled { reason } => Entry { lines: vec![cause(&reason)], ..Entry::new(key, at, "quiet", "It was canceled") },
        Event::Replied { inbound: id, stop, how } => {
            let title = if stop { "The recipient answered, and opted out" } else { "The recipient answered" };
            let answer = inbound.get(&id);
            let (quote, hook) = (answer.map(|text| mask::numbers(&text.body)), answer.map(|text| text.hook));
            let entry = Entry { quote, hook, ..Entry::new(key, at, if stop { "quiet" } else { "good" }, title) };
            if let Some(how) = how { entry.note(&how.to_string()) } else { entry }
        }
        Event::WrittenBack { connector, record, word } => Entry::new(key, at, "quiet", &format!("{connector} was told: {word}")).note(&format!("record {record}")),
        Event::WritebackDead { connector, record, cause } => Entry::new(key, at, "bad", &format!("{connector} could not be told")).note(&format!("record {record}")).note(&cause),
    };
    Entry { there, ..shown }
}

/// Whether the time of day where the recipient is matters.
fn concerns_recipient(event: &Event) -> bool {
    match event {
        Event::Made { .. } | Event::Gated { .. } | Event::Claimed { .. } | Event::Receipt { .. } | Event::Replied { .. } => true,
        Event::Routed { .. }
        | Event::Settled { .. }
        | Event::TakenOver { .. }
        | Event::Asked { .. }
        | Event::Looked { .. }
        | Event::GivenUp { .. }
        | Event::Ruled { .. }
        | Event::Canceled { .. }
        | Event::WrittenBack { .. }
        | Event::WritebackDead { .. } => false,
    }
}

fn decided(verdict: &Verdict) -> &'static str {
    match verdict.decision {
        Decision::Send => "info",
        Decision::Hold { .. } => "wait",
        Decision::Suppress | Decision::Expire => "quiet",
        Decision::Fail => "bad",
    }
}

fn decision(verdict: &Verdict) -> String {
    match verdict.decision {
        Decision::Send => "the gate says send".to_owned(),
        Decision::Hold { until } => format!("the gate says hold, until {until}"),
        Decision::Suppress => "the gate says suppress".to_owned(),
        Decision::Expire => "the gate says that it is too late".to_owned(),
        Decision::Fail => "the gate says that it cannot arrive".to_owned(),
    }
}

fn settled(key: String, at: Time, n: u32, outcome: &Outcome, next: &Next) -> Entry {
    let (tone, title) = match outcome {
        Outcome::Accepted { .. } => ("info", format!("Attempt {n}: the vendor took it")),
        Outcome::Throttled { .. } => ("wait", format!("Attempt {n}: the vendor asked us to slow down")),
        Outcome::Transient { .. } => ("wait", format!("Attempt {n}: not taken, and may be later")),
        Outcome::Permanent { .. } => ("bad", format!("Attempt {n}: refused for good")),
        Outcome::Ambiguous { .. } => ("unsure", format!("Attempt {n}: nobody knows whether the vendor took it")),
        Outcome::NotWritten { .. } => ("wait", format!("Attempt {n} was not begun")),
    };
    Entry::new(key, at, tone, &title).note(&outcome.cause()).note(&follows(next))
}

fn follows(next: &Next) -> String {
    match next {
        Next::Taken => "it waits for receipts".to_owned(),
        Next::Retry { at } => format!("tried again at {at}"),
        Next::Fail => "not tried again".to_owned(),
        Next::Expire => "not tried again: the next try would be past its deadline".to_owned(),
        Next::Unknown { .. } => "not sent again: it waits for evidence".to_owned(),
    }
}

fn asked(key: String, at: Time, n: u32, how: Question, again_at: Time) -> Entry {
    let how = match how {
        Question::Repeat => "by the same call with the same key, which makes no second text",
        Question::LookUp => "by looking it up",
    };
    Entry::new(key, at, "info", &format!("The vendor is asked whether it took attempt {n}")).note(how).note(&format!("asked again at {again_at}, should no answer come"))
}

fn looked(key: String, at: Time, n: u32, found: &Finding, next: Option<Time>) -> Entry {
    let (tone, title, mut more) = match found {
        // Whatever its word, that the vendor has it is a proof.
        Finding::Taken { evidence, .. } => {
            let (tone, proves) = proof(Some(evidence.unwrap_or(Evidence::Accepted)));
            (tone, "the vendor took it", vec![proves.to_owned()])
        }
        Finding::NotTaken { next, .. } => ("wait", "the vendor did not take it", vec![follows(next)]),
        Finding::Nothing { .. } => ("unsure", "still nobody knows", Vec::new()),
    };
    if let Finding::Taken { vendor_code, .. } = found
        && !vendor_code.is_empty()
    {
        more.push(format!("vendor code {vendor_code}"));
    }
    more.extend(next.map(|next| format!("looked into again at {next}")));
    let entry = Entry::new(key, at, tone, &format!("Asked about attempt {n}: {title}")).note(&found_out(found));
    more.iter().fold(entry, |entry, line| entry.note(line))
}

/// What asking brought, in one clause.
pub(super) fn found_out(found: &Finding) -> String {
    match found {
        Finding::Taken { vendor_id, status, .. } => format!("the vendor has it as {vendor_id}: {status}"),
        Finding::NotTaken { cause, .. } | Finding::Nothing { cause } => cause.clone(),
    }
}

fn given_up(key: String, at: Time, n: u32, resend: Option<Time>) -> Entry {
    let follows = match resend {
        Some(resend) => format!("sent again at {resend}: this purpose would rather have two texts than none"),
        None => "not sent again: it stays unclear until a proof comes or somebody decides".to_owned(),
    };
    Entry::new(key, at, "unsure", &format!("Nobody is asked about attempt {n} any more")).note(&follows)
}

fn receipt(key: String, at: Time, n: u32, status: &str, evidence: Option<Evidence>, vendor_code: &str) -> Entry {
    let (tone, proves) = proof(evidence);
    let entry = Entry::new(key, at, tone, &format!("Receipt for attempt {n}: {status}")).note(proves);
    if vendor_code.is_empty() { entry } else { entry.note(&format!("vendor code {vendor_code}")) }
}

/// What evidence proves, and its colour.
fn proof(evidence: Option<Evidence>) -> (&'static str, &'static str) {
    match evidence {
        Some(Evidence::Accepted) => ("info", "it proves that the vendor has it"),
        Some(Evidence::Sent) => ("info", "it proves that the carrier has it"),
        Some(Evidence::Undelivered) => ("bad", "it proves that it did not arrive; a later receipt may correct this"),
        Some(Evidence::Delivered) => ("good", "it proves that it arrived"),
        None => ("unsure", "a word we do not know: the state stays as it is"),
    }
}

/// A record that another system does not have yet; what was written is in the history.
pub(super) fn owed(at: usize, writeback: &Writeback) -> Option<Entry> {
    let connector = &writeback.connector;
    let (tone, title) = match writeback.state {
        WritebackState::Idle => return None,
        WritebackState::Due => ("wait", format!("{connector} is to be told at {}", writeback.due)),
        WritebackState::Flying => ("info", format!("{connector} is being told")),
        WritebackState::Dead => ("bad", format!("{connector} was given up on")),
    };
    let entry = Entry::new(format!("writeback-{at}"), writeback.updated_at, tone, &title).note(&format!("record {}", writeback.record));
    let entry = if writeback.tries > 0 { entry.note(&format!("failed {} times in a row", writeback.tries)) } else { entry };
    Some(if writeback.cause.is_empty() { entry } else { entry.note(&writeback.cause) })
}

/// By time; what happened at once stays in the order of the pipeline.
pub(super) fn sorted(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by_key(|entry| entry.at);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use trunkline_core::id::MessageId;
    use trunkline_core::route::{Way, Why};

    fn entry(event: &Event) -> Entry {
        let body = serde_json::to_value(event).unwrap();
        happened(&HistoryEntry { seq: 3, at: Time(5), fold: 1, body }, &BTreeMap::new(), &Clocks::default())
    }

    #[test]
    fn each_finding_is_a_line_with_its_mark() {
        let message = MessageId::new(1, Time(1), [0; 16]);
        let until: Time = "2026-11-23T14:05:09Z".parse().unwrap();
        let findings = vec![Reason::NumberTextable, Reason::Behind { message, until }, Reason::OptedOut { at: until, evidence: "text of +14155550123".into() }];
        let made = entry(&Event::Made { verdict: Verdict { decision: Decision::Suppress, findings } });
        assert_eq!((made.title.text().as_str(), made.tone), ("The intent was made, and the gate says suppress", "quiet"));
        let marks: Vec<&str> = made.lines.iter().map(|line| line.mark).collect();
        assert_eq!(marks, ["pass", "hold", "stop"]);
        assert_eq!(made.lines.last().unwrap().text.text(), "The recipient opted out at 23 Nov 14:05:09 (text of +141••••0123)");
        let links: Vec<&str> = made.lines.iter().flat_map(|line| &line.text.bits).filter_map(|bit| bit.link.as_ref()).filter_map(|link| link.href.as_deref()).collect();
        assert_eq!(links, [format!("/messages/{message}")]);
    }

    #[test]
    fn an_unclear_attempt_says_so() {
        let unclear = entry(&Event::Settled { n: 1, outcome: Outcome::Ambiguous { cause: "no answer within 10s".into() }, next: Next::Unknown { ask_at: None } });
        assert_eq!((unclear.title.text().as_str(), unclear.tone), ("Attempt 1: nobody knows whether the vendor took it", "unsure"));
        let texts: Vec<String> = unclear.lines.iter().map(|line| line.text.text()).collect();
        assert_eq!(texts, ["No answer within 10s", "Not sent again: it waits for evidence"]);
    }

    #[test]
    fn each_way_is_told_with_why_it_was_chosen() {
        let pair = |account: &str, sender: &str| (account.to_owned(), sender.to_owned());
        let ((account, sender), (was, from)) = (pair("telnyx", "+14155550188"), pair("twilio", "+14155550123"));
        let chosen = |why| Reason::RouteChosen { route: "offers".into(), account: account.clone(), sender: sender.clone(), why };
        let failed_over = Why::FailedOver { account: was, sender: from, outcome: "connection refused".into() };
        let moved = entry(&Event::Routed { way: Way { account: account.clone(), sender: sender.clone() }, reason: chosen(failed_over) });
        assert_eq!(moved.title.text(), "It goes another way: account telnyx from +141••••0188");
        let told = "Through telnyx from +141••••0188 by offers: twilio from +141••••0123 certainly did not take it (connection refused), and this way is well";
        assert_eq!((moved.lines.first().unwrap().text.text().as_str(), moved.lines.first().unwrap().code), (told, "route_chosen"));
        let made = entry(&Event::Made { verdict: Verdict { decision: Decision::Send, findings: vec![chosen(Why::Home)] } });
        assert_eq!(made.lines.first().map(|line| line.mark), Some("pass"));
    }

    #[test]
    fn asking_and_deciding_are_told() {
        let at: Time = "2026-11-23T14:05:09Z".parse().unwrap();
        let again = MessageId::new(1, Time(1), [0; 16]);
        let taken = Finding::Taken { vendor_id: "SM1".into(), status: "delivered".into(), evidence: Some(Evidence::Delivered), vendor_code: String::new() };
        let not_taken = Finding::NotTaken { cause: "the look-up shows that the vendor did not take it".into(), next: Next::Fail };
        let ruled = |ruling, again| Event::Ruled { n: 1, ruling, by: "operator ada".into(), evidence: "not in the log of +14155550123".into(), again };
        for (event, title, tone, last) in [
            (
                Event::Asked { n: 1, how: Question::LookUp, again_at: at },
                "The vendor is asked whether it took attempt 1",
                "info",
                "Asked again at 23 Nov 14:05:09, should no answer come",
            ),
            (Event::Looked { n: 1, found: taken, next: None }, "Asked about attempt 1: the vendor took it", "good", "It proves that it arrived"),
            (Event::Looked { n: 1, found: not_taken, next: None }, "Asked about attempt 1: the vendor did not take it", "wait", "Not tried again"),
            (
                Event::Looked { n: 1, found: Finding::Nothing { cause: "the look-up shows no such text".into() }, next: Some(at) },
                "Asked about attempt 1: still nobody knows",
                "unsure",
                "Looked into again at 23 Nov 14:05:09",
            ),
            (
                Event::GivenUp { n: 1, resend: None },
                "Nobody is asked about attempt 1 any more",
                "unsure",
                "Not sent again: it stays unclear until a proof comes or somebody decides",
            ),
            (ruled(Ruling::Arrived, None), "operator ada decided that it arrived", "good", "Not in the log of +141••••0123"),
            (ruled(Ruling::LetGo, None), "operator ada let it go", "quiet", "Not in the log of +141••••0123"),
            (ruled(Ruling::SendAgain, Some(again)), "operator ada had it sent again", "info", &format!("The new text is {again}")),
        ] {
            let shown = entry(&event);
            assert_eq!((shown.title.text().as_str(), shown.tone), (title, tone));
            assert_eq!(shown.lines.last().unwrap().text.text(), last);
        }
    }

    #[test]
    fn steps_are_read_from_the_trail() {
        let run = Run {
            id: trunkline_core::id::RunId([1; 16]),
            journey: "welcome".into(),
            version: 2,
            profile: trunkline_core::id::ProfileId([2; 16]),
            correlation: "1042".into(),
            event: trunkline_core::id::EventId([3; 16]),
            position: trunkline_core::journey::Position::Ended { why: "reached 'done'".into() },
            started_at: Time(1),
            entry: None,
            rev: 1,
        };
        let body = json!({"trail": ["greet: send hello", 7], "position": {"status": "ended", "why": "reached 'done'"}});
        let step = moved(&run, &HistoryEntry { seq: 1, at: Time(1), fold: 1, body });
        let texts: Vec<String> = step.lines.iter().map(|line| line.text.text()).collect();
        assert_eq!(texts, ["Step greet: send hello", "Reached 'done'"]);
        assert_eq!(moved(&run, &HistoryEntry { seq: 2, at: Time(1), fold: 1, body: Value::Null }).lines.len(), 0);
    }

    #[test]
    fn entries_of_other_versions_are_shown_too_and_order_is_kept() {
        let strange = happened(&HistoryEntry { seq: 9, at: Time(5), fold: 7, body: json!({"kind": "teleported"}) }, &BTreeMap::new(), &Clocks::default());
        assert_eq!(strange.lines.first().unwrap().text.text(), "History entry 9 of fold version 7");
        let keys = |entries: Vec<Entry>| entries.into_iter().map(|e| e.key).collect::<Vec<String>>();
        let at = |key: &str, at| Entry::new(key.to_owned(), Time(at), "info", "");
        assert_eq!(keys(sorted(vec![at("b", 2), at("a", 1), at("c", 2)])), ["a", "b", "c"]);
    }
}
