//! How a language writes: its fallbacks, its plural forms, its numbers, amounts, dates and times.
//!
//! Its own file because it is the only one that asks ICU4X, whose CLDR data is compiled in. What CLDR writes with
//! characters that would turn a text to UCS-2 for nothing (no-break spaces, a long minus) is written plainly here. Amounts
//! have a small table of our own: ICU4X has none that is stable.

use icu_datetime::fieldsets::{MDE, T, YMD};
use icu_datetime::input::{Date, Time};
use icu_datetime::{DateTimeFormatter, NoCalendarFormatter};
use icu_decimal::DecimalFormatter;
use icu_decimal::input::Decimal;
use icu_locale_core::subtags::Region;
use icu_plurals::{PluralCategory, PluralRules};
use jiff::civil;

/// The plural forms that some language has, as templates name them. Every language has the last one.
pub(crate) const FORMS: [&str; 6] = ["zero", "one", "two", "few", "many", "other"];

/// A language, perhaps of one region.
pub(crate) struct Locale(icu_locale_core::Locale);

/// How long a date is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateStyle {
    /// Numbers only.
    Short,
    /// An abbreviated month.
    Medium,
    /// The month in full.
    Long,
    /// Weekday, month and day: for what is soon.
    Day,
}

impl DateStyle {
    /// The style of a name.
    pub(crate) fn of(name: &str) -> Option<DateStyle> {
        match name {
            "short" => Some(DateStyle::Short),
            "medium" => Some(DateStyle::Medium),
            "long" => Some(DateStyle::Long),
            "day" => Some(DateStyle::Day),
            _ => None,
        }
    }
}

/// The locales that stand in for one, itself first: `zh-Hant-TW`, `zh-Hant`, `zh`. As RFC 4647 looks them up.
pub(crate) fn fallbacks(locale: &str) -> Vec<String> {
    let mut at = locale.replace('_', "-");
    let mut all = Vec::new();
    while !at.is_empty() {
        all.push(at.clone());
        let mut pieces: Vec<&str> = at.split('-').collect();
        pieces.pop();
        // A single letter introduces what follows it, and means nothing alone.
        if pieces.len() > 1 && pieces.last().is_some_and(|piece| piece.len() == 1) {
            pieces.pop();
        }
        at = pieces.join("-");
    }
    all
}

/// The language of a locale, such as `fr` of `fr-CA`.
pub(crate) fn language(locale: &str) -> &str {
    locale.split(['-', '_']).next().unwrap_or_default()
}

impl Locale {
    /// Of a tag such as `fr-CA`; English if it is none.
    pub(crate) fn of(tag: &str) -> Locale {
        Locale(tag.replace('_', "-").parse().unwrap_or(icu_locale_core::locale!("en")))
    }

