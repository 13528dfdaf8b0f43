//! Consent that runs out by law: after how long, counted from what, and which law says so.
//!
//! Its own file because the rules are data that lawyers read. A lapse is never written to a row: it is computed from the
//! grant when somebody asks, so that nothing has to run for consent to end. Opt-outs never lapse.

use jiff::tz::TimeZone;

use super::entry::Basis;
use super::state::Scoped;
use crate::purpose::Purpose;
use crate::time::Time;

/// What it means for a rule that the person confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirming {
    /// The time begins anew.
    Renews,
    /// It is no longer the kind of consent that runs out.
    Ends,
}

/// One rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LapseRule {
    /// Its name in findings.
    pub name: &'static str,
    /// The country whose law it is.
    pub country: &'static str,
    /// The grounds that it limits; none means all of them.
    pub bases: &'static [Basis],
    /// The purposes that it limits.
    pub purposes: &'static [Purpose],
    /// How many months consent lasts.
    pub months: i64,
    /// What a confirmation does.
    pub confirming: Confirming,
    /// Where it is written.
    pub source: &'static str,
}

/// Every rule. What counts from a last contact is not among them, since a ledger of consent does not know of that.
pub const LAPSES: &[LapseRule] = &[
    LapseRule {
        name: "casl_purchase",
        country: "CA",
        bases: &[Basis::ImpliedPurchase, Basis::ExistingRelationship],
        purposes: &[Purpose::Marketing],
        months: 24,
        confirming: Confirming::Ends,
        source: "CASL, section 10(10): implied consent ends two years after the purchase or the end of the contract",
    },
    LapseRule {
        name: "casl_inquiry",
        country: "CA",
        bases: &[Basis::ImpliedInquiry],
        purposes: &[Purpose::Marketing],
        months: 6,
        confirming: Confirming::Ends,
        source: "CASL, section 10(10): implied consent ends six months after the inquiry",
    },
    LapseRule {
        name: "kr_reconfirmation",
        country: "KR",
        bases: &[],
        purposes: &[Purpose::Marketing],
        months: 24,
        confirming: Confirming::Renews,
        source: "Network Act of Korea, article 50(8): consent to advertising is confirmed every two years",
    },
];

/// When a grant runs out, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lapse {
    /// From this instant on it does not count.
    pub at: Time,
    /// The rule.
    pub rule: &'static LapseRule,
}

/// When a grant runs out for a purpose; the earliest, if several rules say so.
pub fn lapse(grant: &Scoped, purpose: Purpose) -> Option<Lapse> {
    LAPSES.iter().filter(|rule| rule.limits(grant, purpose)).map(|rule| Lapse { at: months_after(rule.begins(grant), rule.months), rule }).min_by_key(|l| l.at)
}

impl LapseRule {
    fn limits(&self, grant: &Scoped, purpose: Purpose) -> bool {
        let country = grant.jurisdiction.as_deref().map(|j| j.split('-').next().unwrap_or(j));
        // A ground that is named after a law falls under it, unless somebody said otherwise.
        let here = country.map_or(!self.bases.is_empty(), |c| c == self.country);
        let ground = self.bases.is_empty() || grant.basis.is_some_and(|b| self.bases.contains(&b));
        let stands = grant.confirmed.is_none() || self.confirming == Confirming::Renews;
        here && ground && stands && self.purposes.contains(&purpose)
    }

    fn begins(&self, grant: &Scoped) -> Time {
        let confirmed = grant.confirmed.as_ref().map(|c| c.at).filter(|_| self.confirming == Confirming::Renews);
        confirmed.map_or(grant.since.at, |c| c.max(grant.since.at))
    }
}

/// The same day so many calendar months later, or the last day of that month.
fn months_after(at: Time, months: i64) -> Time {
    let there = at.timestamp().to_zoned(TimeZone::UTC).saturating_add(jiff::Span::new().months(months));
    Time(there.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::super::state::Since;
    use super::*;

    fn t(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn grant(basis: Option<Basis>, jurisdiction: Option<&str>, at: &str, confirmed: Option<&str>) -> Scoped {
        let since = |at: &str| Since { at: t(at), evidence: "form".into() };
        Scoped { basis, jurisdiction: jurisdiction.map(str::to_owned), confirmed: confirmed.map(since), ..Scoped::of(None, None, since(at)) }
    }

    #[test]
    fn each_rule_ends_on_its_day() {
        use Basis::{ExistingRelationship, Express, ImpliedInquiry, ImpliedPurchase};
        let day = "2024-02-29T10:00:00Z";
        for (name, grant, purpose, expect) in [
            ("bought in Canada", grant(Some(ImpliedPurchase), Some("CA-ON"), day, None), Purpose::Marketing, Some(("casl_purchase", "2026-02-28T10:00:00Z"))),
            ("business in Canada", grant(Some(ExistingRelationship), Some("CA"), day, None), Purpose::Marketing, Some(("casl_purchase", "2026-02-28T10:00:00Z"))),
            ("asked in Canada", grant(Some(ImpliedInquiry), Some("CA"), day, None), Purpose::Marketing, Some(("casl_inquiry", "2024-08-29T10:00:00Z"))),
            ("asked, nobody knows where", grant(Some(ImpliedInquiry), None, day, None), Purpose::Marketing, Some(("casl_inquiry", "2024-08-29T10:00:00Z"))),
            ("asked elsewhere", grant(Some(ImpliedInquiry), Some("US"), day, None), Purpose::Marketing, None),
            ("bought, then said yes", grant(Some(ImpliedPurchase), Some("CA"), day, Some(day)), Purpose::Marketing, None),
            ("said so in Canada", grant(Some(Express), Some("CA"), day, None), Purpose::Marketing, None),
            ("not marketing", grant(Some(ImpliedInquiry), Some("CA"), day, None), Purpose::Service, None),
            ("Korea", grant(Some(Express), Some("KR"), day, None), Purpose::Marketing, Some(("kr_reconfirmation", "2026-02-28T10:00:00Z"))),
            ("Korea, confirmed", grant(None, Some("KR"), day, Some("2025-06-01T00:00:00Z")), Purpose::Marketing, Some(("kr_reconfirmation", "2027-06-01T00:00:00Z"))),
            ("nothing known", grant(None, None, day, None), Purpose::Marketing, None),
        ] {
            assert_eq!(lapse(&grant, purpose).map(|l| (l.rule.name, l.at)), expect.map(|(rule, at)| (rule, t(at))), "{name}");
        }
    }

    #[test]
    fn every_rule_says_where_it_is_written() {
        for rule in LAPSES {
            assert!(rule.months > 0 && !rule.source.is_empty() && rule.country.len() == 2 && !rule.purposes.is_empty(), "{}", rule.name);
        }
    }
}
