//! What texts cost: rate cards, as in `rates/*.csv`.
//!
//! Its own file because prices are somebody's contract: data with a source and a day on which it begins. It only
//! estimates; what a vendor bills is what it says afterwards. Money is integer micro-units with a currency, never mixed.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::value::{Error, MapDeserializer};

use crate::csv::{Cell, cells};

/// What one segment costs somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// Its name in the card.
    pub id: String,
    /// The provider.
    pub provider: String,
    /// The country, or `*`.
    pub country: String,
    /// The carrier, or `*`.
    pub carrier: String,
    /// The kind of sender, or `*`.
    pub sender_type: String,
    /// The currency, ISO 4217.
    pub currency: String,
    /// Micro-units for each segment, with the carrier's fee if that is for segments.
    pub segment: i64,
    /// Micro-units for each text: the carrier's fee if that is for texts.
    pub message: i64,
    /// The first day on which it is in force.
    pub valid_from: String,
    /// The first day on which it is not; empty if it stays.
    pub valid_to: String,
}

/// A rate card cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct CardError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

/// A line as it is written.
#[derive(Deserialize)]
struct Line {
    rate_id: String,
    provider: String,
    country: String,
    #[serde(default)]
    carrier: String,
    sender_type: String,
    direction: String,
    unit: String,
    per_unit: String,
    #[serde(default)]
    carrier_fee: String,
    #[serde(default)]
    fee_basis: String,
    currency: String,
    valid_from: String,
    #[serde(default)]
    valid_to: String,
}

/// The rates for texts that go out; or the first line that cannot be read. Lines about other things (numbers, texts that
/// come in) are read and left alone, and so are remarks, which begin with `#`.
pub fn parse(text: &str) -> Result<Vec<Rate>, CardError> {
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().map(|line| if line.starts_with('#') { "" } else { line }).collect();
    let rows = cells(&lines.join("\n")).map_err(|broken| CardError { line: broken.place.0, problem: format!("a value {}: {}", broken.problem, broken.fix) })?;
    let mut rows = rows.iter();
    let Some(head) = rows.next() else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for row in rows {
        let line = row.first().map_or(1, |cell| cell.place.0);
        all.extend(rate(head, row, line)?);
    }
    Ok(all)
}

fn rate(head: &[Cell], row: &[Cell], line: usize) -> Result<Option<Rate>, CardError> {
    let wrong = |problem: String| CardError { line, problem };
    if row.len() != head.len() {
        return Err(wrong(format!("has {} values, and {} columns are named", row.len(), head.len())));
    }
    let fields = head.iter().zip(row).map(|(name, value)| (name.text.trim(), value.text.trim()));
    let row = Line::deserialize(MapDeserializer::<_, Error>::new(fields)).map_err(|e| wrong(e.to_string()))?;
    if row.direction != "outbound" || row.unit != "segment" {
        return Ok(None);
    }
    if row.per_unit.is_empty() {
        return Err(wrong("per_unit is empty, and nothing goes out for nothing".to_owned()));
    }
    let (per_unit, fee) = (micros(&row.per_unit).map_err(|e| wrong(format!("per_unit {e}")))?, micros(&row.carrier_fee).map_err(|e| wrong(format!("carrier_fee {e}")))?);
    if row.currency.len() != 3 || !row.currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(wrong(format!("currency '{}' is not a code of three capital letters", row.currency)));
    }
    for day in [&row.valid_from, &row.valid_to] {
        if !day.is_empty() && day.parse::<jiff::civil::Date>().is_err() {
            return Err(wrong(format!("'{day}' is not a day: write it like 2026-01-31")));
        }
    }
    let (segment, message) = match row.fee_basis.as_str() {
        "" | "segment" => (per_unit + fee, 0),
        "message" => (per_unit, fee),
        other => return Err(wrong(format!("fee_basis '{other}' is neither segment nor message"))),
    };
    let any = |text: String| if text.is_empty() { "*".to_owned() } else { text };
    Ok(Some(Rate {
        id: row.rate_id,
        provider: row.provider,
        country: any(row.country),
        carrier: any(row.carrier),
        sender_type: any(row.sender_type),
        currency: row.currency,
        segment,
        message,
        valid_from: row.valid_from,
        valid_to: row.valid_to,
    }))
}

/// A decimal text in micro-units; an empty one is nothing.
fn micros(text: &str) -> Result<i64, String> {
    let wrong = || format!("'{text}' is not an amount: write it like 0.0083, with at most six decimals");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if text.is_empty() {
        return Ok(0);
    }
    if whole.is_empty() || whole.len() > 9 || part.len() > 6 || !digits(whole) || !digits(part) {
        return Err(wrong());
    }
    format!("{whole}{part:0<6}").parse().map_err(|_| wrong())
}

/// Micro-units as a decimal text with at least two decimals.
pub fn written(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let (whole, part) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let part = format!("{part:06}");
    let kept = part.trim_end_matches('0').len().max(2);
    format!("{sign}{whole}.{}", part.chars().take(kept).collect::<String>())
}

