//! What texts may do with values: plural forms, numbers, amounts, dates and times, as their reader writes them.
//!
//! Its own file because these need to know whom a text is for. How a language writes is `locale`'s; an instant is shown
//! on the reader's own clock, and says which one if that is not certain.

use std::collections::BTreeSet;
use std::sync::Arc;

use icu_decimal::input::Decimal;
use jiff::Zoned;
use jiff::tz::TimeZone;
use minijinja::value::{Kwargs, Object};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use crate::locale::{DateStyle, FORMS, Locale};
use crate::time::Time;
use crate::zone;

/// Whom a text is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reader {
    /// Her language, as far as it is known.
    pub locale: String,
    /// The zones in which she may be.
    pub zones: Vec<String>,
    /// The language of texts that name none: of `default.txt`.
    pub house: String,
}

impl Object for Reader {}

/// Where filters find the reader: no expression can name this.
pub(super) const READER: &str = "(reader)";

/// Adds the filters.
pub(super) fn add_to(env: &mut Environment<'static>) {
    env.add_filter("plural", plural);
    env.add_filter("number", number);
    env.add_filter("currency", currency);
    env.add_filter("date", date);
    env.add_filter("time", time);
}

/// `{{ n | plural(one="one parcel", other="# parcels") }}`: the form that the number takes, with the number for `#`.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands its arguments over")]
fn plural(state: &State<'_, '_>, n: &Value, forms: Kwargs) -> Result<String, Error> {
    let (n, locale) = (decimal(n)?, locale(state));
    let wanted = locale.form(&n);
    let (mut form, mut other) = (None, None);
    for name in FORMS {
        let given: Option<String> = forms.get(name)?;
        if name == wanted {
            form.clone_from(&given);
        }
        // The last of the forms.
        other = given;
    }
    forms.assert_all_used()?;
    let Some(other) = other else { return Err(wrong("plural needs other=\"…\", the form of every number that has none of its own".to_owned())) };
    Ok(form.unwrap_or(other).replace('#', &locale.number(&n, None)))
}

/// `{{ n | number }}`, `{{ n | number(decimals=1) }}`.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands its arguments over")]
fn number(state: &State<'_, '_>, n: &Value, options: Kwargs) -> Result<String, Error> {
    let decimals: Option<i16> = options.get("decimals")?;
    options.assert_all_used()?;
    Ok(locale(state).number(&decimal(n)?, decimals.map(|d| d.clamp(0, 9))))
}

/// `{{ total | currency("EUR") }}`.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands its arguments over")]
fn currency(state: &State<'_, '_>, amount: &Value, code: String) -> Result<String, Error> {
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(wrong(format!("'{code}' is not the code of a currency: write three capital letters, such as EUR")));
    }
    Ok(locale(state).amount(&decimal(amount)?, &code))
}

/// `{{ at | date }}`, `{{ at | date("day") }}`: short, medium, long, or the day without its year.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands its arguments over")]
fn date(state: &State<'_, '_>, at: &Value, style: Option<String>, options: Kwargs) -> Result<String, Error> {
    let style = style.as_deref().unwrap_or("medium");
    let style = DateStyle::of(style).ok_or_else(|| wrong(format!("'{style}' is not a style of dates: write short, medium, long or day")))?;
    let clocks = clocks(state, at, &options)?;
    Ok(clocks.first().map(|there| locale(state).date(there.date(), style)).unwrap_or_default())
}

/// `{{ at | time }}`: on the reader's own clock. If she may be in several zones whose clocks differ, the first one is
/// taken and named.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands its arguments over")]
fn time(state: &State<'_, '_>, at: &Value, options: Kwargs) -> Result<String, Error> {
    let clocks = clocks(state, at, &options)?;
    let Some(first) = clocks.first() else { return Ok(String::new()) };
    let written = locale(state).time(first.time());
    let differ = clocks.iter().map(Zoned::datetime).collect::<BTreeSet<_>>().len() > 1;
    let certain = !differ && (options.has("zone") || !reader(state).zones.is_empty());
    Ok(if certain { written } else { format!("{written} {}", first.strftime("%Z")) })
}

