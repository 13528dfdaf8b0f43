//! Phone numbers: parsed once at the border, masked ever after.
//!
//! Its own file because a number is personal data: the type prints masked, and only `e164()` gives it away. Line
//! types that need a vendor's look-up are not decided here.

use std::fmt;

use rlibphonenumber::enums::{PhoneNumberType, Region};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A possible phone number in E.164 form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(String);

/// What the numbering plan says about the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Can receive texts, as far as the plan tells.
    Mobile,
    /// A fixed line, certainly: no vendor is asked.
    Fixed,
    /// The plan does not tell mobile from fixed (all of North America), or it is some other kind.
    Unsure,
}

/// Why a text is not a number that can be texted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Nothing like a phone number.
    #[error("is not a phone number: write it in international form, such as +14155550123")]
    Unreadable,
    /// No `+` and no default region to read it by.
    #[error("has no country code: write it in international form, such as +14155550123, or set default_region")]
    NoCountry,
    /// Too short or too long for its country.
    #[error("is impossible: no number in its country has this many digits")]
    Impossible,
    /// Has an extension.
    #[error("has an extension: texts cannot reach extensions")]
    Extension,
}

impl Number {
    /// Reads what people type; `region` is the country for numbers without a `+`.
    pub fn parse(text: &str, region: Option<&str>) -> Result<Number, NumberError> {
        let trimmed = text.trim();
        if trimmed.is_empty() || trimmed.len() > 64 {
            return Err(NumberError::Unreadable);
        }
        let international = trimmed.strip_prefix("00").map(|rest| format!("+{rest}"));
        let candidate = international.as_deref().unwrap_or(trimmed);
        let region: Option<Region> = region.and_then(|r| r.parse().ok());
        if !candidate.starts_with(['+', '＋']) && region.is_none() {
            let digits = candidate.chars().filter(char::is_ascii_digit).count();
            return Err(if digits >= 5 { NumberError::NoCountry } else { NumberError::Unreadable });
        }
        let parsed = PHONE_NUMBER_UTIL.parse(candidate, region).map_err(|_| NumberError::Unreadable)?;
        if parsed.extension.as_deref().is_some_and(|e| !e.is_empty()) {
            return Err(NumberError::Extension);
        }
        parsed.is_possible_with_reason().map_err(|_| NumberError::Impossible)?;
        Ok(Number(parsed.format_as(PhoneNumberFormat::E164).into_owned()))
    }

    /// A number already known to be E.164: rows of the store.
    pub fn from_stored(e164: String) -> Number {
        Number(e164)
    }

    /// The number itself: for vendors and keyed hashes, never for logs.
    pub fn e164(&self) -> &str {
        &self.0
    }

    /// The country, if the plan tells.
    pub fn region(&self) -> Option<String> {
        let parsed = PHONE_NUMBER_UTIL.parse(&self.0, None).ok()?;
        parsed.get_region_code().map(|r| r.to_string())
    }

    /// Whether a text can arrive there at all.
    pub fn line(&self) -> Line {
        match self.kind() {
            "mobile" => Line::Mobile,
            "fixed_line" => Line::Fixed,
            _ => Line::Unsure,
        }
    }

    /// The word for what the plan says the number is for, such as `mobile` or `fixed_line_or_mobile`; `unknown` where it
    /// has no such number.
    pub fn kind(&self) -> &'static str {
        let Ok(parsed) = PHONE_NUMBER_UTIL.parse(&self.0, None) else { return "unknown" };
        match parsed.get_type() {
            PhoneNumberType::FixedLine => "fixed_line",
            PhoneNumberType::Mobile => "mobile",
            PhoneNumberType::FixedLineOrMobile => "fixed_line_or_mobile",
            PhoneNumberType::TollFree => "toll_free",
            PhoneNumberType::PremiumRate => "premium_rate",
            PhoneNumberType::SharedCost => "shared_cost",
            PhoneNumberType::VoIP => "voip",
            PhoneNumberType::PersonalNumber => "personal_number",
            PhoneNumberType::Pager => "pager",
            PhoneNumberType::UAN => "uan",
            PhoneNumberType::VoiceMail => "voicemail",
            PhoneNumberType::Unknown => "unknown",
        }
    }

    /// `+1415•••0123`: enough to recognise, not enough to call.
    pub fn masked(&self) -> String {
        let chars: Vec<char> = self.0.chars().collect();
        let (keep_front, keep_back) = (chars.len().saturating_sub(8).min(5), 4);
        let hidden = chars.len().saturating_sub(keep_front + keep_back);
        chars.iter().take(keep_front).copied().chain(std::iter::repeat_n('•', hidden)).chain(chars.iter().skip(keep_front + hidden).copied()).collect()
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Number, D::Error> {
        let text = String::deserialize(d)?;
        // It was parsed before it was written, and is read back many times: only its form is looked at.
        let digits = text.strip_prefix('+').unwrap_or_default();
        let whole = (5..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if whole { Ok(Number(text)) } else { Err(serde::de::Error::custom("phone number is not in E.164 form")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_type() {
        for (text, region, expect) in [
            ("+1 (415) 555-0123", None, "+14155550123"),
            ("0044 7400 123456", None, "+447400123456"),
            ("(415) 555-0123", Some("US"), "+14155550123"),
            ("+39 06 1234567", None, "+39061234567"),
            ("+14155550123", Some("DE"), "+14155550123"),
        ] {
            assert_eq!(Number::parse(text, region).unwrap().e164(), expect, "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, region, expect) in [
            ("", None, NumberError::Unreadable),
            ("hello", Some("US"), NumberError::Unreadable),
            ("415 555 0123", None, NumberError::NoCountry),
            ("+1415555012", None, NumberError::Impossible),
            ("+141555501234567", None, NumberError::Impossible),
            ("+1 415 555 0123 ext. 5", None, NumberError::Extension),
        ] {
            assert_eq!(Number::parse(text, region), Err(expect), "{text}");
        }
    }

    #[test]
    fn knows_fixed_lines_where_the_plan_is_certain() {
        for (text, expect) in [("+442079460123", Line::Fixed), ("+447400123456", Line::Mobile), ("+14155550123", Line::Unsure), ("+390612345678", Line::Fixed)] {
            assert_eq!(Number::parse(text, None).unwrap().line(), expect, "{text}");
        }
    }

    #[test]
    fn knows_the_country_of_a_number() {
        assert_eq!(Number::parse("+16045550123", None).unwrap().region().as_deref(), Some("CA"), "one plan, several countries");
        assert_eq!(Number::parse("+33639980123", None).unwrap().region().as_deref(), Some("FR"));
    }

    #[test]
    fn says_what_a_number_is_for() {
        for (text, expect) in [("+447400123456", "mobile"), ("+442079460123", "fixed_line"), ("+14155550123", "fixed_line_or_mobile"), ("+18005550123", "toll_free")] {
            assert_eq!(Number::parse(text, None).unwrap().kind(), expect, "{text}");
        }
    }

    #[test]
    fn never_prints_itself() {
        let number = Number::parse("+14155550123", None).unwrap();
        assert_eq!(format!("{number} {number:?}"), "+141••••0123 +141••••0123");
        assert!(!Number::parse("+6531234567", None).unwrap().masked().contains("3123"));
    }
}
