//! What Twilio can be asked afterwards: the texts between two numbers, and what happened since an instant.
//!
//! Its own file because asking is apart from sending. Twilio knows no reference of ours, so a text is recognised by its
//! recipient, its words and its time; what that proves is not decided here. Lists are newest first, and their dates are
//! RFC 2822 in whole seconds. A page's successor is only followed where it is a page of the same account.

use std::cmp::Reverse;

use bytes::Bytes;
use form_urlencoded::Serializer;
use serde::Deserialize;
use trunkline_core::time::{Span, Time};

use super::{Twilio, evidence};
use crate::http::{Reply, Request};
use crate::sms::ask::{Candidate, Listing, Looked, NotListed, Page, Sent};
use crate::sms::{Item, ProviderEvent};

/// How much earlier than our claim the vendor's clock may say that it took the text.
const CLOCKS: Span = Span::secs(60);
/// How much later: no call takes longer.
const WITHIN: Span = Span::mins(10);
/// Texts on a page. The vendor gives up to a thousand, which may be more than anybody reads of an answer.
const PAGE: &str = "200";

/// A page of texts.
#[derive(Deserialize)]
struct List {
    messages: Vec<Message>,
    next_page_uri: Option<String>,
}

/// As much of a text as is looked at.
#[derive(Deserialize)]
struct Message {
    sid: String,
    #[serde(default)]
    direction: String,
    status: Option<String>,
    error_code: Option<i64>,
    from: Option<String>,
    to: Option<String>,
    body: Option<String>,
    date_created: Option<String>,
    date_sent: Option<String>,
}

/// Asks for the texts between the two numbers.
pub(super) fn look_up(account: &Twilio, sent: &Sent<'_>) -> Request {
    // No filter by date: a text that is still queued has no date of sending, and would not be shown.
    let query = Serializer::new(String::new()).append_pair("To", sent.to).append_pair("From", sent.from).append_pair("PageSize", "50").finish();
    get(account, &format!("{}?{query}", account.messages()))
}

/// Those of them that may be the one.
pub(super) fn looked(sent: &Sent<'_>, reply: &Reply) -> Looked {
    match read(reply) {
        Ok(list) => {
            let mut found: Vec<Candidate> = list.messages.into_iter().filter_map(|message| message.candidate(sent)).collect();
            found.sort_by_key(|candidate| Reverse(candidate.taken_at));
            Looked::Found(found)
        }
        Err(NotListed { cause, retry_after }) => Looked::Unavailable { cause, retry_after },
    }
}

/// Asks for a page of the account's texts; nothing if the page is not one of this account's.
pub(super) fn list(account: &Twilio, listing: Listing, since: Time, page: Option<&str>) -> Option<Request> {
    if let Some(page) = page {
        return own_page(account, page).map(|path| get(account, path));
    }
    let sent_from = match listing {
        Listing::Inbound => Some(since.utc_day()),
        // A text that failed before it was sent has no date of sending, and is wanted all the same.
        Listing::Status => None,
    };
    let query = Serializer::new(String::new()).extend_pairs(sent_from.map(|day| ("DateSent>", day))).append_pair("PageSize", PAGE).finish();
    Some(get(account, &format!("{}?{query}", account.messages())))
}

/// Asks for the texts to one of our senders: without the ones that we sent, of which there are many more.
pub(super) fn list_to(account: &Twilio, sender: &str, since: Time) -> Request {
    let query = Serializer::new(String::new()).append_pair("To", sender).append_pair("DateSent>", &since.utc_day()).append_pair("PageSize", PAGE).finish();
    get(account, &format!("{}?{query}", account.messages()))
}

/// What the page says.
pub(super) fn listed(account: &Twilio, listing: Listing, since: Time, reply: &Reply) -> Result<Page, NotListed> {
    let list = read(reply)?;
    // A text that came in the same second may have come later than `since`; if it did not, it is a copy.
    let since = Time(since.0.div_euclid(1_000_000) * 1_000_000);
    let is_old = |message: &Message| message.at().is_some_and(|at| at < since);
    let ends = list.messages.iter().any(is_old);
    let next = match list.next_page_uri.as_deref().filter(|uri| !ends && !uri.is_empty()) {
        Some(uri) => Some(own_page(account, uri).ok_or_else(elsewhere)?.to_owned()),
        None => None,
    };
    let messages = list.messages.iter();
    let items = match listing {
        Listing::Inbound => messages.filter(|message| !is_old(message)).filter_map(|message| message.inbound(account)).collect(),
        // Old ones too: their states may be new.
        Listing::Status => messages.filter_map(|message| message.state(account)).collect(),
    };
    Ok(Page { items, next })
}

