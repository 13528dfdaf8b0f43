//! A raw hook or request as it can be shown: method, URL, headers and body, without secrets and numbers.
//!
//! Its own file because the store keeps hooks untouched and this is the one place that shows them. It decodes for
//! reading only; what a hook means is on the timeline.

use serde_json::Value;
use trunkline_store::row::Hook;

use super::mask;
use super::said::Said;
use super::view::When;

/// The most of a body that is shown, in characters.
const MOST: usize = 8 * 1024;
/// The largest body that is read as JSON for showing.
const LARGEST_JSON: usize = 64 * 1024;

/// A hook in a fold of the timeline.
pub(super) struct HookView {
    /// When it was received.
    pub(super) when: When,
    /// Its id.
    pub(super) id: String,
    /// The method.
    pub(super) method: String,
    /// The URL.
    pub(super) url: String,
    /// What came of it.
    pub(super) note: Said,
    /// The headers, in the order received.
    pub(super) headers: Vec<(String, String)>,
    /// The body.
    pub(super) body: String,
    /// Whether the body goes on.
    pub(super) cut: bool,
}

impl HookView {
    /// Shows a hook; `code` says that its body may carry a one-time code.
    pub(super) fn new(hook: &Hook, code: bool) -> HookView {
        let kind = hook.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type")).map_or("", |(_, value)| value.as_str());
        let whole = if code { "Not shown: it may carry a one-time code.".to_owned() } else { body(kind, &hook.body) };
        let shown: String = whole.chars().take(MOST).collect();
        HookView {
            when: When::from(hook.received_at),
            id: hook.id.to_string(),
            method: hook.method.clone(),
            url: mask::url(&hook.url),
            note: Said::new(&hook.note),
            headers: hook.headers.iter().map(|(name, value)| (name.clone(), header(name, value))).collect(),
            cut: shown.len() < whole.len() || hook.body.len() > LARGEST_JSON,
            body: shown,
        }
    }
}

/// The beginning of a body of which no more was kept than its first part, and of whose kind nothing is known.
pub(super) fn beginning(kept: &str, most: usize) -> String {
    let whole = if kept.is_empty() {
        "(empty)".to_owned()
    } else if let Ok(mut value) = serde_json::from_str::<Value>(kept) {
        mask::secrets_in(&mut value);
        mask::numbers(&value.to_string())
    } else if kept.starts_with(char::is_alphanumeric) && kept.contains('=') && !kept.contains(char::is_whitespace) {
        form(kept).replace('\n', "; ")
    } else if mask::secret(kept) {
        "(not shown: it may hold a secret)".to_owned()
    } else {
        mask::numbers(kept)
    };
    let shown: String = whole.chars().take(most).collect();
    if shown.len() < whole.len() { format!("{shown}…") } else { shown }
}

fn header(name: &str, value: &str) -> String {
    if mask::secret(name) { mask::HIDDEN.to_owned() } else { mask::url(value) }
}

/// The body for reading: forms as one field a line, JSON indented, anything else as text.
fn body(kind: &str, bytes: &[u8]) -> String {
    let bytes = bytes.get(..LARGEST_JSON).unwrap_or(bytes);
    if bytes.is_empty() {
        return "(empty)".to_owned();
    }
    if kind.starts_with("application/x-www-form-urlencoded") {
        return form(&String::from_utf8_lossy(bytes));
    }
    if let Ok(mut value) = serde_json::from_slice::<Value>(bytes) {
        mask::secrets_in(&mut value);
        return mask::numbers(&format!("{value:#}"));
    }
    mask::numbers(&String::from_utf8_lossy(bytes))
}

fn form(text: &str) -> String {
    let lines: Vec<String> = text
        .split('&')
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name), decode(value));
            let value = if mask::secret(&name) { mask::HIDDEN.to_owned() } else { mask::numbers(&value) };
            format!("{name} = {value}")
        })
        .collect();
    lines.join("\n")
}

/// Percent-decodes; what is no encoding stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16)).and_then(|n| u8::try_from(n).ok());
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::id::HookId;
    use trunkline_core::time::Time;
    use trunkline_store::row::{HookLane, HookState};

    fn hook(kind: &str, body: &[u8]) -> Hook {
        Hook {
            id: HookId::new(1, Time(1), [2; 16]),
            name: "main".into(),
            lane: HookLane::Receipt,
            method: "POST".into(),
            url: "https://trunk.example/hooks/main?attempt=msg_a-1".into(),
            headers: vec![("Content-Type".into(), kind.into()), ("X-Twilio-Signature".into(), "c2VjcmV0".into())],
            body: body.to_vec(),
            received_at: Time(1_700_000_000_000_000),
            state: HookState::Done,
            tries: 1,
            note: "1 receipt".into(),
        }
    }

    #[test]
    fn forms_are_read_and_masked() {
        let view = HookView::new(&hook("application/x-www-form-urlencoded; charset=utf-8", b"MessageStatus=delivered&To=%2B14155550123&Body=a+b%21&AuthToken=x&%zz=%4"), false);
        assert_eq!(view.body, "MessageStatus = delivered\nTo = +141••••0123\nBody = a b!\nAuthToken = •••\n%zz = %4");
        assert_eq!(view.headers.last().unwrap().1, "•••");
        assert!(!view.cut);
    }

    #[test]
    fn json_is_indented_and_masked() {
        let view = HookView::new(&hook("application/json", br#"{"phone":"\u002b14155550123","id":5,"token":"t"}"#), false);
        assert_eq!(view.body, "{\n  \"phone\": \"+141••••0123\",\n  \"id\": 5,\n  \"token\": \"•••\"\n}");
    }

    #[test]
    fn beginnings_hide_as_much() {
        for (kept, expect) in [
            ("", "(empty)"),
            (r#"{"to":"+14155550123","token":"t"}"#, r#"{"to":"+141••••0123","token":"•••"}"#),
            (r#"{"token": "abc", "to": "+1415"#, "(not shown: it may hold a secret)"),
            ("From=%2B14155550123&Token=x", "From = +141••••0123; Token = •••"),
            ("call +14155550123", "call +141••••0123"),
        ] {
            assert_eq!(beginning(kept, 200), expect, "{kept}");
        }
        assert_eq!(beginning("a long one", 6), "a long…");
    }

    #[test]
    fn long_and_secret_bodies() {
        let long = HookView::new(&hook("text/plain", "é".repeat(MOST + 1).as_bytes()), false);
        assert!(long.cut && long.body.chars().count() == MOST);
        let code = HookView::new(&hook("application/json", br#"{"code":"123456"}"#), true);
        assert!(!code.body.contains("123456"));
    }
}