impl Rate {
    /// What a text of so many segments costs, in micro-units.
    pub fn cost(&self, segments: u32) -> i64 {
        self.segment.saturating_mul(i64::from(segments)).saturating_add(self.message)
    }

    /// Whether it is in force on a day such as `2026-11-23`.
    fn valid(&self, day: &str) -> bool {
        self.valid_from.as_str() <= day && (self.valid_to.is_empty() || day < self.valid_to.as_str())
    }
}

/// One rate for each country, provider and kind of sender that is in force: the one for any carrier, or else the dearest
/// carrier's. Of several the newest.
pub fn markets<'a>(rates: &'a [Rate], day: &str) -> Vec<&'a Rate> {
    let mut all: BTreeMap<(bool, &str, &str, &str), &Rate> = BTreeMap::new();
    for rate in rates.iter().filter(|rate| rate.valid(day)) {
        // Everywhere else comes last.
        let market = (rate.country == "*", rate.country.as_str(), rate.provider.as_str(), rate.sender_type.as_str());
        let better = |old: &Rate| (rate.carrier == "*", &rate.valid_from, rate.cost(1)) > (old.carrier == "*", &old.valid_from, old.cost(1));
        if all.get(&market).is_none_or(|old| better(old)) {
            all.insert(market, rate);
        }
    }
    all.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "rate_id,provider,country,carrier,sender_type,direction,unit,per_unit,carrier_fee,fee_basis,currency,valid_from,valid_to,source\n";

    fn card(lines: &str) -> Result<Vec<Rate>, CardError> {
        parse(&format!("# A card.\n{HEAD}{lines}"))
    }

    #[test]
    fn reads_what_goes_out() {
        let rates = card("a,twilio,US,*,10dlc,outbound,segment,0.0083,0.0045,segment,USD,2026-01-01,,\"a, b\"\nb,twilio,US,*,10dlc,rental,number_month,1.15,0,,USD,2026-01-01,,\nc,x,FR,*,*,outbound,segment,0.065,0.01,message,EUR,2026-01-01,,\n").unwrap();
        let costs: Vec<(&str, i64, i64)> = rates.iter().map(|r| (r.id.as_str(), r.cost(1), r.cost(3))).collect();
        assert_eq!(costs, [("a", 12_800, 38_400), ("c", 75_000, 205_000)]);
    }

    #[test]
    fn one_rate_a_market() {
        let rates = card(concat!(
            "att,t,US,AT&T,10dlc,outbound,segment,0.9,0,,USD,2026-01-01,,\n",
            "any,t,US,*,10dlc,outbound,segment,0.2,0,,USD,2026-01-01,,\n",
            "soon,t,US,*,10dlc,outbound,segment,0.3,0,,USD,2027-01-01,,\n",
            "gone,t,US,*,10dlc,outbound,segment,0.4,0,,USD,2025-01-01,2026-01-01,\n",
            "one,t,CA,A,*,outbound,segment,0.1,0,,CAD,2026-01-01,,\n",
            "two,t,CA,B,*,outbound,segment,0.2,0,,CAD,2026-01-01,,\n",
            "rest,t,*,*,*,outbound,segment,0.5,0,,USD,2026-01-01,,\n",
        ));
        let rates = rates.unwrap();
        let ids: Vec<&str> = markets(&rates, "2026-11-23").iter().map(|r| r.id.as_str()).collect();
        assert_eq!(ids, ["two", "any", "rest"]);
    }

    #[test]
    fn says_which_line_is_wrong() {
        for (line, words) in [
            ("a,t,US,*,*,outbound,segment,0.00000001,0,,USD,2026-01-01,,\n", "per_unit '0.00000001'"),
            ("a,t,US,*,*,outbound,segment,1,1e5,,USD,2026-01-01,,\n", "carrier_fee '1e5'"),
            ("a,t,US,*,*,outbound,segment,,0,,USD,2026-01-01,,\n", "per_unit is empty"),
            ("a,t,US,*,*,outbound,segment,1,0,perhaps,USD,2026-01-01,,\n", "fee_basis 'perhaps'"),
            ("a,t,US,*,*,outbound,segment,1,0,,dollars,2026-01-01,,\n", "currency 'dollars'"),
            ("a,t,US,*,*,outbound,segment,1,0,,USD,soon,,\n", "'soon' is not a day"),
        ] {
            let error = card(line).unwrap_err();
            assert!(error.line == 3 && error.problem.contains(words), "{error:?}");
        }
        assert!(card("a,t\n").is_err());
        assert!(parse("rate_id,provider\na,t\n").unwrap_err().problem.contains("missing field"));
    }

    #[test]
    fn amounts() {
        for (micros, text) in [(8_300, "0.0083"), (0, "0.00"), (1_500_000, "1.50"), (-250_000, "-0.25"), (1, "0.000001")] {
            assert_eq!(written(micros), text);
        }
    }
}
