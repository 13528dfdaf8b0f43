//! Whether an account is called at all: not while most calls to it fail, then a few to see, then all again.
//!
//! Its own file because it is a state machine with a clock and nothing else. What counts as a failure is said in `health`;
//! keeping the state and holding back what waits is the engine's.

use serde::{Deserialize, Serialize};

use crate::time::{Span, Time};

/// When it opens and how it closes again, as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// It opens when so many of a hundred calls fail,
    pub percent: u32,
    /// of at least so many,
    pub minimum: u32,
    /// within this time.
    pub window: Span,
    /// How long it stays open at first; it doubles with each time that looking was in vain.
    pub cool_down: Span,
    /// The longest that it stays open before somebody looks.
    pub cool_down_max: Span,
    /// How many calls must go well before all are made again.
    pub probes: u32,
    /// How long the account must have been well before recipients whose route leads there come back to it.
    pub return_after: Span,
}

impl Default for Rule {
    fn default() -> Rule {
        Rule { percent: 50, minimum: 30, window: Span::mins(1), cool_down: Span::secs(15), cool_down_max: Span::mins(2), probes: 3, return_after: Span::mins(5) }
    }
}

/// What came of some calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// The vendor answered, whatever it said.
    pub good: u32,
    /// It did not.
    pub bad: u32,
    /// The call says nothing about the vendor.
    pub neutral: u32,
}

/// Calls within one part of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// When the part begins.
    at: Time,
    good: u32,
    bad: u32,
}

/// The state of one account's breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Breaker {
    /// All calls are made.
    Closed {
        /// Since when, if it was ever open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Time>,
        /// What came of them lately, from the first failure on: while all is well there is nothing to remember.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        slices: Vec<Slice>,
    },
    /// No call is made.
    Open {
        /// When somebody looks.
        until: Time,
        /// How long that was to be.
        cool_down: Span,
    },
    /// A few calls are made, to see.
    HalfOpen {
        /// How many of them are in the air.
        flying: u32,
        /// How many went well.
        good: u32,
        /// When the last of them began.
        at: Time,
        /// How long it was open before.
        cool_down: Span,
    },
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker::Closed { since: None, slices: Vec::new() }
    }
}

/// What may be called now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// Everything.
    Everything,
    /// So many calls, to see.
    Probes(u32),
    /// Nothing; look again then.
    Nothing {
        /// When.
        until: Time,
    },
}

/// How many parts a window has.
const PARTS: i64 = 10;
/// How soon whoever waits for a probe's answer looks again.
const SOON: Span = Span::secs(5);

impl Breaker {
    /// What may be called now. Probes whose answers nobody heard (the process ended) are taken for lost after a cool-down.
    pub fn may(&self, rule: &Rule, now: Time) -> May {
        match *self {
            Breaker::Closed { .. } => May::Everything,
            Breaker::Open { until, .. } if now < until => May::Nothing { until },
            Breaker::Open { .. } => May::Probes(rule.probes.max(1)),
            Breaker::HalfOpen { flying, good, at, cool_down } => {
                let flying = if now >= at + cool_down { 0 } else { flying };
                match rule.probes.max(1).saturating_sub(good.saturating_add(flying)) {
                    0 => May::Nothing { until: (now + SOON).min(at + cool_down) },
                    left => May::Probes(left),
                }
            }
        }
    }

    /// After so many probes were begun.
    pub fn probed(&self, begun: u32, now: Time) -> Breaker {
        match *self {
            Breaker::Closed { .. } => self.clone(),
            Breaker::Open { cool_down, .. } => Breaker::HalfOpen { flying: begun, good: 0, at: now, cool_down },
            Breaker::HalfOpen { flying, good, at, cool_down } => {
                let flying = if now >= at + cool_down { 0 } else { flying };
                Breaker::HalfOpen { flying: flying.saturating_add(begun), good, at: now, cool_down }
            }
        }
    }

