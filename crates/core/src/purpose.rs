//! Why a text is sent, and what follows from it: consent, hours, deadline, what an unclear send may do.
//!
//! Its own file because every decision asks for it. Configuration may change each policy; the defaults here are
//! the careful ones.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::looping::Loop;
use crate::quiet::{Cap, Window};
use crate::resolve::Unclear;
use crate::retry::RetryPolicy;
use crate::time::Span;

/// The closed list of purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A one-time code that the recipient is waiting for.
    Otp,
    /// Something about a thing the recipient did: an order, a booking.
    Transactional,
    /// Useful but not urgent: a delivery note, a reminder.
    Service,
    /// Selling; needs a recorded grant.
    Marketing,
    /// Asking for money that is owed.
    Collections,
}

impl Purpose {
    /// All of them, in the order of the documentation.
    pub const ALL: [Purpose; 5] = [Purpose::Otp, Purpose::Transactional, Purpose::Service, Purpose::Marketing, Purpose::Collections];

    /// Who goes first.
    pub const fn priority(self) -> Priority {
        match self {
            Purpose::Otp => Priority::Urgent,
            Purpose::Transactional | Purpose::Service | Purpose::Collections => Priority::Normal,
            Purpose::Marketing => Priority::Bulk,
        }
    }

    /// The word in configuration, rows and the API.
    pub const fn word(self) -> &'static str {
        match self {
            Purpose::Otp => "otp",
            Purpose::Transactional => "transactional",
            Purpose::Service => "service",
            Purpose::Marketing => "marketing",
            Purpose::Collections => "collections",
        }
    }
}

/// Who goes first when not everybody can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Somebody is waiting for it: a code, the answer to a keyword.
    Urgent,
    /// Everything else that is about somebody.
    Normal,
    /// What goes to many.
    Bulk,
}

impl Priority {
    /// All of them, the first one first.
    pub const ALL: [Priority; 3] = [Priority::Urgent, Priority::Normal, Priority::Bulk];

    /// The number in rows.
    pub const fn number(self) -> u8 {
        match self {
            Priority::Urgent => 0,
            Priority::Normal => 1,
            Priority::Bulk => 2,
        }
    }

    /// Of `free` slots out of `of`, how many texts of this priority may take: some are kept for what is more urgent, so
    /// that a slow vendor full of marketing does not hold up a code.
    pub const fn may_take(self, free: usize, of: usize) -> usize {
        match self {
            Priority::Urgent => free,
            Priority::Normal => free.saturating_sub(of / 8),
            Priority::Bulk => free.saturating_sub(of / 4),
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Not one of the five purposes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a purpose: use otp, transactional, service, marketing or collections")]
pub struct PurposeError(String);

impl FromStr for Purpose {
    type Err = PurposeError;
    fn from_str(text: &str) -> Result<Purpose, PurposeError> {
        Purpose::ALL.into_iter().find(|p| p.word() == text).ok_or_else(|| PurposeError(text.chars().take(40).collect()))
    }
}

/// What consent a purpose asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentRule {
    /// None beyond not having opted out.
    NotOptedOut,
    /// A recorded grant for the program and purpose.
    Grant,
}

/// The rules of one purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What consent is needed.
    pub consent: ConsentRule,
    /// Whether a grant counts only after the person has confirmed it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub double_opt_in: bool,
    /// When texts may leave, in the recipient's zone; absent means at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// How many texts of this purpose somebody may get, beside the caps of the rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<Cap>,
    /// How long after its making a text is still worth sending.
    pub ttl: Span,
    /// How often one text may fail for now before it fails for good.
    pub max_attempts: u32,
    /// How each class of failure is tried again.
    #[serde(default)]
    pub retry: RetryPolicy,
    /// What happens to a text that is unclear when asking is over.
    #[serde(default)]
    pub unclear: Unclear,
    /// How long after an attempt its vendor is asked about it.
    #[serde(default = "resolve_within")]
    pub resolve_within: Span,
    /// How many texts may go to one address within a time; absent means as many as is usual for the purpose.
    #[serde(default, rename = "loop", skip_serializing_if = "Option::is_none")]
    pub looping: Option<Loop>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Long enough for the slowest list, and short enough for somebody to look on the same day.
const fn resolve_within() -> Span {
    Span::mins(15)
}

impl Policy {
    /// How many texts may go to one address within a time.
    pub fn guard(&self, purpose: Purpose) -> Loop {
        self.looping.unwrap_or(Loop::default_for(purpose))
    }

    /// The policy a purpose has when configuration says nothing.
    pub fn default_for(purpose: Purpose) -> Policy {
        let day = Window { start: jiff::civil::time(8, 0, 0, 0), end: jiff::civil::time(21, 0, 0, 0) };
        let (consent, window, ttl) = match purpose {
            Purpose::Otp => (ConsentRule::NotOptedOut, None, Span::mins(5)),
            Purpose::Transactional => (ConsentRule::NotOptedOut, None, Span::hours(4)),
            Purpose::Service => (ConsentRule::NotOptedOut, Some(day), Span::hours(36)),
            Purpose::Marketing => (ConsentRule::Grant, Some(Window { end: jiff::civil::time(20, 0, 0, 0), ..day }), Span::hours(48)),
            Purpose::Collections => (ConsentRule::NotOptedOut, Some(day), Span::hours(24)),
        };
        // A code that does not come is asked for again anyway, and is worth nothing a quarter of an hour later.
        let (unclear, within) = if purpose == Purpose::Otp { (Unclear::PreferDelivery, Span::secs(60)) } else { (Unclear::default(), resolve_within()) };
        Policy { consent, double_opt_in: false, window, caps: Vec::new(), ttl, max_attempts: 6, retry: RetryPolicy::default(), unclear, resolve_within: within, looping: None }
    }
}
