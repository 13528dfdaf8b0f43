//! Texts from people: keywords, the conversation, and what they cancel.
//!
//! Its own file because a STOP must take effect in one commit: ledger entry, cancelled texts, flag and confirmation
//! together, under the address's version, so that no claim slips in between.

use trunkline_connectors::sms::{Item, ProviderEvent};
use trunkline_core::consent::{ConsentAct, ConsentEntry, Source, Terms, overtaken};
use trunkline_core::gate::Verdict;
use trunkline_core::id::{InboundId, MessageId, hash16};
use trunkline_core::keyword::Keyword;
use trunkline_core::message;
use trunkline_core::owe::Owe;
use trunkline_core::purpose::Purpose;
use trunkline_core::reason::Reason;
use trunkline_core::time::{Span, Time};
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Address, AddressNews, Hook, HookState, Inbound, Intent, Message, Origin};
use trunkline_store::{Command, StoreError, Unit};

use super::bury;
use super::understood::Understood;
use crate::compose::{Composed, Wish};
use crate::definitions::{OptOutReply, Sender};
use crate::{Engine, Stage};

/// A confirmation that cannot leave within this time is not sent at all.
const CONFIRM_WITHIN: Span = Span::mins(5);
/// How soon somebody should look at an answer.
const LOOK_WITHIN: Span = Span::hours(4);
/// How soon somebody should look at what may be a revocation: the law gives days, she does not.
const REVIEW_WITHIN: Span = Span::hours(1);
/// How often one text is tried against a moving address before the tick gives up and comes back.
const RELOADS: usize = 8;