fn get(account: &Twilio, path: &str) -> Request {
    Request { method: ::http::Method::GET, url: format!("{}{path}", account.base()), headers: account.headers(), body: Bytes::new(), timeout: account.timeout }
}

/// The path of a page, if it is one of the account's own lists: our credentials go nowhere else.
fn own_page<'a>(account: &Twilio, uri: &'a str) -> Option<&'a str> {
    let path = uri.strip_prefix(account.base()).unwrap_or(uri);
    let query = path.strip_prefix(account.messages().as_str())?;
    query.starts_with('?').then_some(path)
}

/// Ending the list there would say that it was read to its end.
fn elsewhere() -> NotListed {
    NotListed { cause: "the next page is not one of this account's".to_owned(), retry_after: None }
}

/// The list in an answer. Why it cannot be read is not quoted: the words of the reader's error may be those of a text.
fn read(reply: &Reply) -> Result<List, NotListed> {
    let response = match reply {
        Ok(response) => response,
        Err(error) => return Err(NotListed { cause: error.to_string(), retry_after: None }),
    };
    let unreadable = |cause: String| NotListed { cause, retry_after: response.retry_after() };
    if response.status != 200 {
        return Err(unreadable(format!("HTTP {}", response.status)));
    }
    serde_json::from_slice(&response.body).map_err(|_| unreadable("HTTP 200 without a list of texts".to_owned()))
}

impl Message {
    /// When it happened: when it was sent, or else when it was made.
    fn at(&self) -> Option<Time> {
        let date = |text: Option<&str>| text.and_then(Time::from_rfc2822);
        date(self.date_sent.as_deref()).or_else(|| date(self.date_created.as_deref()))
    }

    fn is_outbound(&self) -> bool {
        self.direction.starts_with("outbound")
    }

    /// The error code as a callback has it: none instead of null or 0.
    fn code(&self) -> String {
        self.error_code.filter(|code| *code != 0).map(|code| code.to_string()).unwrap_or_default()
    }

    fn candidate(self, sent: &Sent<'_>) -> Option<Candidate> {
        let taken_at = Time::from_rfc2822(self.date_created.as_deref()?)?;
        let in_time = sent.claimed_at - CLOCKS <= taken_at && taken_at <= sent.claimed_at + WITHIN;
        // The sender is left to the filter: the vendor may not tell it before the text is sent.
        let same = self.is_outbound() && self.to.as_deref() == Some(sent.to) && self.body.as_deref() == Some(sent.body);
        if !(in_time && same) {
            return None;
        }
        let vendor_code = self.code();
        let status = self.status.unwrap_or_default();
        Some(Candidate { vendor_id: self.sid, evidence: evidence(&status), status, vendor_code, taken_at: Some(taken_at) })
    }

    fn inbound(&self, account: &Twilio) -> Option<Item> {
        let (from, to) = (self.from.as_deref()?, self.to.as_deref()?);
        if self.direction != "inbound" {
            return None;
        }
        let event = ProviderEvent::Inbound {
            vendor_id: self.sid.clone(),
            from: from.to_owned(),
            to: to.to_owned(),
            body: self.body.clone().unwrap_or_default(),
            // Only the hook says what the vendor took it for; the words themselves are still read.
            keyword: None,
        };
        Some(Item { key: account.inbound_key(&self.sid), at: self.at(), event })
    }

    fn state(&self, account: &Twilio) -> Option<Item> {
        let status = self.status.as_deref().filter(|word| !word.is_empty() && self.is_outbound())?;
        let vendor_code = self.code();
        let key = account.status_key(&self.sid, status, &vendor_code);
        let event = ProviderEvent::Status { attempt: None, vendor_id: self.sid.clone(), status: status.to_owned(), evidence: evidence(status), vendor_code };
        Some(Item { key, at: self.at(), event })
    }
}

#[cfg(test)]
#[path = "ask_tests.rs"]
mod tests;
