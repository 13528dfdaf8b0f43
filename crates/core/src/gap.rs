//! Gaps in our intake: when webhooks may have been lost, from when on the vendor's lists are read, and how far.
//!
//! Its own file because vendors give up on a webhook after seconds, so that a STOP would be lost with a restart. What
//! is decided here is pure; who reads the lists, and what is made of them, is a stage's.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::retry::Backoff;
use crate::time::{Span, Time};

/// How often it is noted that intake is up.
pub const BEAT_EVERY: Span = Span::secs(15);
/// How much earlier than the last time at which intake was up lists are read: for clocks that differ, and for webhooks
/// that come a little after what they tell of.
pub const MARGIN: Span = Span::secs(60);
/// How far back lists are read at most.
pub const OLDEST: Span = Span::hours(24 * 7);
/// Pages of one list that are read at most.
pub const PAGES: u32 = 200;
/// The backoff of a list that cannot be read.
pub const BACKOFF: Backoff = Backoff { base: Span::secs(1), cap: Span::mins(1) };
/// How long an account waits for its lists before somebody is told.
pub const TELL_AFTER: Span = Span::mins(5);
/// How long after it happened a vendor's list may still not show it: after that, lists are read once more.
pub const LATE: Span = Span::mins(2);

/// So many refused webhooks in a row are more than chance.
const FEW: u32 = 3;
/// How long refused webhooks are not believed again: whoever forges them must not be able to hold an account up.
const SELDOM: Span = Span::mins(15);

/// Which of a vendor's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listing {
    /// Texts that people sent us.
    Inbound,
    /// The states of texts that we sent.
    Status,
}

/// Why webhooks may have been lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nobody was there to take them.
    Down,
    /// The store could not take them.
    NotFiled,
    /// They were refused, though they were true ones.
    Refused,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 3] = [Cause::Down, Cause::NotFiled, Cause::Refused];

    /// The word in rows.
    pub const fn word(self) -> &'static str {
        match self {
            Cause::Down => "down",
            Cause::NotFiled => "not_filed",
            Cause::Refused => "refused",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Down => "the server was down",
            Cause::NotFiled => "webhooks could not be stored",
            Cause::Refused => "true webhooks were refused",
        })
    }
}

/// From when on lists are read, if intake was up until then; and whether that is later than it should be.
pub fn since(up: Time, now: Time) -> (Time, bool) {
    // The clock may have been set back since.
    let (wanted, oldest) = (up.min(now) - MARGIN, now - OLDEST);
    (wanted.max(oldest), wanted < oldest)
}

/// What came of an account's webhooks lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Door {
    refused: u32,
    first_refused: Option<Time>,
    lost: Option<(Time, Cause)>,
    believed_at: Option<Time>,
}

impl Door {
    /// One was refused: forged, or true and our secret is wrong. Nobody can tell yet.
    pub fn refused(&mut self, now: Time) {
        self.refused = self.refused.saturating_add(1);
        self.first_refused.get_or_insert(now);
    }

    /// One was taken. If a few in a row were refused before it, they may have been true: a secret or the public address
    /// was wrong and is right now. A run that is not believed, since the last one was a moment ago, is kept.
    pub fn accepted(&mut self, now: Time) {
        let Some(first) = self.first_refused else { return };
        if self.refused >= FEW {
            if self.believed_at.is_some_and(|at| now.since(at) < SELDOM) {
                return;
            }
            self.believed_at = Some(now);
            self.lose(first, Cause::Refused);
        }
        (self.refused, self.first_refused) = (0, None);
    }

    /// One could not be stored.
    pub fn failed(&mut self, now: Time) {
        self.lose(now, Cause::NotFiled);
    }

    fn lose(&mut self, at: Time, cause: Cause) {
        self.lost = Some(self.lost.map_or((at, cause), |lost| lost.min((at, cause))));
    }

    /// Since when webhooks were lost for which no gap is open yet.
    pub fn lost(&self) -> Option<(Time, Cause)> {
        self.lost
    }

    /// The gap for these is on disk. What was lost while that was written is read all the same: lists are read from
    /// their newest entry on, and no page was read yet.
    pub fn opened(&mut self, lost: (Time, Cause)) {
        if self.lost == Some(lost) {
            self.lost = None;
        }
    }

