//! Sends the fakes' hooks at their time and again while they are not answered, as the real senders do.
//!
//! Its own file because it is the sandbox's only loop, and the only place that waits. It opens no connection: how a
//! hook is posted is handed in. It keeps nothing over a restart.

use std::collections::BTreeMap;
use std::future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::sync::watch;
use trunkline_core::time::{Span, Time};

use super::Sandbox;
use crate::outgoing::OutgoingHook;

const AT_ONCE: usize = 64;
const MOST_TRIES: u32 = 8;
/// How long a sender waits for an answer, in real time.
const PATIENCE: Duration = Duration::from_secs(15);
/// The headers that sign a hook.
const SIGNATURES: [&str; 5] = ["X-Twilio-Signature", "telnyx-signature-ed25519", "x-sinch-webhook-signature", "X-Shopify-Hmac-Sha256", "shopify-hmac-sha256"];
/// How late, in business time, a hook is still sent as it was signed by a vendor that signs each try.
const FRESH: Span = Span::mins(1);
/// How long a sender waits before it tries again, in business time; the last one repeats.
static BACKOFF: [Span; 5] = [Span::secs(1), Span::secs(5), Span::secs(30), Span::mins(2), Span::mins(10)];

/// The status of the answer, or why there was none.
pub type Delivered<'a> = Pin<Box<dyn Future<Output = Result<u16, String>> + Send + 'a>>;

/// How a hook is posted.
pub trait Deliver: Send + Sync {
    /// Posts it once, to the end.
    fn post<'a>(&'a self, hook: &'a OutgoingHook) -> Delivered<'a>;
}

/// What became of the hooks so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HookCounts {
    /// Hooks handed over by the fakes.
    pub made: u64,
    /// Tries, whatever came of them.
    pub sent: u64,
    /// Tries answered with a 2xx.
    pub answered: u64,
    /// Tries not answered with a 2xx.
    pub unanswered: u64,
    /// Hooks that will not be tried again, though none of their tries was answered.
    pub given_up: u64,
    /// Forged hooks, each tried once; in none of the counts of answers above.
    pub forged: u64,
    /// Forged hooks that were answered with a 2xx, as if they were true.
    pub forged_taken: u64,
}

/// How long the answers to tries took, in real time: counts by length, each bucket a tenth longer than the last.
#[derive(Debug, Clone, Default)]
pub(super) struct Latencies(BTreeMap<u32, u64>);

impl Latencies {
    fn note(&mut self, length: Duration) {
        let ms = length.as_secs_f64() * 1_000.0;
        let bucket = (ms.max(0.01) / 0.01).ln() / 1.1_f64.ln();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the logarithm of a bounded, positive length")]
        let bucket = bucket.ceil() as u32;
        *self.0.entry(bucket).or_default() += 1;
    }

    /// The length that so many percent of the answers did not exceed, in milliseconds.
    pub(super) fn percentile(&self, percent: u64) -> f64 {
        let all: u64 = self.0.values().sum();
        let mut before = 0;
        for (bucket, count) in &self.0 {
            before += count;
            if before * 100 >= all * percent {
                return 0.01 * 1.1_f64.powf(f64::from(*bucket));
            }
        }
        0.0
    }
}

/// Who sends a hook: they differ in what they try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Tries again without an answer and after a 429 or 5xx.
    Vendor,
    /// Tries again at the same times, and signs the time of each try.
    Telnyx,
    /// Tries again after anything but a 2xx.
    Shop,
    /// Tries once, whatever the answer.
    Forger,
}

/// A hook and how often it was tried.
#[derive(Debug)]
pub(super) struct Waiting {
    hook: OutgoingHook,
    origin: Origin,
    tries: u32,
}

impl Waiting {
    /// The hook as it leaves now: of a vendor that signs each try, a later try, or one that was held back, is signed `again`.
    pub(super) fn leaving(mut self, now: Time, again: impl FnOnce(&OutgoingHook) -> OutgoingHook) -> Waiting {
        if self.origin == Origin::Telnyx && (self.tries > 0 || now.since(self.hook.at) > FRESH) {
            self.hook = again(&self.hook);
        }
        self
    }
}