/// An instant on every clock that the reader may have; in UTC if nothing is known of her.
fn clocks(state: &State<'_, '_>, at: &Value, options: &Kwargs) -> Result<Vec<Zoned>, Error> {
    let named: Option<String> = options.get("zone")?;
    options.assert_all_used()?;
    if at.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    let instant = at.to_string().parse::<Time>().map_err(|e| wrong(e.to_string()))?;
    let zones = match named {
        Some(name) => vec![zone::zone(&name).ok_or_else(|| wrong(format!("'{name}' is not a time zone: write one such as Europe/Paris")))?],
        None => reader(state).zones.iter().filter_map(|name| zone::zone(name)).collect(),
    };
    let zones = if zones.is_empty() { vec![TimeZone::UTC] } else { zones };
    Ok(zones.into_iter().map(|zone| instant.timestamp().to_zoned(zone)).collect())
}

fn reader(state: &State<'_, '_>) -> Arc<Reader> {
    state.lookup(READER).and_then(|value| value.downcast_object::<Reader>()).unwrap_or_default()
}

fn locale(state: &State<'_, '_>) -> Locale {
    Locale::of(&reader(state).locale)
}

fn decimal(value: &Value) -> Result<Decimal, Error> {
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    let text = value.to_string();
    text.trim().parse::<Decimal>().map_err(|_| wrong(format!("'{}' is not a number", text.chars().take(40).collect::<String>())))
}

fn wrong(what: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Engine;
    use super::*;

    fn render(locale: &str, zones: &[&str], source: &str) -> String {
        let reader = Reader { locale: locale.into(), zones: zones.iter().map(|z| (*z).to_owned()).collect(), house: "en".into() };
        let facts = json!({"n": 1, "many": 1234, "total": "89.9", "at": "2026-11-25T20:30:00Z", "word": "x"});
        Engine::new().render_for(source, &facts, &reader, 200).unwrap_or_else(|e| e.to_string())
    }

    #[test]
    fn as_the_reader_writes() {
        let parcels = "{{ n | plural(one='one parcel', other='# parcels') }}, {{ many | plural(one='one', other='# parcels') }}";
        for (locale, zones, source, expect) in [
            ("en", &[][..], parcels, "one parcel, 1,234 parcels"),
            ("pl", &[][..], "{{ 3 | plural(one='# paczka', few='# paczki', many='# paczek', other='# paczki') }}", "3 paczki"),
            ("pl", &[][..], "{{ 3 | plural(other='# paczek') }}", "3 paczek"),
            ("de", &[][..], "{{ many | number }} {{ total | number(decimals=2) }}", "1.234 89,90"),
            ("en", &[][..], "{{ total | currency('USD') }}", "$89.90"),
            ("en", &["America/New_York"][..], "{{ at | date }}, {{ at | time }}", "Nov 25, 2026, 3:30 PM"),
            ("en", &["America/New_York", "America/Detroit"][..], "{{ at | time }}", "3:30 PM"),
            ("en", &["America/New_York", "America/Denver"][..], "{{ at | time }}", "3:30 PM EST"),
            ("en", &[][..], "{{ at | time }}", "8:30 PM UTC"),
            ("en", &["America/New_York"][..], "{{ at | time(zone='Europe/Paris') }}", "9:30 PM"),
            ("en", &["Asia/Tokyo"][..], "{{ at | date('day') }}", "Thu, Nov 26"),
        ] {
            assert_eq!(render(locale, zones, source), expect, "{source} in {locale}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (source, words) in [
            ("{{ word | number }}", "'x' is not a number"),
            ("{{ nothing | number }}", "nothing is undefined"),
            ("{{ nothing | date }}", "nothing is undefined"),
            ("{{ word | date }}", "'x' is not an instant"),
            ("{{ at | date('huge') }}", "short, medium, long or day"),
            ("{{ at | time(zone='Mars') }}", "'Mars' is not a time zone"),
            ("{{ n | plural(one='1') }}", "plural needs other"),
            ("{{ n | plural(other='#', lots='#') }}", "lots"),
            ("{{ n | currency('euro') }}", "three capital letters"),
        ] {
            let said = render("en", &[], source);
            assert!(said.contains(words), "{source}: {said}");
        }
    }
}