    /// After some calls came to something. Answers that come while it is open belong to calls from before, and say nothing
    /// new.
    pub fn heard(&self, rule: &Rule, tally: Tally, now: Time) -> Breaker {
        match self {
            Breaker::Closed { since, slices } => closed(rule, *since, slices, tally, now),
            Breaker::Open { .. } => self.clone(),
            Breaker::HalfOpen { cool_down, .. } if tally.bad > 0 => {
                let cool_down = Span(cool_down.0.saturating_mul(2)).min(rule.cool_down_max).max(rule.cool_down);
                Breaker::Open { until: now + cool_down, cool_down }
            }
            Breaker::HalfOpen { flying, good, at, cool_down } => {
                let went_well = good.saturating_add(tally.good);
                if went_well >= rule.probes.max(1) {
                    return Breaker::Closed { since: Some(now), slices: Vec::new() };
                }
                let flying = flying.saturating_sub(tally.good.saturating_add(tally.neutral));
                Breaker::HalfOpen { flying, good: went_well, at: *at, cool_down: *cool_down }
            }
        }
    }
}

fn closed(rule: &Rule, since: Option<Time>, slices: &[Slice], tally: Tally, now: Time) -> Breaker {
    let mut kept: Vec<Slice> = slices.iter().filter(|slice| slice.at + rule.window > now).copied().collect();
    let failing = tally.bad > 0 || kept.iter().any(|slice| slice.bad > 0);
    if !failing {
        return Breaker::Closed { since, slices: Vec::new() };
    }
    if tally.good + tally.bad > 0 {
        let length = Span((rule.window.0 / PARTS).max(1));
        match kept.last_mut().filter(|slice| now < slice.at + length) {
            Some(slice) => (slice.good, slice.bad) = (slice.good.saturating_add(tally.good), slice.bad.saturating_add(tally.bad)),
            None => kept.push(Slice { at: now, good: tally.good, bad: tally.bad }),
        }
    }
    let sum = |of: fn(&Slice) -> u32| kept.iter().map(|slice| u64::from(of(slice))).sum::<u64>();
    let (good, bad) = (sum(|slice| slice.good), sum(|slice| slice.bad));
    let enough = good + bad >= u64::from(rule.minimum.max(1));
    if tally.bad > 0 && enough && bad * 100 >= (good + bad) * u64::from(rule.percent) {
        return Breaker::Open { until: now + rule.cool_down, cool_down: rule.cool_down };
    }
    Breaker::Closed { since, slices: kept }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULE: Rule = Rule { percent: 50, minimum: 10, window: Span::secs(60), cool_down: Span::secs(15), cool_down_max: Span::secs(40), probes: 2, return_after: Span::mins(5) };

    fn at(secs: i64) -> Time {
        Time(0) + Span::secs(secs)
    }

    fn tally(good: u32, bad: u32) -> Tally {
        Tally { good, bad, neutral: 0 }
    }

    #[test]
    fn opens_at_a_ratio_over_a_minimum_within_a_window() {
        for (name, calls, open) in [
            ("all is well", vec![(0, 99, 0)], false),
            ("too few to say", vec![(0, 0, 9)], false),
            ("enough", vec![(0, 0, 9), (1, 0, 1)], true),
            ("less than half", vec![(0, 6, 4), (30, 20, 10)], false),
            ("half", vec![(0, 0, 5), (30, 5, 0), (31, 0, 1)], true),
            ("it is a failure that opens it", vec![(0, 0, 5), (30, 5, 0)], false),
            ("old failures are forgotten", vec![(0, 0, 9), (61, 0, 9)], false),
            ("what went well before the first failure is not counted", vec![(0, 50, 0), (1, 0, 10)], true),
        ] {
            let breaker = calls.iter().fold(Breaker::default(), |breaker, (secs, good, bad)| breaker.heard(&RULE, tally(*good, *bad), at(*secs)));
            assert_eq!(matches!(breaker, Breaker::Open { .. }), open, "{name}: {breaker:?}");
        }
    }

    #[test]
    fn while_all_is_well_nothing_changes() {
        let well = Breaker::default();
        assert_eq!(well.heard(&RULE, tally(500, 0), at(5)), well);
        let failed = well.heard(&RULE, tally(3, 1), at(5));
        assert_ne!(failed, well);
        assert_eq!(failed.heard(&RULE, tally(3, 0), at(65)), well, "and nothing stays behind");
    }

    #[test]
    fn looks_with_a_few_and_waits_longer_each_time() {
        let open = Breaker::default().heard(&RULE, tally(0, 10), at(0));
        assert_eq!((open.may(&RULE, at(14)), open.may(&RULE, at(15))), (May::Nothing { until: at(15) }, May::Probes(2)));
        assert_eq!(open.heard(&RULE, tally(9, 9), at(14)), open, "these were in the air before");
        let half = open.probed(2, at(15));
        assert_eq!((half.may(&RULE, at(16)), half.may(&RULE, at(30))), (May::Nothing { until: at(21) }, May::Probes(2)), "lost probes are made again");
        let again = half.heard(&RULE, tally(1, 0), at(16));
        assert_eq!(again.may(&RULE, at(16)), May::Nothing { until: at(21) }, "one went well, one is in the air");
        let mut failing = again.heard(&RULE, tally(0, 1), at(17));
        for (until, longer) in [(47, 40), (87, 40)] {
            assert_eq!(failing.may(&RULE, at(until - 1)), May::Nothing { until: at(until) });
            failing = failing.probed(1, at(until)).heard(&RULE, tally(0, 1), at(until));
            assert_eq!(failing, Breaker::Open { until: at(until + longer), cool_down: Span::secs(longer) });
        }
        let neutral = half.heard(&RULE, Tally { neutral: 1, ..Tally::default() }, at(16));
        assert_eq!(neutral.may(&RULE, at(16)), May::Probes(1), "a call that says nothing is made again");
        let closed = half.heard(&RULE, tally(2, 0), at(18));
        assert_eq!((&closed, closed.may(&RULE, at(18))), (&Breaker::Closed { since: Some(at(18)), slices: vec![] }, May::Everything));
    }

    #[test]
    fn rows_of_any_state_are_read_back() {
        let open = Breaker::default().heard(&RULE, tally(0, 10), at(0));
        for breaker in [Breaker::default(), Breaker::default().heard(&RULE, tally(1, 1), at(0)), open.clone(), open.probed(1, at(20))] {
            let text = serde_json::to_string(&breaker).unwrap();
            assert_eq!(serde_json::from_str::<Breaker>(&text).unwrap(), breaker, "{text}");
        }
        assert_eq!(serde_json::from_str::<Rule>("{\"probes\":9}").unwrap(), Rule { probes: 9, ..Rule::default() });
    }

    proptest! {
        #[test]
        fn never_more_probes_than_the_rule_says(steps in prop::collection::vec((0i64..20_000_000, 0u32..4, 0u32..3, 0u32..3), 1..120)) {
            let (mut breaker, mut now) = (Breaker::default().heard(&RULE, tally(0, 10), at(0)), at(0));
            for (wait, want, good, bad) in steps {
                now = now + Span(wait);
                match breaker.may(&RULE, now) {
                    May::Everything => prop_assert!(matches!(breaker, Breaker::Closed { .. }), "not closed"),
                    May::Nothing { until } => prop_assert!(until > now),
                    May::Probes(most) => {
                        prop_assert!(most <= RULE.probes);
                        if let Breaker::Open { until, .. } = breaker {
                            prop_assert!(now >= until);
                        }
                        if want > 0 {
                            breaker = breaker.probed(want.min(most), now);
                        }
                    }
                }
                if let Breaker::HalfOpen { flying, good: went_well, .. } = breaker {
                    prop_assert!(flying + went_well <= RULE.probes);
                    let good = good.min(flying);
                    breaker = breaker.heard(&RULE, tally(good, bad.min(flying - good)), now);
                }
                if let Breaker::Open { until, cool_down } = breaker {
                    prop_assert!(cool_down >= RULE.cool_down && cool_down <= RULE.cool_down_max && until <= now + RULE.cool_down_max);
                }
            }
        }
    }
}
