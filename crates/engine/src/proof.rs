//! The proof for one number: when, how and by whom consent was given and withdrawn, and what was sent between.
//!
//! Its own file because it is read by people who were not there: a lawyer, a regulator, the person herself. It joins the
//! ledger with the texts in the order of time, and says for each text what consent was, both as we knew it and as it turned
//! out to be. It reads; nothing is judged anew that the gate decided.

use serde::Serialize;
use trunkline_core::consent::{ConsentEntry, ConsentState, Knowledge, Standing, at};
use trunkline_core::id::{AddressId, MessageId};
use trunkline_core::message::Event;
use trunkline_core::purpose::Purpose;
use trunkline_core::time::{Span, Time};
use trunkline_store::StoreError;
use trunkline_store::row::{Address, Message, MessageFilter, Place};

use crate::Engine;
use crate::explain::because;

/// How many texts are read at once.
const PAGE: usize = 500;

/// The proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The address.
    pub address: AddressId,
    /// The number, masked unless it was asked for in full.
    pub number: String,
    /// When this was put together.
    pub made_at: Time,
    /// When everything about the person was erased, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Time>,
    /// What is in force now, one sentence each.
    pub in_force: Vec<String>,
    /// What may be sent now, by program and purpose.
    pub standings: Vec<Stands>,
    /// Everything that happened, in the order of time.
    pub items: Vec<Item>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Item {
    /// Consent changed.
    Entry(EntryItem),
    /// A text was made.
    Text(TextItem),
}

/// An entry of the ledger, and what it made of consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryItem {
    /// When it happened.
    pub occurred_at: Time,
    /// When it was recorded: its place among the items.
    pub recorded_at: Time,
    /// What it does.
    pub act: String,
    /// The program; absent means all.
    pub program: Option<String>,
    /// The purpose; absent means all.
    pub purpose: Option<String>,
    /// What it is about.
    pub channel: String,
    /// On what ground.
    pub basis: Option<String>,
    /// How it came about.
    pub source: Option<String>,
    /// Whose law it falls under.
    pub jurisdiction: Option<String>,
    /// The account and sender that it concerns.
    pub through: Option<String>,
    /// The import that brought it.
    pub import: Option<String>,
    /// What proves it.
    pub evidence: String,
    /// Who recorded it.
    pub actor: String,
    /// What is in force after it.
    pub after: Vec<String>,
}

/// A text, and what consent was when it left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextItem {
    /// The text.
    pub id: MessageId,
    /// When its first attempt was made; when it was made, if there was none.
    pub at: Time,
    /// Whether it may have left.
    pub left: bool,
    /// Why it was sent.
    pub purpose: String,
    /// What the recipient signed up for.
    pub program: String,
    /// Where it came from.
    pub sender: String,
    /// Its delivery state.
    pub delivery: String,
    /// Why it is in this state.
    pub because: String,
    /// What it says; the digits of codes are hidden.
    pub body: String,
    /// An answer to a keyword, which is free of consent.
    pub exempt: bool,
    /// By what had been recorded until then.
    pub as_known: Stands,
    /// By what had happened until then, whenever it was recorded.
    pub as_happened: Stands,
    /// What the gate found when it left.
    pub gate: Vec<String>,
}

/// Whether consent permits a kind of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stands {
    /// The program.
    pub program: String,
    /// The purpose.
    pub purpose: String,
    /// Whether it does.
    pub permitted: bool,
    /// Why, one sentence each.
    pub why: Vec<String>,
}

/// Hides the number wherever a text repeats it.
struct Veil(Option<(String, String)>);

impl Veil {
    fn over(&self, text: &str) -> String {
        match &self.0 {
            Some((number, masked)) => text.replace(number.as_str(), masked),
            None => text.to_owned(),
        }
    }

    fn stands(&self, standing: &Standing) -> Stands {
        Stands {
            program: standing.program.clone(),
            purpose: standing.purpose.word().to_owned(),
            permitted: standing.permitted,
            why: standing.findings.iter().map(|f| self.over(&f.to_string())).collect(),
        }
    }
}

