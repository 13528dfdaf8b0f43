//! A journey as a picture: boxes from top to bottom, arrows between them, counts inside.
//!
//! Its own file because it is geometry: where each box and line is, in units of the drawing, so narrow that it fits a
//! phone. The same in words is beside it, in `journeys`; colours are the style sheet's.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use trunkline_core::journey::{Journey, Step};

use super::view::grouped;

/// The left edge and the width of every box.
const LEFT: i64 = 8;
const BOX: i64 = 232;
/// Between a box's edge and its text, and between lines of text.
const PAD: i64 = 12;
const LINE: i64 = 18;
/// Between boxes.
const GAP: i64 = 34;
/// From the boxes to the first lane of lines that pass others by, and from lane to lane.
const LANES: i64 = 20;
const LANE: i64 = 14;
/// How round corners are.
const CORNER: i64 = 6;
/// The most characters of a line, and the most lines of a condition.
const COLUMNS: usize = 29;
const MOST_LINES: usize = 3;

/// How many runs are at a step now, and how many passed it today.
#[derive(Default, Clone, Copy)]
pub(super) struct Traffic {
    /// Now.
    pub(super) now: i64,
    /// Today.
    pub(super) passed: i64,
}

/// The picture.
pub(super) struct Graph {
    pub(super) width: i64,
    pub(super) height: i64,
    pub(super) nodes: Vec<Node>,
    pub(super) arrows: Vec<Arrow>,
}

/// A box.
pub(super) struct Node {
    /// What kind of box it is: its class.
    pub(super) kind: &'static str,
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) width: i64,
    pub(super) height: i64,
    pub(super) lines: Vec<Text>,
}

/// A line of text.
pub(super) struct Text {
    /// How it looks: its class.
    pub(super) look: &'static str,
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) words: String,
}

/// A line between boxes, with its head, and a word beside it.
pub(super) struct Arrow {
    pub(super) line: String,
    pub(super) head: String,
    pub(super) label: Option<Text>,
}

/// A line that passes boxes by: where it leaves, and which step it leads to.
struct Jump {
    from: i64,
    to: usize,
}

/// A box while it is being written.
struct Draft {
    kind: &'static str,
    top: i64,
    lines: Vec<Text>,
}

impl Draft {
    fn new(kind: &'static str, top: i64) -> Draft {
        Draft { kind, top, lines: Vec::new() }
    }

    fn bottom(&self) -> i64 {
        self.top + 2 * PAD + LINE * whole(self.lines.len()) - 4
    }

    /// Adds a line; gives the height at which an arrow may leave from it.
    fn line(&mut self, look: &'static str, text: impl Into<String>) -> i64 {
        let y = self.top + PAD + LINE * whole(self.lines.len()) + 11;
        self.lines.push(Text { look, x: LEFT + PAD, y, words: text.into() });
        y - 4
    }

    /// Adds a text of as many lines as it needs, up to the most.
    fn wrapped(&mut self, look: &'static str, text: &str) -> i64 {
        let mut first = None;
        for line in wrap(text) {
            let at = self.line(look, line);
            first.get_or_insert(at);
        }
        first.unwrap_or(self.top + PAD)
    }

    fn done(self) -> Node {
        Node { kind: self.kind, x: LEFT, y: self.top, width: BOX, height: self.bottom() - self.top, lines: self.lines }
    }
}

