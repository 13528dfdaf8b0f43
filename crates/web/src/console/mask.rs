//! Hides phone numbers and secrets in text that others wrote.
//!
//! Its own file because it must be easy to check: vendors repeat numbers in their messages, hooks carry them in
//! bodies and URLs. It hides rather too much: a long id may lose its middle, a number never shows.

use serde_json::Value;
use trunkline_core::number::Number;

/// What stands for a secret.
pub(crate) const HIDDEN: &str = "•••";

/// Names of headers and fields whose values are never shown.
const SECRETS: [&str; 12] = ["authorization", "cookie", "token", "secret", "signature", "hmac", "password", "passwd", "credential", "api_key", "apikey", "access_key"];

/// Whether a header or field of this name may hold a secret.
pub(crate) fn secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SECRETS.iter().any(|word| name.contains(word))
}

/// A label's value: shown as it is, since people search for it, unless it is a phone number.
pub(super) fn label(value: &str) -> String {
    Number::parse(value, None).map_or_else(|_| value.to_owned(), |number| number.masked())
}

/// One-time codes: every digit hidden.
pub(super) fn digits(text: &str) -> String {
    text.chars().map(|c| if c.is_numeric() { '•' } else { c }).collect()
}

/// The text with the middle of every phone number hidden: after a `+` from 7 digits, otherwise from 10 to 15.
pub(crate) fn numbers(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        if let Some((end, digits)) = number_at(&chars, at) {
            let (front, mut seen) = (digits.saturating_sub(8).min(4), 0);
            for &c in chars.get(at..end).unwrap_or_default() {
                let digit = c.is_ascii_digit();
                let shown = !digit || seen < front || seen + 4 >= digits;
                out.push(if shown { c } else { '•' });
                seen += usize::from(digit);
            }
            at = end;
        } else {
            out.push(c);
            at += 1;
        }
    }
    out
}

/// Where the number that starts here ends, and how many digits it has.
fn number_at(chars: &[char], at: usize) -> Option<(usize, usize)> {
    let before = |n: usize| at.checked_sub(n).and_then(|i| chars.get(i)).copied();
    let here = *chars.get(at)?;
    if matches!(here, '+' | '＋') {
        return run(chars, at + 1, true).filter(|(_, digits)| *digits >= 7);
    }
    if !here.is_ascii_digit() {
        return None;
    }
    // A `+` that a URL or a form has encoded.
    if matches!((before(3), before(2), before(1)), (Some('%'), Some('2'), Some('B' | 'b'))) {
        return run(chars, at, true).filter(|(_, digits)| *digits >= 7);
    }
    if before(1).is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let whole = |found: &(usize, usize)| (10..=15).contains(&found.1) && chars.get(found.0).is_none_or(|c| !c.is_alphanumeric() && *c != '_');
    run(chars, at, false).filter(whole).or_else(|| if date(chars, at) { None } else { run(chars, at, true).filter(whole) })
}

/// The digits from here on, with what people put between them if `spaced`: (end, how many).
fn run(chars: &[char], start: usize, spaced: bool) -> Option<(usize, usize)> {
    let (mut at, mut end, mut digits, mut between) = (start, start, 0, 0);
    while let Some(c) = chars.get(at) {
        if c.is_ascii_digit() {
            (digits, between, end) = (digits + 1, 0, at + 1);
        } else if spaced && matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}') && between < 2 {
            between += 1;
        } else {
            break;
        }
        at += 1;
    }
    (digits > 0).then_some((end, digits))
}

/// `2026-11-23`: digits and dashes too, but no number.
fn date(chars: &[char], at: usize) -> bool {
    let shape = "dddd-dd-dd";
    shape.chars().enumerate().all(|(n, expect)| chars.get(at + n).is_some_and(|c| if expect == 'd' { c.is_ascii_digit() } else { *c == expect }))
}

/// A URL without its password, the secrets in its query, and numbers.
pub(crate) fn url(text: &str) -> String {
    let (place, query) = text.split_once('?').map_or((text, None), |(place, query)| (place, Some(query)));
    let place = match place.split_once("://") {
        Some((scheme, rest)) => match rest.split_once('@') {
            Some((user, host)) if !user.contains('/') => format!("{scheme}://{HIDDEN}@{host}"),
            _ => place.to_owned(),
        },
        None => place.to_owned(),
    };
    let shown = match query {
        Some(query) => {
            let pairs: Vec<String> = query.split('&').map(pair).collect();
            format!("{place}?{}", pairs.join("&"))
        }
        None => place,
    };
    numbers(&shown)
}

fn pair(text: &str) -> String {
    match text.split_once('=') {
        Some((name, _)) if secret(name) => format!("{name}={HIDDEN}"),
        _ => text.to_owned(),
    }
}

/// Hides the values of secret fields, at any depth.
pub(super) fn secrets_in(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields.iter_mut() {
                if secret(name) && !inner.is_null() {
                    *inner = Value::String(HIDDEN.to_owned());
                } else {
                    secrets_in(inner);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(secrets_in),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_never_shows() {
        for (text, expect) in [
            ("to +14155550123.", "to +141••••0123."),
            ("+6531234567", "+65••••4567"),
            ("To=%2B14155550123&From=%2b4915112345678", "To=%2B141••••0123&From=%2b4915•••••5678"),
            ("call (415) 555-0123 now", "call (41•) •••-0123 now"),
            ("415.555.0123", "41•.•••.0123"),
            ("14155550123", "141••••0123"),
            ("7777777 4155550123", "7777777 41••••0123"),
            ("5123456789012 4155550123", "5123•••••9012 41••••0123"),
            ("SM0123456789012345 and msg_aaaa2345672345", "SM0123456789012345 and msg_aaaa2345672345"),
            ("2026-11-23 14:05:09", "2026-11-23 14:05:09"),
            ("order 1042, code 30003, 12345", "order 1042, code 30003, 12345"),
            ("é 4155550123 é", "é 41••••0123 é"),
            ("", ""),
        ] {
            assert_eq!(numbers(text), expect, "{text}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        assert!(secret("X-Twilio-Signature") && secret("Set-Cookie") && secret("access-key") && !secret("Content-Type"));
        assert_eq!(url("https://u:p@h.example/hooks/a?token=abc&to=%2B14155550123"), "https://•••@h.example/hooks/a?token=•••&to=%2B141••••0123");
        assert_eq!(url("/hooks/a@b"), "/hooks/a@b");
        let mut body = json!({"a": [{"ApiKey": "k", "note": "n"}], "token": null});
        secrets_in(&mut body);
        assert_eq!(body, json!({"a": [{"ApiKey": "•••", "note": "n"}], "token": null}));
        assert_eq!(digits("Your code is 123 456"), "Your code is ••• •••");
        assert_eq!((label("#1042").as_str(), label("+14155550123").as_str()), ("#1042", "+141••••0123"));
    }
}
