//! `trunkline segments`: what a text costs, where it is cut and what makes it dear; one text, or a file of them.

use std::io::Read;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use trunkline_core::segment::smart::{self, By, Change};
use trunkline_core::segment::{self, Encoding, Keep, Plan, Route, Shift, Size};

use super::Place;
use crate::ndjson;
use crate::output::{self, EXIT_FOUND, EXIT_OK};

/// Count the segments of a text, or with --json of each line of standard input.
#[derive(Args)]
pub(crate) struct Segments {
    #[command(flatten)]
    place: Place,
    /// The text. Without one, standard input is read: as one text, or with --json as lines such as
    /// `{"text": "…", "smart_encoding": true}`.
    text: Option<String>,
    /// Count the text as a vendor's smart encoding makes it, and say what ours would change.
    #[arg(long)]
    smart: bool,
    /// A language whose shift tables the route can use: tr, es or pt. May be given several times.
    #[arg(long = "shift", value_name = "LANGUAGE")]
    shifts: Vec<Shift>,
}

/// A line of standard input.
#[derive(Deserialize)]
struct Asked {
    text: String,
    #[serde(default)]
    smart_encoding: bool,
}

impl Segments {
    pub(crate) fn run(self) -> anyhow::Result<u8> {
        let route = Route { shifts: self.shifts, ..Route::default() };
        match (self.text, self.place.json) {
            (Some(text), true) => output::json(&answer(&text, self.smart, &route))?,
            (Some(text), false) => show(&text, self.smart, &route),
            (None, true) => return lines(self.smart, &route),
            (None, false) => {
                let mut text = String::new();
                std::io::stdin().lock().read_to_string(&mut text)?;
                show(text.strip_suffix('\n').unwrap_or(&text), self.smart, &route);
            }
        }
        Ok(EXIT_OK)
    }
}

/// Answers standard input. Lines that are none are answered with what is wrong, and tell in the exit code.
fn lines(smart: bool, route: &Route) -> anyhow::Result<u8> {
    let (mut number, mut bad) = (0_u64, 0_u64);
    ndjson::each_line(std::io::stdin().lock(), output::stream(), |line| {
        number += 1;
        match serde_json::from_str::<Asked>(line) {
            Ok(asked) => answer(&asked.text, smart || asked.smart_encoding, route),
            Err(error) => {
                bad += 1;
                json!({"error": format!("{error}: give {{\"text\": \"…\", \"smart_encoding\": false}}"), "line": number})
            }
        }
    })?;
    Ok(if bad == 0 { EXIT_OK } else { EXIT_FOUND })
}

/// The size of a text as JSON; what else there is to know only where there is something.
fn answer(text: &str, smart: bool, route: &Route) -> Value {
    let replaced = smart.then(|| smart::replace(text, By::Vendors).0);
    let counted = replaced.as_deref().unwrap_or(text);
    let size = segment::measure_for(counted, route);
    let mut answer = sized(size);
    let fewest = fewest(counted, size, route);
    if fewest != size.segments {
        answer["fewest_segments"] = json!(fewest);
    }
    if smart {
        let (_, changes) = smart::replace(text, By::Us);
        if let Some(done) = smart::encode(text, route) {
            answer["smart"] = sized(done.after);
            answer["smart"]["applied"] = json!(true);
            answer["smart"]["changes"] = json!(done.changes);
        } else if !changes.is_empty() {
            answer["smart"] = json!({"applied": false, "changes": changes});
        }
    }
    answer
}

fn sized(size: Size) -> Value {
    json!({"encoding": size.encoding.name(), "segments": size.segments, "units": size.units})
}

/// The segments of a carrier that cuts graphemes. Only texts of several UCS-2 segments have another count there.
fn fewest(text: &str, size: Size, route: &Route) -> u32 {
    if size.encoding == Encoding::Gsm7 || size.segments == 1 {
        return size.segments;
    }
    segment::measure_for(text, &Route { keep: Keep::Pairs, ..route.clone() }).segments
}

fn show(text: &str, smart: bool, route: &Route) {
    for line in told(text, smart, route) {
        output::say(&line);
    }
}