    /// Until when intake is known to have been up: not beyond a webhook that was refused or lost, so that a restart
    /// reads what came since, with the right secret.
    pub fn up(&self, now: Time) -> Time {
        [self.first_refused, self.lost.map(|(at, _)| at)].into_iter().flatten().fold(now, Time::min)
    }
}

/// How far the reading of an account's lists is. What people sent comes first, sender by sender where the vendor can
/// only list it so, then the states of our texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Whether this is the second time, for what a list shows late.
    pub again: bool,
    /// Whether any list could be read.
    pub read: bool,
    /// The list that is read next; absent when all are.
    pub list: Option<Listing>,
    /// Which of several senders' lists.
    pub sender: u32,
    /// Its next page; absent for the first.
    pub page: Option<String>,
    /// How many of its pages were read.
    pub pages: u32,
}

impl Reading {
    /// The first page of the first list.
    pub const fn begin(again: bool) -> Reading {
        Reading { again, read: false, list: Some(Listing::Inbound), sender: 0, page: None, pages: 0 }
    }

    /// A page was read; `next` is the one after it, and what people sent comes in so many lists. Also says whether a
    /// list was left before its end, because it is longer than anybody reads.
    pub fn turned(self, next: Option<String>, lists: u32) -> (Reading, bool) {
        let pages = self.pages.saturating_add(1);
        let reading = Reading { read: true, pages, ..self };
        match next {
            Some(page) if pages < PAGES => (Reading { page: Some(page), ..reading }, false),
            cut => (reading.onward(lists), cut.is_some()),
        }
    }

    /// This list does not exist: on to the next kind.
    pub fn skipped(self) -> Reading {
        self.onward(1)
    }

    fn onward(self, lists: u32) -> Reading {
        let (list, sender) = match self.list {
            Some(Listing::Inbound) if self.sender.saturating_add(1) < lists => (Some(Listing::Inbound), self.sender.saturating_add(1)),
            Some(Listing::Inbound) => (Some(Listing::Status), 0),
            Some(Listing::Status) | None => (None, 0),
        };
        Reading { list, sender, page: None, pages: 0, ..self }
    }