/// The hooks that wait for their time.
#[derive(Debug, Default)]
pub(super) struct Queue {
    due: BTreeMap<(Time, u64), Waiting>,
    arrivals: u64,
    in_flight: usize,
    counts: HookCounts,
    latencies: Latencies,
}

impl Queue {
    /// A new hook, sent when it is due.
    pub(super) fn add(&mut self, origin: Origin, hook: OutgoingHook) {
        self.counts.made += 1;
        self.wait(hook.at, Waiting { hook, origin, tries: 0 });
    }

    /// The first hook that is due, which is in flight from now on.
    pub(super) fn take(&mut self, now: Time) -> Option<Waiting> {
        let first = self.due.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        self.in_flight += 1;
        self.counts.sent += 1;
        Some(first.remove())
    }

    /// A try has ended, after `took` of real time.
    pub(super) fn settle(&mut self, now: Time, mut waiting: Waiting, took: Duration, result: &Result<u16, String>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.latencies.note(took);
        waiting.tries += 1;
        let taken = matches!(result, Ok(200..=299));
        if waiting.origin == Origin::Forger {
            self.counts.forged += 1;
            self.counts.forged_taken += u64::from(taken);
            return;
        }
        if taken {
            self.counts.answered += 1;
            return;
        }
        self.counts.unanswered += 1;
        let again = match (result, waiting.origin) {
            (Err(_), _) | (Ok(_), Origin::Shop) => true,
            (Ok(status), Origin::Vendor | Origin::Telnyx) => matches!(status, 429 | 500..),
            (Ok(_), Origin::Forger) => false,
        };
        if again && waiting.tries < MOST_TRIES {
            let after = usize::try_from(waiting.tries - 1).ok().and_then(|at| BACKOFF.get(at)).or(BACKOFF.last());
            self.wait(now + after.copied().unwrap_or(Span::ZERO), waiting);
        } else {
            self.counts.given_up += 1;
            tracing::warn!(tries = waiting.tries, last = said(result), "the sandbox gave up on a hook");
        }
    }

    /// When the next hook is due.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// How many hooks are neither delivered nor given up.
    pub(super) fn pending(&self) -> usize {
        self.due.len() + self.in_flight
    }

    /// What became of the hooks so far.
    pub(super) fn counts(&self) -> HookCounts {
        self.counts
    }

    /// How long the answers took.
    pub(super) fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    fn wait(&mut self, at: Time, waiting: Waiting) {
        self.arrivals += 1;
        self.due.insert((at, self.arrivals), waiting);
    }
}

/// What a forger makes of a hook, in one of three ways: cut short, with more than was signed, or without a signature.
pub(super) fn forged(hook: &OutgoingHook, way: u64) -> OutgoingHook {
    let mut copy = hook.clone();
    match way {
        0 => copy.body = hook.body.slice(..hook.body.len() / 2),
        1 => copy.body = Bytes::from([hook.body.as_ref(), b"&Forged=1"].concat()),
        _ => copy.headers.retain(|(name, _)| !SIGNATURES.iter().any(|signature| name.eq_ignore_ascii_case(signature))),
    }
    copy
}

fn said(result: &Result<u16, String>) -> String {
    match result {
        Ok(status) => format!("HTTP {status}"),
        Err(why) => why.clone(),
    }
}

/// Delivers until told to stop.
pub(super) async fn run(sandbox: &Sandbox, mut shutdown: watch::Receiver<bool>) {
    let mut in_flight = FuturesUnordered::new();
    loop {
        while in_flight.len() < AT_ONCE {
            let Some(waiting) = sandbox.take_hook() else { break };
            in_flight.push(post(sandbox, waiting));
        }
        let nap = if in_flight.len() < AT_ONCE { sandbox.nap() } else { None };
        tokio::select! {
            () = stopped(&mut shutdown) => return,
            Some((waiting, took, result)) = in_flight.next() => sandbox.settle_hook(waiting, took, &result),
            // A hook added since we looked has left a permit behind: it is not missed.
            () = sandbox.woken() => {}
            () = rest(nap) => {}
        }
    }
}

async fn post(sandbox: &Sandbox, waiting: Waiting) -> (Waiting, Duration, Result<u16, String>) {
    let (deliver, began) = (sandbox.deliver(), sandbox.uptime());
    let result = match tokio::time::timeout(PATIENCE, deliver.post(&waiting.hook)).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {} seconds", PATIENCE.as_secs())),
    };
    (waiting, sandbox.uptime().since(began).std(), result)
}