/// The same in words.
fn told(text: &str, smart: bool, route: &Route) -> Vec<String> {
    let replaced = smart.then(|| smart::replace(text, By::Vendors).0);
    let counted = replaced.as_deref().unwrap_or(text);
    let plan = segment::plan(counted, route);
    let mut lines = vec![headline(&plan)];
    let fewest = fewest(counted, plan.size, route);
    if fewest != plan.size.segments {
        lines.push(format!("a carrier that cuts what readers see as one character makes {} of it", count(fewest)));
    }
    if plan.size.encoding == Encoding::Ucs2 {
        let first: Vec<String> = segment::beyond_gsm7(counted).take(5).map(|(at, c)| format!("{} at {}", named(c), at + 1)).collect();
        let more = segment::beyond_gsm7(counted).count() - first.len();
        let more = if more == 0 { String::new() } else { format!(", and {more} more") };
        lines.push(format!("UCS-2 because of {}{more}", first.join(", ")));
    }
    lines.extend(plan.parts.iter().enumerate().map(|(n, part)| bar(n + 1, part.text, part.units, plan.room)));
    match smart::encode(text, route) {
        Some(done) => {
            let size = segment::plan(&done.text, route);
            lines.push(format!("smart_encoding = true makes it {}:", headline(&size)));
            lines.extend(done.changes.iter().map(changed));
        }
        None if smart => lines.push("smart_encoding = true leaves it as it is: it changes a text only if that makes it GSM-7 and takes fewer segments".to_owned()),
        None => {}
    }
    lines
}

/// `GSM-7, 2 segments, 174 septets`.
fn headline(plan: &Plan<'_>) -> String {
    let Size { encoding, segments, units } = plan.size;
    let what = if encoding == Encoding::Gsm7 { "septets" } else { "UTF-16 units" };
    let shift = plan.shift.map_or_else(String::new, |shift| format!(" with the shift tables of {}", shift.code()));
    format!("{encoding}{shift}, {}, {units} {what}", count(segments))
}

fn count(segments: u32) -> String {
    format!("{segments} {}", if segments == 1 { "segment" } else { "segments" })
}

/// How wide a full bar is.
const WIDE: u32 = 20;

/// `1 ████████████████████ 67/67  It’s on its way`.
fn bar(number: usize, text: &str, units: u32, room: u32) -> String {
    let full = (units * WIDE).div_ceil(room.max(1)).min(WIDE);
    let bar: String = (0..WIDE).map(|n| if n < full { '█' } else { '░' }).collect();
    let shown: String = text.chars().map(visible).collect();
    format!("{number:>2} {bar} {units:>3}/{room}  {shown}")
}

/// Line breaks and controls as signs, so that a segment stays on its line.
fn visible(c: char) -> char {
    match c {
        '\n' => '⏎',
        '\r' => '␍',
        c if c.is_control() => '␦',
        c => c,
    }
}

fn named(c: char) -> String {
    let shown = if c.is_control() || c.is_whitespace() { String::new() } else { format!("{c} ") };
    format!("{shown}(U+{:04X})", u32::from(c))
}

fn changed(change: &Change) -> String {
    let to = match change.to {
        "" => "is left out".to_owned(),
        " " => "becomes a space".to_owned(),
        "\n" => "becomes a line break".to_owned(),
        to => format!("becomes {to}"),
    };
    format!("   {} at {} {to}", named(change.from), change.at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "It’s on its way, and we text you when it is there. Reply STOP to get no more texts from us, ever. ";

    #[test]
    fn answers_with_what_there_is_to_know() {
        let route = Route::default();
        assert_eq!(answer("Hi", false, &route), json!({"encoding": "GSM-7", "segments": 1, "units": 2}));
        assert_eq!(answer("Hi", true, &route), json!({"encoding": "GSM-7", "segments": 1, "units": 2}));
        let smart = answer(LONG, true, &route);
        assert_eq!((&smart["encoding"], &smart["segments"], &smart["smart"]["applied"]), (&json!("GSM-7"), &json!(1), &json!(true)), "{smart}");
        assert_eq!(smart["smart"]["changes"], json!([{"at": 2, "from": "’", "to": "'"}]));
        assert_eq!(answer(LONG, false, &route)["segments"], json!(2));
        let short = answer("“Hi”", true, &route);
        assert_eq!((&short["units"], &short["smart"]["applied"]), (&json!(4), &json!(false)), "{short}");
        let flags = "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}".repeat(9);
        assert_eq!(answer(&flags, false, &route), json!({"encoding": "UCS-2", "segments": 3, "units": 126, "fewest_segments": 2}));
    }

    #[test]
    fn draws_the_segments() {
        let lines = told(LONG, false, &Route::default());
        assert_eq!(lines[..2], ["UCS-2, 2 segments, 98 UTF-16 units", "UCS-2 because of ’ (U+2019) at 3"]);
        assert!(lines[2].starts_with(" 1 ████████████████████  67/67  It’s") && lines[3].starts_with(" 2 ██████████░░░░░░░░░░  31/67  "), "{lines:#?}");
        assert_eq!(lines[4..], ["smart_encoding = true makes it GSM-7, 1 segment, 98 septets:", "   ’ (U+2019) at 3 becomes '"]);
        let turkish = told("ğ\n", true, &Route { shifts: vec![Shift::Turkish], ..Route::default() });
        assert_eq!(turkish[0], "GSM-7 with the shift tables of tr, 1 segment, 2 septets");
        assert!(turkish[1].ends_with("2/155  ğ⏎") && turkish[2].contains("leaves it as it is"), "{turkish:#?}");
    }
}