/// Draws a version of a journey.
pub(super) fn draw(journey: &Journey, started: i64, traffic: &BTreeMap<String, Traffic>) -> Graph {
    let mut start = Draft::new("trigger", 8);
    start.line("kind", "Starts with");
    start.wrapped("name", &journey.trigger.kind);
    if let Some(when) = &journey.trigger.when {
        start.wrapped("code", &format!("if {when}"));
    }
    start.line("count", format!("{} started today", grouped(started)));
    let mut straight = vec![(start.bottom(), None)];
    let mut nodes = vec![start.done()];
    let mut jumps = Vec::new();
    for (index, step) in journey.steps.iter().enumerate() {
        let top = below(&nodes);
        let (draft, leaving) = node(journey, index, step, top, traffic.get(step.id()).copied().unwrap_or_default());
        let on = step.falls_through() || leads_below(journey, index, step);
        if on {
            straight.push((draft.bottom(), matches!(step, Step::Branch { .. }).then_some("otherwise")));
        }
        nodes.push(draft.done());
        jumps.extend(leaving);
    }
    if journey.steps.last().is_some_and(Step::falls_through) {
        let mut end = Draft::new("end", below(&nodes));
        end.line("kind", "The run is over");
        nodes.push(end.done());
    }
    let lanes = lanes(&nodes, &jumps);
    let width = lanes.iter().map(|lane| LEFT + BOX + LANES + LANE * lane + PAD).max().unwrap_or(2 * LEFT + BOX);
    let mut arrows: Vec<Arrow> = straight.iter().filter(|(from, _)| nodes.iter().any(|node| node.y > *from)).map(|(from, label)| down(*from, *label)).collect();
    arrows.extend(jumps.iter().zip(&lanes).filter_map(|(jump, lane)| Some(around(jump.from, entrance(nodes.get(jump.to + 1)?), *lane))));
    Graph { width, height: below(&nodes) - GAP + 8, nodes, arrows }
}

/// The box of a step, and the lines that leave it sideways.
fn node(journey: &Journey, index: usize, step: &Step, top: i64, traffic: Traffic) -> (Draft, Vec<Jump>) {
    let mut draft = Draft::new(kind(step), top);
    draft.line("kind", word(step));
    draft.wrapped("name", step.id());
    match step {
        Step::Send { template, .. } => {
            draft.wrapped("detail", &format!("template {template}"));
        }
        Step::Wait { .. } => {
            draft.wrapped("detail", &waits_for(step));
        }
        Step::Branch { .. } | Step::End { .. } => {}
    }
    draft.line("count", counted(traffic));
    let place = |to: &str| journey.steps.iter().position(|other| other.id() == to);
    let mut jumps = Vec::new();
    match step {
        Step::Branch { arms, .. } => {
            for arm in arms {
                let from = draft.wrapped("code", &format!("if {}", arm.when));
                jumps.extend(place(&arm.to).map(|to| Jump { from, to }));
            }
        }
        Step::Send { next: Some(next), .. } | Step::Wait { next: Some(next), .. } if !leads_below(journey, index, step) => {
            let from = draft.wrapped("code", &format!("then {next}"));
            jumps.extend(place(next).map(|to| Jump { from, to }));
        }
        Step::Send { .. } | Step::Wait { .. } | Step::End { .. } => {}
    }
    (draft, jumps)
}

fn kind(step: &Step) -> &'static str {
    match step {
        Step::Send { .. } => "send",
        Step::Wait { .. } => "wait",
        Step::Branch { .. } => "branch",
        Step::End { .. } => "end",
    }
}

/// What a step does, in a word or two.
pub(super) fn word(step: &Step) -> &'static str {
    match step {
        Step::Send { .. } => "Send",
        Step::Wait { .. } => "Wait",
        Step::Branch { .. } => "Branch",
        Step::End { .. } => "End",
    }
}

/// What a wait waits for.
pub(super) fn waits_for(step: &Step) -> String {
    let Step::Wait { span, at, before, until, .. } = step else { return String::new() };
    let first = match (at, before, span) {
        (Some(at), Some(before), Some(span)) => format!("until {before} before {at} and {span} more"),
        (Some(at), Some(before), None) => format!("until {before} before {at}"),
        (Some(at), None, Some(span)) => format!("until {span} after {at}"),
        (Some(at), None, None) => format!("until {at}"),
        (None, _, Some(span)) => format!("for {span}"),
        (None, _, None) => String::new(),
    };
    let local = until.map(|until| format!("until it is {until} where the recipient is")).unwrap_or_default();
    match (first.is_empty(), local.is_empty()) {
        (false, false) => format!("{first}, then {local}"),
        _ => first + &local,
    }
}

/// `3 here, 1,204 today`.
pub(super) fn counted(traffic: Traffic) -> String {
    format!("{} here, {} today", grouped(traffic.now), grouped(traffic.passed))
}

