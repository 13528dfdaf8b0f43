//! Words by which a recipient opts out, opts in again or asks for help: what a text from her asks for.
//!
//! Its own file because a missed STOP is a lawsuit and an invented one loses a customer: this is the order of the stages,
//! the same for the server, the command line and the tests. The words are data (`keyword/words.rs`); what follows from an
//! answer is the inbox's business.

mod free_text;
mod hers;
mod lenient;
mod normal;
mod words;

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

pub use words::{OwnWords, Settings, WordProblem};

use normal::{Normal, looks, normal};
use words::{Index, Kind};

/// What an inbound text asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keyword {
    /// No more texts.
    Stop,
    /// Texts again.
    Start,
    /// Who are you?
    Help,
}

/// What to do about a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Opt her out.
    OptOut,
    /// Opt her in again.
    OptIn,
    /// Say who we are.
    Help,
    /// Nothing: it is part of a conversation.
    None,
}

impl Action {
    /// The keyword it comes from.
    pub const fn keyword(self) -> Option<Keyword> {
        match self {
            Action::OptOut => Some(Keyword::Stop),
            Action::OptIn => Some(Keyword::Start),
            Action::Help => Some(Keyword::Help),
            Action::None => None,
        }
    }
}

/// By which stage a text was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The whole text is a keyword.
    Exact,
    /// Its letters, put together, are one: "S T O P".
    Joined,
    /// A short text that contains a phrase: "take me off your list".
    LenientPhrase,
    /// A short text that begins with a strong word: "STOP texting me".
    LenientFirst,
    /// A short text that ends with one: "pls stop".
    LenientLast,
    /// A word of consent where there is nothing to consent to: "YES" from somebody who gets our texts anyway.
    PassThrough,
    /// None of these.
    #[serde(rename = "no match")]
    NoMatch,
    /// There is no word in it.
    Empty,
    /// It may be a revocation in free words. Not an answer of the classifier but of the inbox.
    FreeText,
    /// The vendor says so. Of the inbox, too.
    Vendor,
    /// It names one run and ends that alone. Of the inbox, too.
    Scoped,
}

impl How {
    /// The word in answers and rows.
    pub const fn word(self) -> &'static str {
        match self {
            How::Exact => "exact",
            How::Joined => "joined",
            How::LenientPhrase => "lenient-phrase",
            How::LenientFirst => "lenient-first",
            How::LenientLast => "lenient-last",
            How::PassThrough => "pass-through",
            How::NoMatch => "no match",
            How::Empty => "empty",
            How::FreeText => "free-text",
            How::Vendor => "vendor",
            How::Scoped => "scoped",
        }
    }
}

/// The sentence for people.
impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            How::Exact => "the whole text is a keyword",
            How::Joined => "its letters together are a keyword",
            How::LenientPhrase => "a short text with a phrase that asks for it",
            How::LenientFirst => "a short text that begins with a keyword",
            How::LenientLast => "a short text that ends with a keyword",
            How::PassThrough => "a word of consent that answers nothing",
            How::NoMatch => "no keyword",
            How::Empty => "no word in it",
            How::FreeText => "free words that may be a revocation",
            How::Vendor => "the vendor took it for a keyword",
            How::Scoped => "a keyword with the name of one run",
        })
    }
}

/// What her text may be an answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing: she gets our texts.
    #[default]
    Subscribed,
    /// She opted out, and may opt in again.
    OptedOut,
    /// She was asked to confirm that she wants them.
    Pending,
}

/// A state that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no state: use subscribed, opted_out or pending")]
pub struct UnknownState(String);

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<State, UnknownState> {
        match text {
            "subscribed" => Ok(State::Subscribed),
            "opted_out" => Ok(State::OptedOut),
            "pending" => Ok(State::Pending),
            other => Err(UnknownState(other.to_owned())),
        }
    }
}

/// What to do about a revocation in free words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreeText {
    /// Somebody looks at it.
    #[default]
    Review,
    /// She is opted out.
    OptOut,
}

/// What a text asks for, and how that was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classified {
    /// What to do.
    pub action: Action,
    /// By which stage.
    pub how: How,
    /// Whether it may be a revocation in free words. If there is an action, none of its words speaks of texts or is a
    /// keyword: "leave me alone".
    pub free_text: bool,
}

/// Whose words count: the languages that somebody is known to use, and perhaps all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Languages {
    own: u64,
    others: bool,
}