    /// Whether everything was read that texts wait for: all that people sent, and the newest states. Older states move
    /// nobody's consent, and are read while texts leave.
    pub fn polled(&self) -> bool {
        match self.list {
            Some(Listing::Inbound) => false,
            Some(Listing::Status) => self.pages > 0,
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What happens at a door, in seconds: `r`efused, `a`ccepted, `f`ailed.
    fn door(events: &[(char, i64)]) -> Door {
        let mut door = Door::default();
        for (what, second) in events {
            let at = Time(second * 1_000_000);
            match what {
                'r' => door.refused(at),
                'a' => door.accepted(at),
                _ => door.failed(at),
            }
        }
        door
    }

    #[test]
    fn what_counts_as_lost() {
        let t = |second: i64| Time(second * 1_000_000);
        for (name, events, lost, up) in [
            ("nothing happened", vec![], None, 1_000),
            ("all is well", vec![('a', 1), ('a', 2)], None, 1_000),
            ("one is forged", vec![('a', 1), ('r', 2), ('a', 3)], None, 1_000),
            ("forged ones between true ones", vec![('r', 2), ('a', 3), ('r', 4), ('r', 5), ('a', 6)], None, 1_000),
            ("a wrong secret that was put right", vec![('r', 2), ('r', 3), ('r', 9), ('a', 10)], Some((2, Cause::Refused)), 2),
            ("a wrong secret", vec![('a', 1), ('r', 2), ('r', 3), ('r', 4)], None, 2),
            ("one refused, and none taken since", vec![('a', 1), ('r', 2)], None, 2),
            ("the store is away", vec![('a', 1), ('f', 5), ('f', 6), ('a', 9)], Some((5, Cause::NotFiled)), 5),
            ("both", vec![('r', 2), ('r', 3), ('r', 4), ('f', 5), ('a', 6)], Some((2, Cause::Refused)), 2),
        ] {
            let door = door(&events);
            assert_eq!(door.lost(), lost.map(|(second, cause)| (t(second), cause)), "{name}");
            assert_eq!(door.up(t(1_000)), t(up), "{name}");
        }
    }

    #[test]
    fn forgers_are_believed_seldom() {
        let mut door = door(&[('r', 1), ('r', 2), ('r', 3), ('a', 4)]);
        door.opened(door.lost().unwrap());
        assert_eq!(door.lost(), None);
        for (what, second) in [('r', 5), ('r', 6), ('r', 7), ('a', 8), ('a', 900)] {
            let at = Time(second * 1_000_000);
            if what == 'r' {
                door.refused(at);
            } else {
                door.accepted(at);
            }
            assert_eq!(door.lost(), None, "{second}");
        }
        // The run is not forgotten: a quarter of an hour later it counts, from its beginning.
        door.accepted(Time(904_000_000));
        assert_eq!(door.lost(), Some((Time(5_000_000), Cause::Refused)));
    }

    #[test]
    fn a_gap_that_grew_while_it_was_written_stays() {
        let mut door = door(&[('f', 5)]);
        let written = door.lost().unwrap();
        for _ in 0..3 {
            door.refused(Time(1_000_000));
        }
        door.accepted(Time(6_000_000));
        door.opened(written);
        assert_eq!(door.lost(), Some((Time(1_000_000), Cause::Refused)));
    }

    #[test]
    fn lists_are_read_from_a_margin_before_and_not_for_ever() {
        let now = Time(0) + Span::hours(24 * 30);
        assert_eq!(since(now - Span::mins(5), now), (now - Span::mins(6), false));
        assert_eq!(since(now - OLDEST + MARGIN, now), (now - OLDEST, false));
        assert_eq!(since(now - OLDEST, now), (now - OLDEST, true));
        assert_eq!(since(Time(0), now), (now - OLDEST, true));
        assert_eq!(since(now + Span::mins(10), now), (now - MARGIN, false), "the clock was set back");
    }

    #[test]
    fn lists_are_read_one_after_the_other() {
        let next = |page: &str| Some(page.to_owned());
        let reading = Reading::begin(false);
        assert!(!reading.polled());
        // Two senders, the first with two pages.
        let (reading, cut) = reading.turned(next("p2"), 2);
        assert_eq!((reading.list, reading.sender, reading.page.as_deref(), cut), (Some(Listing::Inbound), 0, Some("p2"), false));
        let (reading, _) = reading.turned(None, 2);
        assert_eq!((reading.list, reading.sender, reading.page.as_deref()), (Some(Listing::Inbound), 1, None));
        let (reading, _) = reading.turned(None, 2);
        assert_eq!((reading.list, reading.sender, reading.polled()), (Some(Listing::Status), 0, false));
        let (reading, _) = reading.turned(next("s2"), 2);
        assert_eq!((reading.list, reading.page.as_deref(), reading.polled()), (Some(Listing::Status), Some("s2"), true));
        let (reading, _) = reading.turned(None, 2);
        assert_eq!((reading.list, reading.read, reading.polled()), (None, true, true));
    }

    #[test]
    fn a_list_without_end_is_left() {
        let mut reading = Reading { list: Some(Listing::Status), ..Reading::begin(false) };
        for page in 1..PAGES {
            let (turned, cut) = reading.turned(Some(page.to_string()), 1);
            assert!(!cut && turned.list == Some(Listing::Status));
            reading = turned;
        }
        let (reading, cut) = reading.turned(Some("more".into()), 1);
        assert_eq!((reading.list, cut), (None, true));
    }

    #[test]
    fn what_cannot_be_listed_is_skipped() {
        let reading = Reading::begin(false).skipped().skipped();
        assert_eq!((reading.list, reading.read, reading.polled()), (None, false, true));
    }

    proptest! {
        /// However often it is asked, intake is never said to have been up after something was lost.
        #[test]
        fn nothing_lost_is_behind_the_beat(events in proptest::collection::vec((0..3usize, 0..5_000i64), 0..40)) {
            let mut sorted: Vec<(char, i64)> = events.into_iter().map(|(what, second)| (['r', 'a', 'f'][what], second)).collect();
            sorted.sort_by_key(|(_, second)| *second);
            let door = door(&sorted);
            let up = door.up(Time(5_000_000_000));
            prop_assert!(door.lost().is_none_or(|(at, _)| up <= at));
            if let Some((_, failed)) = sorted.iter().find(|(what, _)| *what == 'f') {
                prop_assert!(up <= Time(failed * 1_000_000));
            }
        }
    }
}