async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // If nobody is left who could say stop, that is a stop too.
    drop(shutdown.wait_for(|stop| *stop).await);
}

async fn rest(nap: Option<Duration>) {
    match nap {
        Some(nap) => pause(nap).await,
        None => future::pending().await,
    }
}

/// Waits in real time.
#[expect(clippy::disallowed_methods, reason = "the sandbox is a program of its own: it waits where the real vendor would")]
pub(super) async fn pause(length: Duration) {
    if !length.is_zero() {
        tokio::time::sleep(length).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(at: Time) -> OutgoingHook {
        OutgoingHook { at, url: "http://t.example/hooks".into(), headers: Vec::new(), body: Bytes::new() }
    }

    /// Tries one hook with the same result again and again; when each try was made, and the counts.
    fn tried(origin: Origin, result: &Result<u16, String>) -> (Vec<i64>, HookCounts) {
        let mut queue = Queue::default();
        queue.add(origin, hook(Time(0)));
        let mut at = Vec::new();
        while let Some(now) = queue.next_at() {
            assert!(queue.take(now - Span::millis(1)).is_none());
            let waiting = queue.take(now).unwrap();
            assert_eq!(queue.pending(), 1);
            queue.settle(now, waiting, Duration::from_millis(3), result);
            at.push(now.0 / 1_000_000);
        }
        assert_eq!(queue.pending(), 0);
        (at, queue.counts())
    }

    #[test]
    fn an_answered_hook_is_done() {
        let (at, counts) = tried(Origin::Vendor, &Ok(204));
        assert_eq!((at, counts), (vec![0], HookCounts { made: 1, sent: 1, answered: 1, ..HookCounts::default() }));
    }

    #[test]
    fn an_unanswered_hook_is_tried_eight_times() {
        let expect = vec![0, 1, 6, 36, 156, 756, 1_356, 1_956];
        for result in [Err("refused".to_owned()), Ok(500), Ok(503), Ok(429)] {
            let (at, counts) = tried(Origin::Vendor, &result);
            assert_eq!((at, counts.given_up), (expect.clone(), 1));
        }
        assert_eq!(tried(Origin::Vendor, &Ok(401)).0, vec![0]);
        assert_eq!(tried(Origin::Shop, &Ok(401)).0, expect);
    }

    #[test]
    fn only_what_telnyx_sends_again_or_late_is_signed_again() {
        let late = Time(0) + Span::mins(5);
        for (origin, failed, now, expect) in [
            (Origin::Telnyx, false, Time(0), false),
            (Origin::Telnyx, false, late, true),
            (Origin::Telnyx, true, late, true),
            (Origin::Vendor, true, late, false),
            (Origin::Forger, false, late, false),
        ] {
            let mut queue = Queue::default();
            queue.add(origin, hook(Time(0)));
            if failed {
                let waiting = queue.take(now).unwrap();
                queue.settle(Time(0), waiting, Duration::from_millis(3), &Ok(503));
            }
            let waiting = queue.take(now).unwrap().leaving(now, |old| OutgoingHook { at: now, url: "signed again".into(), ..old.clone() });
            assert_eq!(waiting.hook.url == "signed again", expect, "{origin:?} {failed} {now:?}");
        }
    }

    #[test]
    fn a_forged_hook_is_tried_once() {
        for (result, taken) in [(Ok(403), 0), (Err("refused".to_owned()), 0), (Ok(503), 0), (Ok(204), 1)] {
            let (at, counts) = tried(Origin::Forger, &result);
            assert_eq!((at, counts), (vec![0], HookCounts { made: 1, sent: 1, forged: 1, forged_taken: taken, ..HookCounts::default() }));
        }
    }

    #[test]
    fn hooks_go_in_order_of_their_time() {
        let mut queue = Queue::default();
        for at in [3, 1, 2, 1] {
            queue.add(Origin::Shop, hook(Time(at)));
        }
        let order: Vec<i64> = std::iter::from_fn(|| queue.take(Time(10))).map(|waiting| waiting.hook.at.0).collect();
        assert_eq!((order, queue.pending(), queue.next_at()), (vec![1, 1, 2, 3], 4, None));
    }
}
