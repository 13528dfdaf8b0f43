//! A text as it leaves: what was rendered or asked for, made smaller where that is configured or asked for.
//!
//! Its own file because journeys, clients and keywords make texts, and all of them must come out alike: the size that
//! is kept is that of what leaves, and what was written is kept beside it.

use trunkline_core::expr::ExprError;
use trunkline_core::preview::{self, Preview};
use trunkline_core::segment::{Route, Size, measure_for, smart};

use crate::Engine;
use crate::definitions::Sender;

/// What asks for smart encoding, besides the account.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// The template, if there is one.
    pub(crate) template: Option<&'a str>,
    /// The program.
    pub(crate) program: &'a str,
    /// What the request says of this text alone.
    pub(crate) asked: Option<bool>,
}

/// A text that leaves.
pub(crate) struct Composed {
    /// The text.
    pub(crate) body: String,
    /// What was written, if that was something else.
    pub(crate) written: Option<String>,
    /// Its size.
    pub(crate) size: Size,
}

impl Engine {
    /// Makes of a written text the one that leaves through a sender.
    pub(crate) fn compose(&self, written: String, (account, sender): (&str, &str), wish: Wish<'_>) -> Composed {
        let route = self.definitions.sender(account, sender).map(route).unwrap_or_default();
        let smaller = if self.definitions.smart_encoding(account, wish) { smart::encode(&written, &route) } else { None };
        match smaller {
            Some(smart) => Composed { body: smart.text, written: Some(written), size: smart.after },
            None => Composed { size: measure_for(&written, &route), body: written, written: None },
        }
    }

    /// What a text would cost that stands, or might stand, in a template's file of this locale.
    pub fn preview(&self, template: &str, locale: &str, text: &str) -> Result<Preview, ExprError> {
        let definitions = &self.definitions;
        let sender = definitions.senders.first();
        let mut settings = definitions.texts.get(template).cloned().unwrap_or_default();
        let account = sender.and_then(|sender| definitions.accounts.get(&sender.account));
        settings.smart_encoding |= account.is_some_and(|account| account.smart_encoding);
        preview::preview(&self.expr, text, locale, &definitions.default_locale, &settings, &sender.map(route).unwrap_or_default())
    }

    /// The route of the sender that is preferred.
    pub fn route(&self) -> Route {
        self.definitions.senders.first().map(route).unwrap_or_default()
    }
}

/// How a sender's texts travel.
fn route(sender: &Sender) -> Route {
    Route { shifts: sender.shift_tables.clone(), ..Route::default() }
}
