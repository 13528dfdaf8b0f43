//! Through which account and from which sender a text goes, where several could take it, and why.
//!
//! Its own file because the choice must be the same for the same recipient: she keeps her sender while it is well, leaves it
//! only when it is not, and comes back only after it has been well for a time. Where no way is well nothing is chosen
//! anew: the text waits. Whether a way is well is loaded and told by the engine.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::hash16;
use crate::purpose::Purpose;
use crate::time::{Span, Time};

/// An account and a sender of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Way {
    /// The account.
    pub account: String,
    /// The sender.
    pub sender: String,
}

/// A way and its share of the recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// The way.
    pub way: Way,
    /// Its share, by the sum of all.
    pub weight: u32,
}

/// Where texts of some kind may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What it is called.
    pub name: String,
    /// For recipients in these countries; empty means everywhere, and where nobody knows.
    pub countries: Vec<String>,
    /// For these purposes; empty means all.
    pub purposes: Vec<Purpose>,
    /// The ways.
    pub arms: Vec<Arm>,
}

impl Route {
    /// Whether it is for such a text.
    pub fn takes(&self, country: Option<&str>, purpose: Purpose) -> bool {
        let here = self.countries.is_empty() || country.is_some_and(|country| self.countries.iter().any(|c| c == country));
        here && (self.purposes.is_empty() || self.purposes.contains(&purpose))
    }

    /// Whether a way is one of its ways.
    pub fn has(&self, account: &str, sender: &str) -> bool {
        self.arms.iter().any(|arm| arm.way.account == account && arm.way.sender == sender)
    }
}

/// The kind of a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SenderKind {
    /// A number like everybody's.
    LongCode,
    /// A number that costs the caller nothing.
    TollFree,
    /// A few digits, known in one country.
    ShortCode,
    /// A name, which cannot be answered.
    Alphanumeric,
}

impl SenderKind {
    /// The word in configuration.
    pub const fn word(self) -> &'static str {
        match self {
            SenderKind::LongCode => "long_code",
            SenderKind::TollFree => "toll_free",
            SenderKind::ShortCode => "short_code",
            SenderKind::Alphanumeric => "alphanumeric",
        }
    }

    /// What a sender is by its form.
    pub fn of(sender: &str) -> SenderKind {
        const FREE: [&str; 7] = ["800", "833", "844", "855", "866", "877", "888"];
        match sender.strip_prefix('+') {
            Some(digits) if digits.strip_prefix('1').is_some_and(|rest| FREE.iter().any(|area| rest.starts_with(area))) => SenderKind::TollFree,
            Some(_) => SenderKind::LongCode,
            None if !sender.is_empty() && sender.chars().all(|c| c.is_ascii_digit()) => SenderKind::ShortCode,
            None => SenderKind::Alphanumeric,
        }
    }
}

/// Why a way cannot be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unfit {
    /// Most calls to its account fail.
    BreakerOpen,
    /// Its account refuses us.
    AccountPaused,
    /// Its vendor named a time to come back.
    Throttled,
    /// What it may send today is used up.
    DailyLimit,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unfit::BreakerOpen => "most calls there fail",
            Unfit::AccountPaused => "its account is paused",
            Unfit::Throttled => "its vendor asked us to wait",
            Unfit::DailyLimit => "its limit for today is used up",
        })
    }
}

/// How a way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fitness {
    /// Well.
    Well,
    /// Well again, and this share of its recipients has come back, in thousandths.
    Returning(u32),
    /// It may take a few, to see.
    Probing,
    /// Not to be used.
    Unfit(Unfit),
}

/// Why a way was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Why {
    /// The weights give this recipient this way.
    Home,
    /// It was not well, and takes a few again to see.
    Probe,
    /// The recipient's own way is not well.
    Away {
        /// Her own account.
        account: String,
        /// Her own sender.
        sender: String,
        /// What is the matter with it.
        because: Unfit,
    },
    /// The recipient's own way has not been well for long enough.
    NotBack {
        /// Her own account.
        account: String,
        /// Her own sender.
        sender: String,
    },
    /// No way is well: it waits for the recipient's own.
    AllBad {
        /// What is the matter with that.
        because: Unfit,
    },
    /// An attempt was certainly not taken, and another way is well.
    FailedOver {
        /// The account that did not take it.
        account: String,
        /// The sender.
        sender: String,
        /// What the attempt came to.
        outcome: String,
    },
    /// It waited for a way that is not well, and another one is.
    Moved {
        /// The account it waited for.
        account: String,
        /// The sender.
        sender: String,
        /// What is the matter with it.
        because: Unfit,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Home => f.write_str("this recipient's own by the weights"),
            Why::Probe => f.write_str("it was not well, and takes a few texts again to see"),
            Why::Away { account, sender, because } => write!(f, "this recipient's own is {account} from {sender}, and {because}"),
            Why::NotBack { account, sender } => write!(f, "this recipient's own is {account} from {sender}, which has not been well for long enough"),
            Why::AllBad { because } => write!(f, "this recipient's own: {because}, no other way is well, and it waits"),
            Why::FailedOver { account, sender, outcome } => write!(f, "{account} from {sender} certainly did not take it ({outcome}), and this way is well"),
            Why::Moved { account, sender, because } => write!(f, "it waited for {account} from {sender}, and {because}"),
        }
    }
}

