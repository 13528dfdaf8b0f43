//! What was said between us and one number: our texts and hers in one list, a page at a time.
//!
//! Its own file because two lists become one: a page ends at a place in each of them, so that the next one neither skips
//! nor repeats a text. It shows what was said; why a text did not leave is on the text's own page.

use std::cmp::Reverse;

use serde::Deserialize;
use trunkline_core::id::{InboundId, MessageId};
use trunkline_core::keyword::Keyword;
use trunkline_core::time::Time;
use trunkline_store::row::{Address, Inbound, Message, MessageFilter};
use trunkline_store::{Store, StoreError};

use super::clock::Clocks;
use super::mask;
use super::message;
use super::said::Said;
use super::view::{self, Pill, When};

/// How many texts are shown.
const MOST: usize = 50;
/// How many of her texts are looked through.
const MOST_HEARD: usize = 500;

/// Where a page begins: below a text of ours, and below one of hers.
#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(super) struct Place {
    before: String,
    heard: String,
}

/// One text.
pub(super) struct Bubble {
    /// `ours` or `theirs`.
    pub(super) side: &'static str,
    /// What it says, numbers and codes hidden.
    pub(super) body: String,
    /// When.
    pub(super) when: When,
    /// The same on the recipient's clock, or empty.
    pub(super) there: String,
    /// The page about it: our text's, or for hers the webhook that brought it.
    pub(super) href: String,
    /// What `href` leads to.
    pub(super) page: &'static str,
    /// What became of it.
    pub(super) pills: Vec<Pill>,
    /// Why, where it did not arrive.
    pub(super) why: Option<Said>,
}

/// A page of a conversation.
pub(super) struct Talk {
    /// The texts, newest last.
    pub(super) bubbles: Vec<Bubble>,
    /// The texts of ours among them, newest first.
    pub(super) messages: Vec<Message>,
    /// The page before it, if there is one.
    pub(super) earlier: Option<String>,
    /// The newest page, if this is another one.
    pub(super) newest: Option<String>,
}

/// Loads a page.
pub(super) async fn load(store: &dyn Store, address: &Address, place: &Place) -> Result<Talk, StoreError> {
    let (before, heard) = (place.before.parse::<MessageId>().ok(), place.heard.parse::<InboundId>().ok());
    let filter = MessageFilter { before, ..MessageFilter::of_address(address.id) };
    let (ours, hers) = tokio::try_join!(store.messages_matching(&filter, MOST + 1), store.inbound_of(address.id, MOST_HEARD))?;
    let (ours, hers, more) = page(ours, after(hers, heard), MOST);
    let href = format!("/addresses/{}", address.id);
    let earlier = more.then(|| {
        let before = ours.last().map(|message| message.id).or(before).map(|id| id.to_string()).unwrap_or_default();
        let heard = hers.last().map(|text| text.id).or(heard).map(|id| id.to_string()).unwrap_or_default();
        view::url(&href, &[("before", before.as_str()), ("heard", heard.as_str())])
    });
    let bubbles = bubbles(&ours, &hers, &Clocks::of(Some(address)));
    Ok(Talk { bubbles, messages: ours, earlier, newest: (before.is_some() || heard.is_some()).then_some(href) })
}

/// Her texts that are older than one of them.
fn after(hers: Vec<Inbound>, heard: Option<InboundId>) -> Vec<Inbound> {
    let skip = heard.and_then(|id| hers.iter().position(|text| text.id == id)).map_or(0, |at| at + 1);
    hers.into_iter().skip(skip).collect()
}

/// The newest of both together, both newest first; and whether some were left.
fn page(ours: Vec<Message>, hers: Vec<Inbound>, most: usize) -> (Vec<Message>, Vec<Inbound>, bool) {
    let mut places: Vec<(u64, bool)> = ours.iter().map(|message| (millis(message.id), true)).chain(hers.iter().map(|text| (text.received_at.millis(), false))).collect();
    places.sort_by_key(|(at, _)| Reverse(*at));
    let more = places.len() > most;
    places.truncate(most);
    let of_ours = places.iter().filter(|(_, ours)| *ours).count();
    let of_hers = places.len() - of_ours;
    (ours.into_iter().take(of_ours).collect(), hers.into_iter().take(of_hers).collect(), more)
}