/// Whether a step names the one below it as the next.
fn leads_below(journey: &Journey, index: usize, step: &Step) -> bool {
    match step {
        Step::Send { next: Some(next), .. } | Step::Wait { next: Some(next), .. } => journey.steps.get(index + 1).is_some_and(|below| below.id() == next),
        Step::Send { .. } | Step::Wait { .. } | Step::Branch { .. } | Step::End { .. } => false,
    }
}

/// Where the next box begins.
fn below(nodes: &[Node]) -> i64 {
    nodes.last().map_or(8, |node| node.y + node.height + GAP)
}

/// Where lines enter a box from the side.
fn entrance(node: &Node) -> i64 {
    node.y + PAD + 7
}

/// A lane for each line, so that no two in one lane overlap; short lines are nearer to the boxes.
fn lanes(nodes: &[Node], jumps: &[Jump]) -> Vec<i64> {
    let reach = |jump: &Jump| {
        let to = nodes.get(jump.to + 1).map_or(jump.from, entrance);
        (jump.from.min(to), jump.from.max(to))
    };
    let mut order: Vec<usize> = (0..jumps.len()).collect();
    order.sort_by_key(|at| jumps.get(*at).map(|jump| (reach(jump).1 - reach(jump).0, Reverse(jump.from))));
    let mut taken: Vec<(i64, i64, i64)> = Vec::new();
    let mut lanes = vec![0; jumps.len()];
    for at in order {
        let (Some(jump), Some(lane)) = (jumps.get(at), lanes.get_mut(at)) else { continue };
        let (top, bottom) = reach(jump);
        while taken.iter().any(|(other, from, to)| *other == *lane && *from <= bottom && top <= *to) {
            *lane += 1;
        }
        taken.push((*lane, top, bottom));
    }
    lanes
}

/// To the box below.
fn down(from: i64, label: Option<&'static str>) -> Arrow {
    let (x, to) = (LEFT + BOX / 2, from + GAP);
    let label = label.map(|text| Text { look: "label", x: x + 10, y: from + GAP / 2 + 4, words: text.to_owned() });
    Arrow { line: format!("M{x} {from}V{}", to - 8), head: format!("M{x} {}l-4 -8h8z", to - 1), label }
}

/// Past other boxes, upwards or downwards.
fn around(from: i64, to: i64, lane: i64) -> Arrow {
    let (edge, side) = (LEFT + BOX, LEFT + BOX + LANES + LANE * lane);
    let round = CORNER.min((to - from).abs() / 2);
    let turn = if to < from { -round } else { round };
    let line = format!("M{edge} {from}H{}Q{side} {from} {side} {}V{}Q{side} {to} {} {to}H{}", side - round, from + turn, to - turn, side - round, edge + 8);
    Arrow { line, head: format!("M{} {to}l8 -4v8z", edge + 1), label: None }
}

/// Lines of at most so many characters, cut between words where there are any; the last one says if something is left.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut rest: Vec<char> = word.chars().collect();
        while let Some(line) = lines.last_mut() {
            let used = line.chars().count();
            let space = usize::from(used > 0);
            if used + space + rest.len() <= COLUMNS {
                line.extend((space > 0).then_some(' '));
                line.extend(rest);
                break;
            }
            if used == 0 {
                let tail = rest.split_off(COLUMNS);
                line.extend(rest);
                rest = tail;
            }
            lines.push(String::new());
        }
    }
    if lines.len() > MOST_LINES {
        lines.truncate(MOST_LINES);
        if let Some(last) = lines.last_mut() {
            let kept: String = last.chars().take(COLUMNS - 1).collect();
            *last = format!("{kept}…");
        }
    }
    lines
}

