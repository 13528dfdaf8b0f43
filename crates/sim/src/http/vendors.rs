//! The three vendors of a sandbox, side by side, as one: whoever looks at a phone does not see which of them texted it.
//!
//! Its own file because it alone knows that there are several. Each keeps its own records, and what is kept here is only
//! the order in which they sent: as stretches of one vendor's texts, so that a sandbox with one vendor has one stretch.

use std::borrow::Cow;

use rand_core::RngCore;
use trunkline_connectors::http::Request;
use trunkline_core::time::Time;

use super::Credentials;
use crate::carrier::{Dialect, SIGNING_SEED};
use crate::faults::Faults;
use crate::outgoing::{Answer, Called, Choice, Effect, OutgoingHook, PersonText, PhoneText};
use crate::sinch::{SinchFake, SinchSettings};
use crate::telnyx::{TelnyxFake, TelnyxSettings};
use crate::vendor::{Vendor, VendorSettings};

/// All vendors.
pub(super) struct Vendors {
    twilio: Vendor,
    telnyx: TelnyxFake,
    sinch: SinchFake,
    runs: Vec<Run>,
}

/// Texts that one vendor sent with none of another's between them, by their places in its own record.
struct Run {
    dialect: Dialect,
    from: usize,
    to: usize,
}

impl Vendors {
    /// Accounts in which nothing has happened yet; `base` is whom they call.
    pub(super) fn new(credentials: &Credentials, base: &str) -> Vendors {
        let announced_at = |url: &str| credentials.senders.iter().map(|sender| (sender.clone(), url.to_owned())).collect();
        let twilio = VendorSettings {
            account_sid: credentials.account_sid.clone(),
            auth_token: credentials.auth_token.clone(),
            inbound_urls: announced_at(&credentials.inbound_url),
            messaging_service: credentials.messaging_service.clone(),
            answers_stop: true,
        };
        let telnyx = TelnyxSettings {
            api_key: credentials.auth_token.clone(),
            signing_seed: SIGNING_SEED,
            inbound_urls: announced_at(&format!("{base}/hooks/telnyx")),
            messaging_profile_id: Some(credentials.account_sid.clone()),
            answers_stop: true,
        };
        let sinch = SinchSettings {
            service_plan_id: credentials.account_sid.clone(),
            api_token: credentials.auth_token.clone(),
            hook_secret: credentials.auth_token.clone(),
            inbound_urls: announced_at(&format!("{base}/hooks/sinch")),
        };
        Vendors { twilio: Vendor::new(twilio), telnyx: TelnyxFake::new(telnyx), sinch: SinchFake::new(sinch), runs: Vec::new() }
    }

    /// The key that Telnyx's hooks are verified with, in base64.
    pub(super) fn telnyx_public_key(&self) -> String {
        self.telnyx.public_key()
    }

    /// Answers one call to the API of one of them.
    pub(super) fn call(&mut self, dialect: Dialect, now: Time, request: &Request, faults: &Faults, rng: &mut dyn RngCore) -> Called {
        let before = self.sent_by(dialect).len();
        let called = match dialect {
            Dialect::Twilio => self.twilio.call(now, request, faults, rng),
            Dialect::Telnyx => self.telnyx.call(now, request, faults, rng),
            Dialect::Sinch => self.sinch.call(now, request, faults, rng),
        };
        self.note(dialect, before);
        called
    }

    /// A person texts one of our senders, as an answer to whoever texted that phone last; and which vendor carries it.
    pub(super) fn reply(&mut self, now: Time, phone: &str, sender: &str, body: &str, rng: &mut dyn RngCore) -> (Dialect, Vec<Effect>) {
        let dialect = self.last_to_text(phone, sender);
        let before = self.sent_by(dialect).len();
        let effects = match dialect {
            Dialect::Twilio => self.twilio.reply(now, phone, sender, body, rng),
            Dialect::Telnyx => self.telnyx.reply(now, phone, sender, body, rng),
            Dialect::Sinch => self.sinch.reply(now, phone, sender, body, rng),
        };
        self.note(dialect, before);
        (dialect, effects)
    }

