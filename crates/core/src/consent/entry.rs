//! One entry of the ledger: what happened to consent, on what terms, and what proves it.
//!
//! Its own file because entries are kept for ever: every field that was added later is absent in older ones, and reads
//! as if nothing had been said. It folds nothing.

use serde::{Deserialize, Serialize};

use crate::purpose::Purpose;
use crate::time::Time;

/// A closed list of words: in rows, files, the API and configuration they are written as `word` says.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $count:literal { $($(#[$says:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$says])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: [$name; $count] = [$($name::$variant),+];

            /// The word in rows, files and the API.
            pub const fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                }
            }

            /// From the word.
            pub fn from_word(word: &str) -> Option<$name> {
                $name::ALL.into_iter().find(|known| known.word() == word)
            }
        }
    };
}

words!(
    /// What an entry does.
    ConsentAct, 10 {
        /// The person agreed to texts of a program and purpose.
        Grant = "grant",
        /// She said once more that she did: the second half of a double opt-in, or a renewal.
        Confirm = "confirm",
        /// The person took that back, through some system of ours.
        Revoke = "revoke",
        /// What was granted ran out, and somebody wrote that down. Opt-outs never do.
        Expire = "expire",
        /// The number has a new holder, or the program another owner: what was granted does not go with it.
        Transfer = "transfer",
        /// A grant as another system recorded it: it counts where no opt-out is in force, and lifts none.
        Import = "import",
        /// The person texted a word of the STOP family.
        Stop = "stop",
        /// The person texted a word of the START family.
        Start = "start",
        /// The vendor told us that it blocks this recipient for one sender.
        VendorBlock = "vendor_block",
        /// Everything about the person was erased; the number stays suppressed.
        Erase = "erase",
    }
);

/// What consent is about: texts, mail, or notices of an app. Only `sms` decides about texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Texts.
    #[default]
    Sms,
    /// Mail.
    Email,
    /// Notices of an app.
    Push,
}

impl Channel {
    /// All of them.
    pub const ALL: [Channel; 3] = [Channel::Sms, Channel::Email, Channel::Push];

    /// The word in rows, files and the API.
    pub const fn word(self) -> &'static str {
        match self {
            Channel::Sms => "sms",
            Channel::Email => "email",
            Channel::Push => "push",
        }
    }

    /// From the word.
    pub fn from_word(word: &str) -> Option<Channel> {
        Channel::ALL.into_iter().find(|known| known.word() == word)
    }
}

/// Rows from before there were other channels are about texts.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
pub(super) const fn is_sms(channel: &Channel) -> bool {
    matches!(*channel, Channel::Sms)
}

words!(
    /// On what ground consent rests.
    Basis, 9 {
        /// In writing, with what United States law wants to be said.
        ExpressWritten = "express_written",
        /// She said so.
        Express = "express",
        /// She bought something, or has a contract.
        ImpliedPurchase = "implied_purchase",
        /// She asked about something.
        ImpliedInquiry = "implied_inquiry",
        /// Business is going on with her in some other way.
        ExistingRelationship = "existing_relationship",
        /// She bought something similar, and was asked each time whether she minds.
        SoftOptIn = "soft_opt_in",
        /// The contract needs it.
        Contract = "contract",
        /// Our own interest outweighs hers.
        LegitimateInterest = "legitimate_interest",
        /// It follows from what she does.
        Inferred = "inferred",
    }
);

words!(
    /// How an entry came about.
    Source, 10 {
        /// A form on a web page or in an app.
        Web = "web",
        /// A word that she texted.
        Keyword = "keyword",
        /// A form on paper.
        Paper = "paper",
        /// At a counter.
        PointOfSale = "point_of_sale",
        /// Said to somebody.
        Verbal = "verbal",
        /// A mail from her.
        Email = "email",
        /// Another system, through the API.
        Api = "api",
        /// A file.
        Import = "import",
        /// The vendor.
        Vendor = "vendor",
        /// Somebody of ours.
        Operator = "operator",
    }
);

/// Whether a text names a country, or a part of one, as ISO 3166 does: `CA`, `US-FL`.
pub fn is_jurisdiction(text: &str) -> bool {
    let (country, part) = text.split_once('-').map_or((text, None), |(country, part)| (country, Some(part)));
    let upper = |text: &str| text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    country.len() == 2 && country.chars().all(|c| c.is_ascii_uppercase()) && part.is_none_or(|p| (1..=3).contains(&p.len()) && upper(p))
}

/// The terms of an entry: absent in entries from before they were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Terms {
    /// What it is about.
    #[serde(default, skip_serializing_if = "is_sms")]
    pub channel: Channel,
    /// On what ground it rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// How it came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Whose law it falls under, such as `CA` or `US-FL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<String>,
    /// The import that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<String>,
}

impl Terms {
    /// Nothing but how it came about.
    pub fn from_source(source: Source) -> Terms {
        Terms { source: Some(source), ..Terms::default() }
    }
}

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentEntry {
    /// What it does.
    pub act: ConsentAct,
    /// The program it is about; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The purpose it is about; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The provider account, for vendor blocks and inbound words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The sender, for vendor blocks and inbound words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// What proves it: a hook, an attempt, or the words shown and where.
    pub evidence: String,
    /// Who recorded it: an API key, `inbound`, `vendor`.
    pub actor: String,
    /// When it happened.
    pub occurred_at: Time,
    /// When we learned of it.
    pub recorded_at: Time,
    /// On what terms.
    #[serde(flatten)]
    pub terms: Terms,
}