    /// Which plural form a number takes.
    pub(crate) fn form(&self, number: &Decimal) -> &'static str {
        let Ok(rules) = PluralRules::try_new_cardinal((&self.0).into()) else { return "other" };
        match rules.category_for(number) {
            PluralCategory::Zero => "zero",
            PluralCategory::One => "one",
            PluralCategory::Two => "two",
            PluralCategory::Few => "few",
            PluralCategory::Many => "many",
            PluralCategory::Other => "other",
        }
    }

    /// A number, with at most or exactly so many decimals if given.
    pub(crate) fn number(&self, number: &Decimal, decimals: Option<i16>) -> String {
        let mut number = number.clone();
        if let Some(decimals) = decimals {
            number.round(-decimals);
            number.absolute.pad_end(-decimals);
        }
        let written = DecimalFormatter::try_new((&self.0).into(), icu_decimal::options::DecimalFormatterOptions::default());
        written.map_or_else(|_| number.to_string(), |formatter| plain(&formatter.format(&number).to_string()))
    }

    /// An amount of money, with the decimals of its currency.
    pub(crate) fn amount(&self, amount: &Decimal, currency: &str) -> String {
        let written = self.number(amount, Some(decimals(currency)));
        let (sign, digits) = written.strip_prefix('-').map_or(("", written.as_str()), |digits| ("-", digits));
        let mark = self.mark(currency).unwrap_or(currency);
        match self.place() {
            Place::Before if mark.chars().all(char::is_alphabetic) => format!("{sign}{mark} {digits}"),
            Place::Before => format!("{sign}{mark}{digits}"),
            Place::Apart => format!("{mark} {sign}{digits}"),
            Place::After => format!("{sign}{digits} {mark}"),
        }
    }

    /// A date.
    pub(crate) fn date(&self, date: civil::Date, style: DateStyle) -> String {
        let month_and_day = u8::try_from(date.month()).ok().zip(u8::try_from(date.day()).ok());
        let given = month_and_day.and_then(|(month, day)| Date::try_new_iso(i32::from(date.year()), month, day).ok());
        let Some(given) = given else { return date.to_string() };
        let written = match style {
            DateStyle::Short => DateTimeFormatter::try_new((&self.0).into(), YMD::short()).map(|f| f.format(&given).to_string()),
            DateStyle::Medium => DateTimeFormatter::try_new((&self.0).into(), YMD::medium()).map(|f| f.format(&given).to_string()),
            DateStyle::Long => DateTimeFormatter::try_new((&self.0).into(), YMD::long()).map(|f| f.format(&given).to_string()),
            DateStyle::Day => DateTimeFormatter::try_new((&self.0).into(), MDE::medium()).map(|f| f.format(&given).to_string()),
        };
        written.map_or_else(|_| date.to_string(), |text| plain(&text))
    }

    /// A time of day, in hours and minutes.
    pub(crate) fn time(&self, time: civil::Time) -> String {
        let hour_and_minute = u8::try_from(time.hour()).ok().zip(u8::try_from(time.minute()).ok());
        let given = hour_and_minute.and_then(|(hour, minute)| Time::try_new(hour, minute, 0, 0).ok());
        let Some(given) = given else { return time.to_string() };
        let written = NoCalendarFormatter::try_new((&self.0).into(), T::hm()).map(|f| f.format(&given).to_string());
        written.map_or_else(|_| time.to_string(), |text| plain(&text))
    }

    fn region(&self) -> Option<&str> {
        self.0.id.region.as_ref().map(Region::as_str)
    }

    /// The mark of a currency, where it can be meant by no other; its code is clear everywhere, and is GSM-7.
    fn mark(&self, currency: &str) -> Option<&'static str> {
        let dollars = || (currency == "USD" && self.region().is_none_or(|region| region == "US")) || self.region().is_some_and(|region| currency == format!("{region}D"));
        match currency {
            "EUR" => Some("€"),
            "GBP" => Some("£"),
            "JPY" => Some("¥"),
            "USD" | "CAD" | "AUD" | "NZD" | "SGD" | "HKD" if dollars() => Some("$"),
            _ => None,
        }
    }

    /// Where this language writes the mark.
    fn place(&self) -> Place {
        let (language, region) = (self.0.id.language.as_str(), self.region());
        let elsewhere = |home: &str| region.is_some_and(|region| region != home);
        let alps = matches!(region, Some("AT" | "CH" | "LI"));
        if language == "nl" || (language == "de" && alps) || (language == "pt" && elsewhere("PT")) {
            Place::Apart
        } else if MARK_FIRST.contains(&language) || (language == "es" && elsewhere("ES")) {
            Place::Before
        } else {
            Place::After
        }
    }
}

/// Languages that write the mark of a currency before the amount.
const MARK_FIRST: [&str; 21] = ["en", "zh", "ja", "ko", "th", "hi", "bn", "ta", "te", "mr", "gu", "kn", "ml", "pa", "id", "ms", "fil", "tr", "sw", "cy", "ga"];

/// Where the mark of a currency stands.
enum Place {
    /// `$5`.
    Before,
    /// `€ 5`.
    Apart,
    /// `5 €`.
    After,
}