/// When a message was due to be made: what its list is ordered by.
fn millis(id: MessageId) -> u64 {
    id.uuid.iter().take(6).fold(0, |millis, byte| (millis << 8) | u64::from(*byte))
}

fn bubbles(ours: &[Message], hers: &[Inbound], clocks: &Clocks) -> Vec<Bubble> {
    let mut all: Vec<(Time, Bubble)> = Vec::with_capacity(ours.len() + hers.len());
    // Both lists are newest first, and what happened at once keeps the order in which it is pushed.
    all.extend(ours.iter().rev().map(|message| (message.intent.created_at, our_bubble(message, clocks))));
    all.extend(hers.iter().rev().map(|text| (text.received_at, her_bubble(text, clocks))));
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, bubble)| bubble).collect()
}

fn our_bubble(message: &Message, clocks: &Clocks) -> Bubble {
    let at = message.intent.created_at;
    let arrived = matches!(view::tone(message.state.delivery()), "good" | "info");
    Bubble {
        side: "ours",
        body: message::shown_body(message),
        when: When::from(at),
        there: clocks.at(at),
        href: format!("/messages/{}", message.id),
        page: "Why",
        pills: view::pills(&message.state),
        why: (!arrived).then(|| view::one_line(&message.state)),
    }
}

fn her_bubble(text: &Inbound, clocks: &Clocks) -> Bubble {
    let pill = text.keyword.map(|keyword| match keyword {
        Keyword::Stop => Pill { tone: "bad", word: "opt-out" },
        Keyword::Start => Pill { tone: "good", word: "opt-in" },
        Keyword::Help => Pill { tone: "info", word: "help" },
    });
    Bubble {
        side: "theirs",
        body: mask::numbers(&text.body),
        when: When::from(text.received_at),
        there: clocks.at(text.received_at),
        href: format!("/webhooks/{}", text.hook),
        page: "Webhook",
        pills: pill.into_iter().collect(),
        why: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::id::{AddressId, HookId};

    fn hers(at: i64, n: u8) -> Inbound {
        Inbound {
            id: InboundId([n; 16]),
            address: AddressId([1; 16]),
            account: "main".into(),
            sender: "+15005550006".into(),
            body: "call +14155550123".into(),
            keyword: None,
            answers: None,
            received_at: Time(at * 1_000),
            hook: HookId::new(1, Time(at), [n; 16]),
        }
    }

    #[test]
    fn pages_of_her_texts_follow_each_other() {
        let all: Vec<Inbound> = (0..5).map(|n| hers(i64::from(9 - n), n)).collect();
        let (_, first, more) = page(Vec::new(), all.clone(), 3);
        assert_eq!((first.len(), more), (3, true));
        let (_, second, more) = page(Vec::new(), after(all.clone(), first.last().map(|text| text.id)), 3);
        assert_eq!((second.len(), more), (2, false));
        let seen: Vec<InboundId> = first.iter().chain(&second).map(|text| text.id).collect();
        assert_eq!(seen, all.iter().map(|text| text.id).collect::<Vec<_>>());
    }

    #[test]
    fn a_page_reads_downwards_and_hides_numbers() {
        let shown = bubbles(&[], &[hers(2, 2), hers(1, 1)], &Clocks::default());
        let sides: Vec<(&str, &str)> = shown.iter().map(|bubble| (bubble.side, bubble.body.as_str())).collect();
        assert_eq!(sides, [("theirs", "call +141••••0123"); 2]);
        assert!(shown.first().unwrap().when.rfc3339 <= shown.last().unwrap().when.rfc3339);
    }

    #[test]
    fn ids_tell_when_they_were_due() {
        assert_eq!(millis(MessageId::new(1, Time(1_800_000_000_123_456), [0xff; 16])), 1_800_000_000_123);
    }
}
