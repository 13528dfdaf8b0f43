//! The week of a number: when each purpose may leave to it, as a picture and in words.
//!
//! Its own file because it is geometry beside sentences: where each bar of a day is, in units of the drawing. When texts
//! may leave is `trunkline_core::quiet`'s; the same in words is in the list under each picture.

use trunkline_core::purpose::Purpose;
use trunkline_core::quiet::{Answer, PictureDay, Question, Rule};
use trunkline_core::time::Time;
use trunkline_core::zone;
use trunkline_engine::Engine;
use trunkline_store::row::Address;

use super::said::Said;

/// The left edge of the hours, and the width of their row: five minutes are one unit.
const LEFT: i64 = 84;
const MINUTES_A_UNIT: i64 = 5;
/// The top of the first day, and the height of each.
const TOP: i64 = 18;
const ROW: i64 = 20;

/// The permitted hours of one purpose.
pub(super) struct Week {
    /// The purpose.
    pub(super) purpose: &'static str,
    /// Whether a text may leave now, and when it may next.
    pub(super) verdict: Said,
    /// The zone of its clock.
    pub(super) zone: String,
    /// The rules that bind it, each with its source.
    pub(super) rules: Vec<Said>,
    /// The days.
    pub(super) days: Vec<Day>,
    pub(super) width: i64,
    pub(super) height: i64,
    /// Where each hour that is named is written.
    pub(super) hours: Vec<(i64, String)>,
}

/// One day of the picture.
pub(super) struct Day {
    /// `Mon 23 Nov`.
    pub(super) label: String,
    /// The hours in words, with the holiday if it is one.
    pub(super) words: String,
    pub(super) y: i64,
    pub(super) baseline: i64,
    pub(super) bars: Vec<Bar>,
}

/// Permitted hours of a day.
pub(super) struct Bar {
    pub(super) x: i64,
    pub(super) width: i64,
}

/// The weeks of every purpose that hours bind, and a sentence about the others.
pub(super) fn of(engine: &Engine, address: &Address, now: Time) -> (Vec<Week>, Option<String>) {
    let here = engine.whereabouts(address);
    let (mut weeks, mut free) = (Vec::new(), Vec::new());
    for purpose in Purpose::ALL {
        let window = engine.definitions.policy(purpose).window;
        let question = Question { rules: &engine.definitions.rules, purpose, jurisdictions: &here.jurisdictions, zones: &here.zones, window };
        match question.ask(now) {
            Answer::Any => free.push(purpose.word()),
            answer => weeks.push(week(&question, &answer, now)),
        }
    }
    let places = if here.jurisdictions.is_empty() { "wherever this number is".to_owned() } else { format!("in {}", here.jurisdictions.join(", ")) };
    let free = (!free.is_empty()).then(|| format!("At any hour: {}; no rule binds them {places}.", free.join(", ")));
    (weeks, free)
}

fn week(question: &Question<'_>, answer: &Answer<'_>, now: Time) -> Week {
    let picture = question.picture(now);
    let local = |at: Time| zone::local(&picture.zone, at, "%a %H:%M %Z");
    let verdict = match answer {
        Answer::Any => "may leave at any hour".to_owned(),
        Answer::Open { until } => format!("may leave now, until {} there", local(*until)),
        Answer::Closed { until, .. } => format!("may not leave now; next at {} there", local(*until)),
        Answer::Never { .. } => "may never leave: no hour is permitted in all of the zones that this number may be in".to_owned(),
    };
    let own = question.window.map(|window| Said::plain(format!("Our own window: {window}.")));
    Week {
        purpose: question.purpose.word(),
        verdict: Said::plain(format!("A {} text {verdict}.", question.purpose)),
        rules: question.binding().into_iter().map(rule).chain(own).collect(),
        days: picture.days.iter().zip(0..).map(|(day, place)| self::day(day, place)).collect(),
        width: LEFT + 1_440 / MINUTES_A_UNIT + 4,
        height: TOP + ROW * 7 + 2,
        hours: (0..24).step_by(6).map(|hour| (LEFT + hour * 60 / MINUTES_A_UNIT, format!("{hour:02}:00"))).collect(),
        zone: picture.zone,
    }
}

fn rule(rule: &Rule) -> Said {
    let kind = if rule.law { "law" } else { "policy" };
    Said::plain(format!("{} ({kind}, rule {}): {}. {}", rule.name, rule.id, rule.hours, rule.source))
}

fn day(day: &PictureDay, place: i64) -> Day {
    let y = TOP + place * ROW;
    let bar = |(start, end): &(u16, u16)| {
        let (start, end) = (i64::from(*start) / MINUTES_A_UNIT, (i64::from(*end) + MINUTES_A_UNIT - 1) / MINUTES_A_UNIT);
        Bar { x: LEFT + start, width: end - start }
    };
    let holiday = day.holiday.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    Day { label: day.label.clone(), words: format!("{}{holiday}", day.hours()), y, baseline: y + 13, bars: day.open.iter().map(bar).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_where_hours_are() {
        let shown = day(&PictureDay { label: "Thu 26 Nov".into(), open: vec![(481, 1_190)], holiday: None }, 2);
        let bars: Vec<(i64, i64)> = shown.bars.iter().map(|bar| (bar.x, bar.width)).collect();
        assert_eq!((bars, shown.y, shown.words.as_str()), (vec![(LEFT + 96, 142)], TOP + 2 * ROW, "08:01-19:50"));
        let closed = day(&PictureDay { label: "Fri 27 Nov".into(), open: vec![], holiday: Some("Day after".into()) }, 3);
        assert_eq!((closed.bars.len(), closed.words.as_str()), (0, "closed (Day after)"));
        let whole = day(&PictureDay { label: "Sat 28 Nov".into(), open: vec![(0, 1_440)], holiday: None }, 0);
        assert_eq!(whole.bars.first().map(|bar| (bar.x, bar.width)), Some((LEFT, 288)));
    }
}