/// How many decimals a currency has (ISO 4217).
fn decimals(currency: &str) -> i16 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// The same in characters that do not turn a text to UCS-2 on their own.
fn plain(text: &str) -> String {
    let one = |c| match c {
        '\u{a0}' | '\u{202f}' | '\u{2009}' => ' ',
        '\u{2212}' => '-',
        '\u{2019}' => '\'',
        other => other,
    };
    text.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn looks_up_as_rfc_4647_says() {
        assert_eq!(fallbacks("zh_Hant_TW"), ["zh-Hant-TW", "zh-Hant", "zh"]);
        assert_eq!(fallbacks("en-a-bbb"), ["en-a-bbb", "en"]);
        assert_eq!(fallbacks(""), Vec::<String>::new());
        assert_eq!((language("fr_CA"), language("fr"), language("")), ("fr", "fr", ""));
    }

    #[test]
    fn plural_forms_are_the_languages_own() {
        for (locale, number, form) in [
            ("en", "1", "one"),
            ("en", "1.0", "other"),
            ("en-GB", "0", "other"),
            ("fr-CA", "0", "one"),
            ("fr", "2", "other"),
            ("pl", "1", "one"),
            ("pl", "3", "few"),
            ("pl", "5", "many"),
            ("pl", "1.5", "other"),
            ("ar", "0", "zero"),
            ("ar", "2", "two"),
            ("ja", "1", "other"),
            ("no tag at all", "1", "one"),
        ] {
            assert_eq!(Locale::of(locale).form(&decimal(number)), form, "{number} in {locale}");
        }
        assert!(FORMS.contains(&"few") && FORMS.last() == Some(&"other"));
    }

    #[test]
    fn numbers_and_amounts() {
        let number = |locale: &str, text: &str| Locale::of(locale).number(&decimal(text), None);
        assert_eq!([number("en", "12345.67"), number("de", "12345.67"), number("fr", "12345.67")], ["12,345.67", "12.345,67", "12 345,67"]);
        assert_eq!(Locale::of("en").number(&decimal("2.345"), Some(1)), "2.3");
        for (locale, text, currency, expect) in [
            ("en", "89", "USD", "$89.00"),
            ("en-GB", "89", "USD", "USD 89.00"),
            ("en-CA", "-5.5", "CAD", "-$5.50"),
            ("en", "1234.5", "GBP", "£1,234.50"),
            ("fr-CA", "89.9", "CAD", "89,90 $"),
            ("fr", "1234.5", "EUR", "1 234,50 €"),
            ("de", "12", "CHF", "12,00 CHF"),
            ("nl", "12", "EUR", "€ 12,00"),
            ("ja", "1200", "JPY", "¥1,200"),
            ("en", "1.2345", "KWD", "KWD 1.234"),
        ] {
            assert_eq!(Locale::of(locale).amount(&decimal(text), currency), expect, "{text} {currency} in {locale}");
        }
    }

    #[test]
    fn dates_and_times() {
        let (date, time) = (civil::date(2026, 11, 25), civil::time(15, 30, 0, 0));
        for (locale, style, expect) in [
            ("en", DateStyle::Medium, "Nov 25, 2026"),
            ("en", DateStyle::Long, "November 25, 2026"),
            ("en", DateStyle::Day, "Wed, Nov 25"),
            ("en-GB", DateStyle::Medium, "25 Nov 2026"),
            ("de", DateStyle::Long, "25. November 2026"),
            ("fr", DateStyle::Long, "25 novembre 2026"),
        ] {
            assert_eq!(Locale::of(locale).date(date, style), expect, "{locale}");
        }
        let at = |locale: &str| Locale::of(locale).time(time);
        assert_eq!([at("en"), at("en-GB"), at("fr")], ["3:30 PM", "15:30", "15:30"]);
        assert!(["en", "fr", "de", "es"].iter().all(|l| crate::segment::first_beyond_gsm7(&at(l)).is_none()), "a time of day does not make a text dear");
    }
}