fn whole(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn journey(steps: &Value) -> Journey {
        serde_json::from_value(
            json!({"program": "acme", "purpose": "service", "correlation": "event.id", "trigger": {"type": "order.shipped", "when": "event.paid"}, "step": steps}),
        )
        .unwrap()
    }

    fn branching() -> Journey {
        journey(&json!([
            {"do": "branch", "id": "trackable", "arms": [{"when": "event.data.tracking_url is none", "to": "done"}, {"when": "event.late", "to": "tell"}]},
            {"do": "wait", "id": "pickup", "for": "30m"},
            {"do": "send", "id": "tell", "template": "order_shipped", "next": "done"},
            {"do": "send", "id": "again", "template": "order_shipped", "next": "pickup"},
            {"do": "end", "id": "done"},
        ]))
    }

    #[test]
    fn boxes_do_not_overlap_and_lines_stay_inside() {
        let graph = draw(&branching(), 3, &BTreeMap::new());
        assert_eq!(graph.nodes.len(), 6);
        for (above, under) in graph.nodes.iter().zip(graph.nodes.iter().skip(1)) {
            assert!(above.y + above.height < under.y);
        }
        for node in &graph.nodes {
            assert!(node.lines.iter().all(|line| line.y > node.y && line.y < node.y + node.height && line.words.chars().count() <= COLUMNS), "{}", node.kind);
        }
        let last = graph.nodes.last().unwrap();
        assert!(last.y + last.height <= graph.height);
        assert!(graph.width <= 324, "{} does not fit a phone", graph.width);
    }

    #[test]
    fn every_way_on_is_an_arrow() {
        // Down from the trigger, the branch and the wait; sideways from two arms and two steps that jump.
        let graph = draw(&branching(), 0, &BTreeMap::new());
        assert_eq!(graph.arrows.len(), 3 + 2 + 2);
        let labels: Vec<&str> = graph.arrows.iter().filter_map(|arrow| arrow.label.as_ref()).map(|label| label.words.as_str()).collect();
        assert_eq!(labels, ["otherwise"]);
        let open = draw(&journey(&json!([{"do": "send", "id": "hello", "template": "t"}])), 0, &BTreeMap::new());
        assert_eq!((open.nodes.len(), open.arrows.len()), (3, 2), "a journey without an end has one drawn");
        let named = journey(&json!([{"do": "send", "id": "hello", "template": "t", "next": "done"}, {"do": "end", "id": "done"}]));
        assert_eq!(draw(&named, 0, &BTreeMap::new()).arrows.len(), 2, "the next one below needs no way around");
    }

    #[test]
    fn lines_in_one_lane_do_not_meet() {
        let graph = draw(&branching(), 0, &BTreeMap::new());
        let jumps = [Jump { from: 10, to: 4 }, Jump { from: 20, to: 2 }, Jump { from: 30, to: 1 }];
        let lanes = lanes(&graph.nodes, &jumps);
        let different: std::collections::BTreeSet<i64> = lanes.iter().copied().collect();
        assert_eq!(different.len(), 3, "{lanes:?}");
    }

    #[test]
    fn counts_stand_in_the_boxes() {
        let traffic = BTreeMap::from([("pickup".to_owned(), Traffic { now: 2, passed: 1_204 })]);
        let graph = draw(&branching(), 1_300, &traffic);
        let texts: Vec<&str> = graph.nodes.iter().flat_map(|node| &node.lines).filter(|line| line.look == "count").map(|line| line.words.as_str()).collect();
        assert_eq!(texts, ["1,300 started today", "0 here, 0 today", "2 here, 1,204 today", "0 here, 0 today", "0 here, 0 today", "0 here, 0 today"]);
    }

    #[test]
    fn waits_are_said_in_words() {
        for (wait, expect) in [
            (json!({"for": "30m"}), "for 30m"),
            (json!({"until": "18:00"}), "until it is 18:00 where the recipient is"),
            (json!({"at": "event.starts", "before": "36h", "until": "18:00"}), "until 36h before event.starts, then until it is 18:00 where the recipient is"),
            (json!({"at": "event.starts", "for": "1h"}), "until 1h after event.starts"),
        ] {
            let mut fields = json!({"do": "wait", "id": "w"});
            fields.as_object_mut().unwrap().extend(wait.as_object().unwrap().clone());
            assert_eq!(waits_for(&serde_json::from_value(fields).unwrap()), expect);
        }
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(wrap("short"), ["short"]);
        assert_eq!(wrap("event.data.tracking_url is none and more"), ["event.data.tracking_url is", "none and more"]);
        let long = wrap(&"x".repeat(200));
        assert_eq!((long.len(), long.last().map(|line| line.ends_with('…'))), (3, Some(true)));
        assert!(long.iter().all(|line| line.chars().count() <= COLUMNS));
    }
}