    /// Sends the scheduled texts whose time has come; what follows from it. Only Twilio schedules.
    pub(super) fn due(&mut self, now: Time, faults: &Faults, rng: &mut dyn RngCore) -> Vec<Effect> {
        let before = self.sent_by(Dialect::Twilio).len();
        let effects = self.twilio.due(now, faults, rng);
        self.note(Dialect::Twilio, before);
        effects
    }

    /// When the next scheduled text leaves, if there is one.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.twilio.next_due()
    }

    /// One of Telnyx's hooks as it is sent the next time.
    pub(super) fn again(&self, hook: &OutgoingHook, at: Time) -> OutgoingHook {
        self.telnyx.again(hook, at)
    }

    /// Every text that reached, or is about to reach, a phone: in the order in which they were sent.
    pub(super) fn texts(&self) -> impl DoubleEndedIterator<Item = &PhoneText> {
        self.runs.iter().flat_map(move |run| self.stretch(run))
    }

    /// How many texts that is.
    pub(super) fn texts_count(&self) -> usize {
        self.twilio.texts().len() + self.telnyx.texts().len() + self.sinch.texts().len()
    }

    /// How many calls they took.
    pub(super) fn accepted_count(&self) -> usize {
        self.twilio.accepted().len() + self.telnyx.accepted().len() + self.sinch.accepted().len()
    }

    /// Every text that a person sent.
    pub(super) fn replies(&self) -> Cow<'_, [PersonText]> {
        merged([self.twilio.replies(), self.telnyx.replies(), self.sinch.replies()], |reply: &PersonText| reply.at)
    }

    /// Every STOP.
    pub(super) fn opt_outs(&self) -> Cow<'_, [Choice]> {
        merged([self.twilio.opt_outs(), self.telnyx.opt_outs(), self.sinch.opt_outs()], |choice: &Choice| choice.at)
    }

    /// Every START.
    pub(super) fn opt_ins(&self) -> Cow<'_, [Choice]> {
        merged([self.twilio.opt_ins(), self.telnyx.opt_ins(), self.sinch.opt_ins()], |choice: &Choice| choice.at)
    }

    fn sent_by(&self, dialect: Dialect) -> &[PhoneText] {
        match dialect {
            Dialect::Twilio => self.twilio.texts(),
            Dialect::Telnyx => self.telnyx.texts(),
            Dialect::Sinch => self.sinch.texts(),
        }
    }

    fn stretch(&self, run: &Run) -> &[PhoneText] {
        self.sent_by(run.dialect).get(run.from..run.to).unwrap_or_default()
    }

    /// Notes what a vendor has sent since it had sent so many.
    fn note(&mut self, dialect: Dialect, before: usize) {
        let after = self.sent_by(dialect).len();
        if after == before {
            return;
        }
        match self.runs.last_mut() {
            Some(run) if run.dialect == dialect => run.to = after,
            _ => self.runs.push(Run { dialect, from: before, to: after }),
        }
    }

    /// Whose text from this sender the phone got last; Twilio's if it got none.
    fn last_to_text(&self, phone: &str, sender: &str) -> Dialect {
        // Nobody searches a hundred thousand texts for what can only be Twilio's.
        if self.telnyx.texts().is_empty() && self.sinch.texts().is_empty() {
            return Dialect::Twilio;
        }
        let got = |run: &&Run| self.stretch(run).iter().any(|text| text.phone == phone && text.sender == sender);
        self.runs.iter().rev().find(got).map_or(Dialect::Twilio, |run| run.dialect)
    }
}

/// The records of all vendors by time; those of Twilio as they are while the others have none.
fn merged<T: Clone>(all: [&[T]; 3], at: fn(&T) -> Time) -> Cow<'_, [T]> {
    let [twilio, telnyx, sinch] = all;
    if telnyx.is_empty() && sinch.is_empty() {
        return Cow::Borrowed(twilio);
    }
    let mut records: Vec<T> = twilio.iter().chain(telnyx).chain(sinch).cloned().collect();
    records.sort_by_key(at);
    Cow::Owned(records)
}

/// What a vendor answers to a call that comes too early.
pub(super) fn throttled(dialect: Dialect) -> Answer {
    match dialect {
        Dialect::Twilio => crate::vendor::throttled(),
        Dialect::Telnyx => crate::telnyx::throttled(),
        Dialect::Sinch => crate::sinch::throttled(),
    }
}