impl Engine {
    /// Puts the proof of an address together; nothing if nothing is known of it. The number is masked unless `reveal`, and
    /// whoever reveals it notes that in the audit.
    pub async fn proof(&self, id: AddressId, reveal: bool) -> Result<Option<Proof>, StoreError> {
        let Some(address) = self.store.addresses(&[id]).await?.pop() else { return Ok(None) };
        let now = self.clock.now();
        let ledger = self.store.ledger(id).await?;
        let veil = match &address.place {
            Place::Sms(number) if !reveal => Veil(Some((number.e164().to_owned(), number.masked()))),
            Place::Sms(_) | Place::NotANumber { .. } | Place::Nowhere | Place::Erased => Veil(None),
        };
        let mut items = Vec::new();
        let mut state = ConsentState::default();
        for entry in &ledger {
            state.apply(entry);
            items.push((entry.recorded_at, Item::Entry(entry_item(entry, &state, &veil))));
        }
        let mut before = None;
        loop {
            let page = self.store.messages_matching(&MessageFilter { before, ..MessageFilter::of_address(id) }, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            for message in &page {
                let item = self.text_item(message, &ledger, &veil).await?;
                items.push((item.at, Item::Text(item)));
            }
        }
        // Entries come first among what happened at once: they are pushed first, and the order is kept.
        items.sort_by_key(|(at, _)| *at);
        Ok(Some(Proof {
            address: id,
            number: shown(&address, reveal),
            made_at: now,
            erased_at: address.consent.erased,
            in_force: address.consent.in_force().iter().map(|line| veil.over(line)).collect(),
            standings: self.standings(&address.consent, now).iter().map(|s| veil.stands(s)).collect(),
            items: items.into_iter().map(|(_, item)| item).collect(),
        }))
    }

    async fn text_item(&self, message: &Message, ledger: &[ConsentEntry], veil: &Veil) -> Result<TextItem, StoreError> {
        let intent = &message.intent;
        let left_at = message.state.attempts.first().map(|a| a.claimed_at);
        let when = left_at.unwrap_or(intent.created_at);
        let mut gate = Vec::new();
        for entry in self.store.history(&message.id.bytes()).await? {
            if let Ok(Event::Made { verdict } | Event::Gated { verdict } | Event::Claimed { verdict, .. }) = serde_json::from_value(entry.body)
                && entry.at <= when
            {
                gate = verdict.findings.iter().map(|f| veil.over(&f.to_string())).collect();
            }
        }
        let policy = self.definitions.policy_of(intent.purpose, &intent.program);
        let stood = |by| {
            // What was recorded in the same microsecond was not there when this was decided.
            let consent = at(ledger, when - Span(1), by);
            veil.stands(&consent.standing(&policy, (intent.program.as_str(), intent.purpose), (intent.account.as_str(), intent.sender.as_str()), when))
        };
        Ok(TextItem {
            id: message.id,
            at: when,
            left: left_at.is_some(),
            purpose: intent.purpose.word().to_owned(),
            program: intent.program.clone(),
            sender: intent.sender.clone(),
            delivery: message.state.delivery().word().to_owned(),
            because: veil.over(&because(message)),
            body: veil.over(&if intent.purpose == Purpose::Otp { without_code(&intent.body) } else { intent.body.clone() }),
            exempt: intent.origin.exempt(),
            as_known: stood(Knowledge::Recorded),
            as_happened: stood(Knowledge::Occurred),
            gate,
        })
    }
}

/// One-time codes prove nothing, and open something as long as they live.
fn without_code(body: &str) -> String {
    body.chars().map(|c| if c.is_numeric() { '•' } else { c }).collect()
}

fn shown(address: &Address, reveal: bool) -> String {
    match &address.place {
        Place::Sms(number) if reveal => number.e164().to_owned(),
        place @ (Place::Sms(_) | Place::NotANumber { .. } | Place::Nowhere | Place::Erased) => place.masked(),
    }
}

fn entry_item(entry: &ConsentEntry, after: &ConsentState, veil: &Veil) -> EntryItem {
    let terms = &entry.terms;
    let through = entry.account.iter().chain(&entry.sender).cloned().collect::<Vec<_>>().join(" ");
    EntryItem {
        occurred_at: entry.occurred_at,
        recorded_at: entry.recorded_at,
        act: entry.act.word().to_owned(),
        program: entry.program.clone(),
        purpose: entry.purpose.map(|p| p.word().to_owned()),
        channel: terms.channel.word().to_owned(),
        basis: terms.basis.map(|b| b.word().to_owned()),
        source: terms.source.map(|s| s.word().to_owned()),
        jurisdiction: terms.jurisdiction.clone(),
        through: Some(through).filter(|t| !t.is_empty()),
        import: terms.import.clone(),
        evidence: veil.over(&entry.evidence),
        actor: veil.over(&entry.actor),
        after: after.in_force().iter().map(|line| veil.over(line)).collect(),
    }
}
