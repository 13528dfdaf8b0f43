//! Webhooks on their way: copied, late, replayed, cut short, forged; and what their senders are told.
//!
//! Apart from `act` because each of them has an answer that it must get: a true one is taken, now or later; one that is
//! too old, or not whole, or nobody's, is refused on record and changes nothing.

use bytes::Bytes;
use futures_util::FutureExt;
use trunkline_connectors::hook::RawHook;
use trunkline_core::time::{Span, Time};
use trunkline_engine::Stage;
use trunkline_engine::receive::Received;

use super::{Action, World};
use crate::carrier::Dialect;
use crate::fixtures;
use crate::outgoing::{Effect, OutgoingHook};

/// A vendor gives up on a hook after this many tries; nobody gives up while a node is being restarted.
const MOST_TRIES: u32 = 400;
/// How old a shop's hook may be.
const SHOP_PATIENCE: Span = Span::hours(48);

impl World {
    pub(super) fn effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let Effect::Hook(hook) = effect;
            self.send_hook(hook);
        }
    }

    /// A hook on its way: sometimes twice, sometimes days late, sometimes with a bad copy of itself.
    pub(super) fn send_hook(&mut self, hook: OutgoingHook) {
        if !self.closed {
            if self.happens(self.menu.copies_percent, 100) {
                let late = hook.at + self.seconds(600);
                let copy = if is_the_shops(&hook) { hook.clone() } else { self.vendor.again(hook.clone(), late) };
                self.at(late, Action::Hook { hook: copy, tries: 0 });
            }
            if self.happens(self.menu.cut_permille, 1_000) {
                self.at(hook.at, Action::Cut(hook.clone()));
            }
            if self.happens(self.menu.replays_permille, 1_000) {
                let at = self.too_late(&hook);
                self.at(at, Action::Replay(hook.clone()));
            }
            // What is days late and then lost is in no list that anybody reads.
            if !self.lost.forgets && self.happens(self.menu.late_permille, 1_000) {
                let at = hook.at + Span::hours(24) + self.seconds(48 * 3_600);
                self.at(at, Action::Hook { hook, tries: 0 });
                return;
            }
        }
        let at = hook.at + self.seconds(2);
        self.at(at, Action::Hook { hook, tries: 0 });
    }

    /// When a hook that is sent again as it was is too old, where its sender signs a time; else any later time.
    fn too_late(&mut self, hook: &OutgoingHook) -> Time {
        let (least, more) = match self.dialect {
            _ if is_the_shops(hook) => (Span::hours(49), 20 * 3_600),
            Dialect::Twilio | Dialect::Telnyx => (Span::mins(10), 48 * 3_600),
            Dialect::Sinch => (Span::hours(25), 24 * 3_600),
        };
        hook.at + least + self.seconds(more)
    }

    /// Whether the receiver must refuse it for its age.
    fn is_stale(&self, hook: &OutgoingHook) -> bool {
        let now = self.now();
        if !is_the_shops(hook) {
            return self.vendor.is_stale(hook, now);
        }
        let triggered = hook.header("X-Shopify-Triggered-At").or_else(|| hook.header("shopify-triggered-at"));
        triggered.and_then(|at| at.parse::<Time>().ok()).is_some_and(|at| at < now - SHOP_PATIENCE)
    }

    pub(super) fn hook(&mut self, hook: OutgoingHook, tries: u32) {
        let now = self.now();
        // Whoever sends late signs late, where the time is signed anew.
        let hook = if !is_the_shops(&hook) && now.since(hook.at) > Span::mins(1) { self.vendor.again(hook, now) } else { hook };
        let stale = self.is_stale(&hook);
        let (name, raw) = raw(&hook);
        let filed = self.watch.seen().filed;
        let received = self.node.as_ref().map(|node| node.receive(&name, raw).now_or_never());
        // What came of it may be all that anybody knows of a gap.
        self.look(Stage::Gaps, now);
        match received {
            Some(Some(Received::Accepted(_))) if stale => self.broken("I7", format!("a hook to {name} that was too old was taken")),
            Some(Some(Received::Accepted(_))) => {
                self.tell(format!("hook to {name} is acknowledged"));
                self.acknowledge(&hook);
            }
            Some(Some(Received::Refused)) if stale => {
                self.refused += 1;
                self.tell(format!("hook to {name} is too old, and refused"));
            }
            Some(Some(Received::Refused | Received::Unknown)) => self.broken("I7", format!("a true hook to {name} was refused")),
            other => {
                if matches!(other, Some(None)) {
                    self.crash("while it files a hook");
                }
                if self.watch.seen().filed > filed {
                    // It is on disk, though nobody was told so.
                    self.acknowledge(&hook);
                }
                if self.lost.forgets && !is_the_shops(&hook) {
                    self.lose(&hook);
                } else if tries < MOST_TRIES {
                    let again = self.now() + Span::secs(1 << tries.min(7)) + self.seconds(2);
                    let hook = if is_the_shops(&hook) { hook } else { self.vendor.again(hook, again) };
                    self.at(again, Action::Hook { hook, tries: tries + 1 });
                }
            }
        }
    }

    /// A hook once more as it was: refused if it is too old by then, and else a copy.
    pub(super) fn replay(&mut self, hook: OutgoingHook) {
        if self.is_stale(&hook) {
            self.must_refuse(&hook, "a hook that was replayed too late");
        } else {
            self.hook(hook, MOST_TRIES);
        }
    }

    /// The first half of a hook.
    pub(super) fn cut(&mut self, mut hook: OutgoingHook) {
        let half = hook.body.len() / 2;
        hook.body.truncate(half);
        self.must_refuse(&hook, "a hook that was cut short");
    }

    /// A hook that nobody signed.
    pub(super) fn forge(&mut self) {
        let sent_at = self.now().0.div_euclid(1_000_000).to_string();
        let (headers, body): (Vec<(&str, &str)>, &'static str) = match self.dialect {
            Dialect::Twilio => (
                vec![("X-Twilio-Signature", "bm90IGEgc2lnbmF0dXJl"), ("Content-Type", "application/x-www-form-urlencoded")],
                "MessageSid=SM0000000000000000000000000000beef&MessageStatus=delivered&From=%2B14155550000&To=%2B15005550006&Body=STOP",
            ),
            Dialect::Telnyx => (
                vec![("telnyx-signature-ed25519", "bm90IGEgc2lnbmF0dXJl"), ("telnyx-timestamp", &sent_at)],
                r#"{"data":{"event_type":"message.received","id":"beef","payload":{"from":{"phone_number":"+14155550000"},"to":[{"phone_number":"+15005550006"}],"text":"STOP"}}}"#,
            ),
            Dialect::Sinch => (
                vec![("x-sinch-webhook-signature", "bm90IGEgc2lnbmF0dXJl"), ("x-sinch-webhook-signature-nonce", "beef"), ("x-sinch-webhook-signature-timestamp", &sent_at)],
                r#"{"type":"mo_text","id":"beef","from":"14155550000","to":"15005550006","body":"STOP"}"#,
            ),
        };
        let hook = OutgoingHook {
            at: self.now(),
            url: format!("{}/hooks/{}", fixtures::PUBLIC_URL, self.dialect.name()),
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: Bytes::from_static(body.as_bytes()),
        };
        self.must_refuse(&hook, "a forged hook");
    }

    /// It must be refused, on record, and change nothing.
    fn must_refuse(&mut self, hook: &OutgoingHook, what: &str) {
        let before = self.watch.seen().changes;
        let (name, raw) = raw(hook);
        match self.node.as_ref().map(|node| node.receive(&name, raw).now_or_never()) {
            None => return,
            Some(None) => self.crash("while it refuses a hook"),
            Some(Some(Received::Refused)) => {
                self.refused += 1;
                self.tell(format!("{what} is refused"));
            }
            Some(Some(Received::Unavailable)) if self.watch.take_refused() || self.is_pressed() => self.tell(format!("turned away: {what}")),
            Some(Some(other)) => self.broken("I7", format!("{what} was answered with {other:?}")),
        }
        if self.watch.seen().changes != before {
            self.broken("I7", format!("{what} changed something"));
        }
    }
}

fn is_the_shops(hook: &OutgoingHook) -> bool {
    hook.url.ends_with("/shopify")
}

fn raw(hook: &OutgoingHook) -> (String, RawHook) {
    let name = hook.url.rsplit("/hooks/").next().unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
    (name, RawHook { method: "POST".to_owned(), url: hook.url.clone(), headers: hook.headers.clone(), body: hook.body.clone() })
}