/// Every word there is, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Keywords {
    index: Index,
    /// What to do about a revocation in free words.
    pub free_text: FreeText,
    /// Whether "STOP 1042" may end a single run.
    scoped: bool,
}

impl Keywords {
    /// The shipped words.
    pub fn shipped() -> &'static Keywords {
        // Parsed tables, not state: a static is a cache. That the file can be read is a test below.
        static SHIPPED: OnceLock<Keywords> = OnceLock::new();
        SHIPPED.get_or_init(|| Keywords::with(&Settings::default()).unwrap_or_default())
    }

    /// The shipped words with those of a configuration.
    pub fn with(settings: &Settings) -> Result<Keywords, Vec<WordProblem>> {
        Ok(Keywords { index: words::index(settings)?, free_text: settings.free_text, scoped: settings.scoped })
    }

    /// The day on which the shipped words were collected.
    pub fn as_of() -> String {
        words::as_of()
    }

    /// The languages of one locale, and no others: for a text whose language is known for certain.
    pub fn only(&self, locale: &str) -> Languages {
        Languages { own: words::EVERYBODY | self.index.language(locale), others: false }
    }

    /// The languages of somebody with these locales and a number of this region. What she is not known to speak counts
    /// too, but for words of everyday and of consent: locales are often a shop's and not a person's.
    pub fn of<'a>(&self, locales: impl IntoIterator<Item = &'a str>, region: Option<&str>) -> Languages {
        let spoken = locales.into_iter().fold(words::EVERYBODY, |all, locale| all | self.index.language(locale));
        Languages { own: spoken | region.map_or(0, |r| self.index.region(r)), others: true }
    }

    /// What a text asks for.
    pub fn classify(&self, text: &str, languages: Languages, state: State) -> Classified {
        let index = &self.index;
        if index.is_reaction(text) {
            return nothing(How::NoMatch);
        }
        let hers = index.her_words(text);
        let normal = normal(&hers);
        let tokens = normal.tokens();
        let understood = self.understood(&normal, &tokens, languages, state);
        let understood = understood.or_else(|| index.unsigned(&hers).and_then(|text| self.understood_as(&text, languages, state)));
        understood.unwrap_or_else(|| Classified { free_text: index.may_revoke(&tokens, &normal, languages), ..nothing(How::NoMatch) })
    }

    /// Of "STOP 1042", the form of 1042, where that may end a single run.
    pub fn scope(&self, text: &str) -> Option<String> {
        let everybody = Languages { own: words::EVERYBODY, others: true };
        let normal = normal(text);
        match normal.tokens().as_slice() {
            [first, name] if self.scoped && self.index.is_strong(first, everybody) => Some((*name).to_owned()),
            _ => None,
        }
    }

    fn understood_as(&self, text: &str, languages: Languages, state: State) -> Option<Classified> {
        let normal = normal(text);
        self.understood(&normal, &normal.tokens(), languages, state)
    }

    /// The stages, in order; nothing if none of them matches.
    fn understood(&self, normal: &Normal, tokens: &[&str], languages: Languages, state: State) -> Option<Classified> {
        let index = &self.index;
        if tokens.is_empty() {
            return Some(nothing(How::Empty));
        }
        let whole = index.whole(normal.text(), languages);
        // Consent is not read into a word that only looks like one.
        let alike = || looks(normal.text()).and_then(|text| index.whole(&text, languages)).filter(|kind| *kind == Kind::Stop);
        if let Some(kind) = whole.or_else(alike) {
            return Some(decide(kind, How::Exact, state));
        }
        if let Some(kind) = index.joined(tokens, languages) {
            return Some(decide(kind, How::Joined, state));
        }
        let (how, free_text) = index.lenient(tokens, normal, languages)?;
        Some(Classified { action: Action::OptOut, how, free_text })
    }
}

/// The form of a run's name, as `scope` gives it.
pub fn plain(name: &str) -> String {
    normal(name).text().replace(' ', "")
}

const fn nothing(how: How) -> Classified {
    Classified { action: Action::None, how, free_text: false }
}

/// A word of consent needs something that it answers.
fn decide(kind: Kind, how: How, state: State) -> Classified {
    let (action, how) = match (kind, state) {
        (Kind::Stop, _) => (Action::OptOut, how),
        (Kind::Help, _) => (Action::Help, how),
        (Kind::Yes, State::Subscribed) => (Action::None, How::PassThrough),
        (Kind::Start, _) | (Kind::Yes, State::OptedOut | State::Pending) => (Action::OptIn, how),
    };
    Classified { action, how, free_text: false }
}

#[cfg(test)]
mod tests;
