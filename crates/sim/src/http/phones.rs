//! What a phone shows: the texts that reached it and the texts it sent, in order.
//!
//! Its own file because it is the view of a person, put together from the vendors' two records. Nothing is kept:
//! each look goes through the records, which is quick enough for a person and for a test.

use serde::Serialize;
use trunkline_core::time::Time;

use crate::outgoing::{PersonText, PhoneText};
use crate::vendor::magic::BANK;

/// One phone's screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Screen {
    /// The phone.
    pub number: String,
    /// Whose it is, if it is in the bank.
    pub name: Option<&'static str>,
    /// Oldest first.
    pub shown: Vec<OnScreen>,
}

/// A text on a screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OnScreen {
    /// It reached the phone.
    Text(PhoneText),
    /// It was sent from the phone.
    Reply(PersonText),
}

impl OnScreen {
    fn at(&self) -> Time {
        match self {
            OnScreen::Text(text) => text.at,
            OnScreen::Reply(reply) => reply.at,
        }
    }
}

/// The screen of one phone, with at most so many texts of each direction, the latest.
pub(super) fn screen<'a>(
    number: &str,
    texts: impl IntoIterator<Item = &'a PhoneText, IntoIter: DoubleEndedIterator>,
    replies: impl IntoIterator<Item = &'a PersonText, IntoIter: DoubleEndedIterator>,
    now: Time,
    most: usize,
) -> Screen {
    let texts = texts.into_iter().rev().filter(|text| text.phone == number && text.at <= now).take(most);
    let replies = replies.into_iter().rev().filter(|reply| reply.phone == number).take(most);
    let mut shown: Vec<OnScreen> = texts.cloned().map(OnScreen::Text).chain(replies.cloned().map(OnScreen::Reply)).collect();
    // Turned round before it is sorted: what happened at one instant keeps the order in which it was recorded.
    shown.reverse();
    shown.sort_by_key(OnScreen::at);
    Screen { number: number.to_owned(), name: BANK.iter().find(|phone| phone.number == number).map(|phone| phone.name), shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_in_order() {
        let text = |at: i64, phone: &str| PhoneText {
            at: Time(at),
            phone: phone.into(),
            sender: "+15005550006".into(),
            body: format!("text {at}"),
            vendor_id: String::new(),
            attempt: None,
            accepted_at: Time(0),
            vendor_own: false,
        };
        let reply = |at: i64| PersonText { at: Time(at), phone: "+14155550123".into(), sender: "+15005550006".into(), body: format!("reply {at}"), vendor_id: String::new() };
        let texts = [text(1, "+14155550123"), text(2, "+14155550199"), text(9, "+14155550123"), text(3, "+14155550123")];
        let replies = [reply(2), reply(3)];
        let bodies = |most: usize| -> Vec<String> {
            let seen = screen("+14155550123", &texts, &replies, Time(5), most);
            assert_eq!((seen.number.as_str(), seen.name), ("+14155550123", Some("Ana")));
            let body = |item| match item {
                OnScreen::Text(text) => text.body,
                OnScreen::Reply(reply) => reply.body,
            };
            seen.shown.into_iter().map(body).collect()
        };
        assert_eq!(bodies(usize::MAX), ["text 1", "reply 2", "reply 3", "text 3"]);
        assert_eq!(bodies(1), ["reply 3", "text 3"]);
        assert_eq!(screen("+14155550177", &texts, &replies, Time(5), 9).shown, []);
        let json = serde_json::to_value(screen("+14155550199", &texts, &replies, Time(5), 9)).unwrap();
        assert_eq!((&json["shown"][0]["kind"], &json["name"]), (&serde_json::json!("text"), &serde_json::Value::Null));
    }
}