impl Engine {
    pub(super) async fn take_inbound(&self, hooks: &[Hook], now: Time) -> Result<(), StoreError> {
        for hook in hooks {
            // One by one: each may change the address that the next one is about.
            for _ in 0..RELOADS {
                let unit = self.inbound(hook, now).await?;
                match self.commit(now, unit).await {
                    Ok(_) => break,
                    Err(StoreError::Conflict { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.wake(&[Stage::Dispatch, Stage::Gaps, Stage::Writebacks, Stage::Announcements]);
        Ok(())
    }

    async fn inbound(&self, hook: &Hook, now: Time) -> Result<Unit, StoreError> {
        let items = match self.items(hook) {
            Ok((_, items)) => items,
            Err(why) => return Ok(bury(hook, &why)),
        };
        let Some(Item { at, event: ProviderEvent::Inbound { vendor_id, from, to, body, keyword: hint }, .. }) = items.into_iter().next() else {
            return Ok(bury(hook, "not an inbound text"));
        };
        let fresh = self.address_of(Some(&from), None, "");
        let known = self.store.addresses(&[fresh.id]).await?.pop();
        let address = known.clone().unwrap_or_else(|| fresh.clone());
        let waiting = self.store.waiting_for_address(address.id).await?;
        let answered = self.store.last_left(address.id, &to).await?;
        let mut understood = self.understand(&address, &body, hint).await?;
        let keyword = understood.keyword;
        let inbound = Inbound {
            id: InboundId::of(&hook.name, &vendor_id, address.id),
            address: address.id,
            account: hook.name.clone(),
            sender: to,
            body: body.chars().take(4_096).collect(),
            keyword,
            answers: answered.as_ref().map(|m| m.id),
            // Found in a list, or delivered late: it counts from when it was sent.
            received_at: at.map_or(hook.received_at, |at| at.min(hook.received_at)),
            hook: hook.id,
        };
        understood.overtaken = keyword == Some(Keyword::Start) && known.is_some() && overtaken(&self.store.ledger(address.id).await?, inbound.received_at);
        let note = format!("inbound text {}{}", inbound.id, if understood.overtaken { ", older than a STOP: it lifts nothing" } else { "" });
        let mut commands = Vec::new();
        if known.is_none() {
            commands.push(Command::PutAddress(Box::new(fresh)));
        }
        // A vendor that heard a STOP too refuses everything from now on.
        let scoped = keyword == Some(Keyword::Stop) && hint.is_none();
        let named = if scoped { self.named(&address, &inbound.body, &waiting).await? } else { Vec::new() };
        if named.is_empty() {
            commands.push(self.news(&address, inbound, understood, &waiting, answered.as_ref(), now));
        } else {
            commands.extend(self.end_named(&address, inbound, &named, &waiting, answered.as_ref(), now));
        }
        commands.push(Command::MoveHook(hook.id, HookState::Done, note));
        Ok(Unit(commands))
    }

    fn news(&self, address: &Address, inbound: Inbound, understood: Understood, waiting: &[Message], answered: Option<&Message>, now: Time) -> Command {
        let mut entries = Vec::new();
        let mut messages: Vec<MessageChange> = Vec::new();
        let mut owes = Vec::new();
        let stop = inbound.keyword == Some(Keyword::Stop);
        let act = match inbound.keyword {
            Some(Keyword::Stop) => Some(ConsentAct::Stop),
            Some(Keyword::Start) if !understood.overtaken => Some(ConsentAct::Start),
            Some(Keyword::Start | Keyword::Help) | None => None,
        };
        entries.extend(act.map(|act| entry(act, &inbound, now)));
        // What opts in, YES in whatever language she uses among it, is also the second half of a double opt-in.
        if act == Some(ConsentAct::Start) && self.definitions.confirms() && address.consent.awaits_confirmation() {
            entries.push(entry(ConsentAct::Confirm, &inbound, now));
        }
        let mut after = address.clone();
        for entry in &mut entries {
            entry.evidence = format!("{}: {}", entry.evidence, understood.how);
            after.consent.apply(entry);
        }
        if stop {
            let by = format!("{} ({}: {})", inbound.id, inbound.body.trim(), understood.how);
            let cancel = |m: &&Message| m.state.claimable() && !m.intent.origin.exempt();
            for message in waiting.iter().filter(cancel) {
                let event = message::Event::Canceled { reason: Reason::CanceledBy { by: by.clone() } };
                messages.extend(self.change(message, event, None, &after, now));
            }
        }
        if let Some(message) = answered {
            let event = message::Event::Replied { inbound: inbound.id, stop, how: Some(understood.how) };
            messages.extend(self.change(message, event, None, &after, now));
        }
        if !understood.overtaken {
            messages.extend(self.answer(&inbound, address, &after, now));
        }
        if after.consent != address.consent {
            owes.extend(self.owed_for_address(&after));
        }
        if inbound.keyword.is_none() {
            let (code, within, detail) = if understood.review {
                ("revocation", REVIEW_WITHIN, "a customer may want no more texts, in words that are no keyword; read them, and revoke her consent or close")
            } else {
                ("reply", LOOK_WITHIN, "a customer answered; read the conversation and answer or close")
            };
            owes.push(Owe::Case { code: code.to_owned(), address: address.id, message: inbound.answers, detail: detail.to_owned(), due: now + within });
        }
        let news = Box::new(AddressNews { entries, inbound: Some(inbound) });
        Command::News { address: address.id, guard_version: address.guard_version, news, messages, owes }
    }

    /// Our own answer to a keyword, where the sender's configuration says that we answer. One for each opt-out: a
    /// second STOP gets none.
    fn answer(&self, inbound: &Inbound, before: &Address, after: &Address, now: Time) -> Option<MessageChange> {
        let sender = self.definitions.sender(&inbound.account, &inbound.sender).filter(|s| s.opt_out_reply == OptOutReply::Ours)?;
        let (key, program) = self.definitions.programs.first_key_value()?;
        let (text, origin) = match inbound.keyword? {
            Keyword::Stop if before.consent.stopped.is_none() => (&program.stop_reply, Origin::Confirmation { inbound: inbound.id }),
            Keyword::Start if before.consent.stopped.is_some() => (&program.start_reply, Origin::Confirmation { inbound: inbound.id }),
            Keyword::Help => (&program.help_reply, Origin::Help { inbound: inbound.id }),
            Keyword::Stop | Keyword::Start => return None,
        };
        let composed = self.compose(text.replace("{program}", &program.name), (&sender.account, &sender.number), Wish { template: None, program: key, asked: None });
        let intent = keyword_intent(sender, key, composed, origin, inbound, now);
        let id = MessageId::new(after.id.part(), inbound.received_at, hash16(&[b"answer", &inbound.id.0]));
        let verdict: Verdict = self.ask_gate(id, &intent, after, None, &[], now);
        self.make(id, intent, message::Event::Made { verdict }, after, now).ok()
    }
}

fn keyword_intent(sender: &Sender, key: &str, composed: Composed, origin: Origin, inbound: &Inbound, now: Time) -> Intent {
    Intent {
        address: inbound.address,
        profile: None,
        event: None,
        origin,
        purpose: Purpose::Service,
        program: key.to_owned(),
        account: sender.account.clone(),
        sender: sender.number.clone(),
        size: composed.size,
        body: composed.body,
        written: composed.written,
        template: None,
        deadline: inbound.received_at + CONFIRM_WITHIN,
        created_at: now,
        labels: std::collections::BTreeMap::new(),
    }
}

fn entry(act: ConsentAct, inbound: &Inbound, now: Time) -> ConsentEntry {
    ConsentEntry {
        act,
        program: None,
        purpose: None,
        account: Some(inbound.account.clone()),
        sender: Some(inbound.sender.clone()),
        evidence: format!("{} texted '{}', {}", inbound.id, inbound.body.trim().chars().take(40).collect::<String>(), inbound.hook),
        actor: "inbound".to_owned(),
        occurred_at: inbound.received_at,
        recorded_at: now,
        terms: Terms::from_source(Source::Keyword),
    }
}