/// The way of a new text: the recipient's own if it is well, else another one that is, else her own. Nothing if there are
/// no ways. `ways` are those of one route, in its order; `person` names the recipient.
pub fn choose<'a>(ways: &'a [(&'a Arm, Fitness)], person: &[u8]) -> Option<(&'a Way, Why)> {
    let (home, fitness) = *pick(ways, |_| true, &[b"home", person])?;
    let away = || pick(ways, |(arm, fitness)| arm.way != home.way && well(*fitness), &[b"away", person]).map(|(arm, _)| &arm.way);
    let (account, sender) = (home.way.account.clone(), home.way.sender.clone());
    Some(match fitness {
        Fitness::Well => (&home.way, Why::Home),
        Fitness::Probing => (&home.way, Why::Probe),
        Fitness::Returning(share) if draw(&[b"back", person]) % 1_000 < u64::from(share) => (&home.way, Why::Home),
        Fitness::Returning(_) => away().map_or((&home.way, Why::Home), |other| (other, Why::NotBack { account, sender })),
        Fitness::Unfit(because) => match away() {
            Some(other) => (other, Why::Away { account, sender, because }),
            None => ways.iter().find(|(_, fitness)| *fitness == Fitness::Probing).map_or((&home.way, Why::AllBad { because }), |(arm, _)| (&arm.way, Why::Probe)),
        },
    })
}

/// Another way for a text that is on one already: one that is well and was not tried before, or else one that was. Says
/// whether it is new to the text.
pub fn other<'a>(ways: &'a [(&'a Arm, Fitness)], person: &[u8], from: (&str, &str), tried: &[(&str, &str)]) -> Option<(&'a Way, bool)> {
    let is = |way: &Way, pair: &(&str, &str)| way.account == pair.0 && way.sender == pair.1;
    let fit = |arm: &Arm, fitness: Fitness| well(fitness) && !is(&arm.way, &from);
    let fresh = pick(ways, |(arm, fitness)| fit(arm, *fitness) && !tried.iter().any(|pair| is(&arm.way, pair)), &[b"away", person]);
    let found = fresh.or_else(|| pick(ways, |(arm, fitness)| fit(arm, *fitness), &[b"away", person]));
    found.map(|(arm, _)| (&arm.way, fresh.is_some()))
}

/// The share of its recipients that has come back to a way that is well since then: none for `after`, then more and more,
/// all of them after twice that.
pub fn returned(since: Time, after: Span, now: Time) -> Fitness {
    let well_for = now.since(since).0.saturating_sub(after.0);
    if well_for >= after.0 {
        return Fitness::Well;
    }
    Fitness::Returning(u32::try_from(well_for.max(0).saturating_mul(1_000) / after.0.max(1)).unwrap_or(0))
}

const fn well(fitness: Fitness) -> bool {
    matches!(fitness, Fitness::Well | Fitness::Returning(_))
}

/// One of those that are wanted, by their weights; the same for the same seed.
fn pick<'a>(ways: &'a [(&'a Arm, Fitness)], wanted: impl Fn(&(&Arm, Fitness)) -> bool, seed: &[&[u8]]) -> Option<&'a (&'a Arm, Fitness)> {
    let total: u64 = ways.iter().filter(|way| wanted(way)).map(|(arm, _)| u64::from(arm.weight)).sum();
    let mut left = draw(seed).checked_rem(total)?;
    for way in ways.iter().filter(|way| wanted(way)) {
        match left.checked_sub(u64::from(way.0.weight)) {
            Some(rest) => left = rest,
            None => return Some(way),
        }
    }
    None
}

/// A number that follows from the seed.
fn draw(seed: &[&[u8]]) -> u64 {
    hash16(seed).iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
#[path = "route/tests.rs"]
mod tests;
