//! The layout of the picture: fixed places for states, frames around groups, arrows that say what they stand for.
//!
//! Its own file because it is drawn by hand: an arrow from or to a frame stands for every state in it, and which
//! changes it stands for is checked against the code before anything is written.

use std::collections::BTreeSet;

use trunkline_core::message::Delivery::{self, Accepted, Canceled, Delivered, Dispatched, Expired, Failed, Held, Queued, Sent, Suppressed, Undelivered, Unknown};

use super::Change;

const NODE: (i32, i32) = (130, 40);

/// The middle of a state's box.
const fn place(state: Delivery) -> (i32, i32) {
    match state {
        Held => (370, 110),
        Queued => (370, 210),
        Dispatched => (370, 344),
        Unknown => (370, 444),
        Delivered => (740, 110),
        Undelivered => (740, 210),
        Sent => (740, 344),
        Accepted => (740, 444),
        Canceled => (125, 640),
        Suppressed => (290, 640),
        Expired => (440, 640),
        Failed => (590, 640),
    }
}

/// The colour of a state's box.
const fn class(state: Delivery) -> &'static str {
    match state {
        Held | Queued | Dispatched | Unknown => "work",
        Accepted | Sent | Undelivered | Delivered => "proof",
        Suppressed | Expired | Canceled | Failed => "end",
    }
}

/// A group of states: its title, left, top, width, height.
const FRAMES: [(&str, i32, i32, i32, i32); 5] = [
    ("waiting", 270, 66, 200, 188),
    ("in flight", 270, 300, 200, 188),
    ("proved by the vendor, strongest on top", 640, 66, 280, 422),
    ("ended by us", 40, 582, 640, 112),
    ("", 212, 606, 456, 74),
];

/// Every change from one of `from` to one of `to` by one of `kinds`, as one or more lines.
struct Arrow {
    kinds: &'static [&'static str],
    from: &'static [Option<Delivery>],
    to: &'static [Delivery],
    lines: &'static [&'static str],
    words: &'static [(i32, i32)],
}

const WAITING: &[Option<Delivery>] = &[Some(Queued), Some(Held)];
const FLYING: &[Option<Delivery>] = &[Some(Dispatched), Some(Unknown)];
const ENDS: &[Option<Delivery>] = &[Some(Suppressed), Some(Expired), Some(Canceled), Some(Failed)];
const PROOFS: &[Delivery] = &[Accepted, Sent, Undelivered, Delivered];

static ARROWS: &[Arrow] = &[
    Arrow { kinds: &["made"], from: &[None], to: &[Queued, Held], lines: &["M190 282 C190 232 225 208 270 208"], words: &[(204, 240)] },
    Arrow { kinds: &["made"], from: &[None], to: &[Suppressed, Expired, Failed], lines: &["M190 298 C190 420 250 470 250 606"], words: &[(207, 400)] },
    Arrow { kinds: &["gated"], from: &[Some(Queued)], to: &[Held], lines: &["M340 190 L340 130"], words: &[(340, 162)] },
    Arrow { kinds: &["gated"], from: &[Some(Held)], to: &[Queued], lines: &["M400 130 L400 190"], words: &[(400, 158)] },
    Arrow { kinds: &["gated"], from: WAITING, to: &[Suppressed, Expired, Failed], lines: &["M270 152 C130 152 130 270 130 380 C130 500 228 510 228 606"], words: &[(130, 380)] },
    Arrow { kinds: &["canceled"], from: WAITING, to: &[Canceled], lines: &["M270 112 C60 112 66 250 66 380 C66 500 160 530 160 620"], words: &[(66, 380)] },
    Arrow { kinds: &["claimed"], from: WAITING, to: &[Dispatched], lines: &["M350 254 L350 324"], words: &[(350, 274)] },
    Arrow { kinds: &["settled"], from: FLYING, to: &[Queued], lines: &["M410 300 L410 230"], words: &[(410, 274)] },
    Arrow { kinds: &["settled", "taken_over"], from: &[Some(Dispatched)], to: &[Unknown], lines: &["M370 364 L370 424"], words: &[(370, 392)] },
    Arrow { kinds: &["settled"], from: FLYING, to: &[Expired, Failed], lines: &["M400 488 C400 550 440 560 440 620", "M400 488 C400 570 590 530 590 620"], words: &[(400, 515)] },
    Arrow { kinds: &["settled", "looked"], from: FLYING, to: &[Accepted], lines: &["M470 444 L675 444"], words: &[(560, 436)] },
    Arrow { kinds: &["settled", "looked"], from: WAITING, to: &[Accepted], lines: &["M470 215 C600 215 590 425 675 432"], words: &[(560, 262)] },
    Arrow { kinds: &["settled", "looked"], from: ENDS, to: &[Accepted], lines: &["M640 582 C680 560 720 520 735 464"], words: &[(676, 548)] },
    Arrow { kinds: &["looked", "given_up"], from: &[Some(Unknown)], to: &[Queued], lines: &["M435 432 C500 400 500 250 435 218"], words: &[(500, 316)] },
    Arrow {
        kinds: &["looked"],
        from: &[Some(Unknown)],
        to: &[Expired, Failed],
        lines: &["M345 464 C345 550 425 560 428 620", "M345 464 C345 590 570 530 575 620"],
        words: &[(345, 515)],
    },
    Arrow { kinds: &["ruled"], from: &[Some(Unknown)], to: &[Failed], lines: &["M430 460 C480 530 605 540 605 620"], words: &[(474, 515)] },
    Arrow { kinds: &["ruled"], from: &[Some(Unknown)], to: &[Accepted], lines: &["M435 458 C520 486 600 484 675 458"], words: &[(560, 478)] },
    Arrow { kinds: &["receipt"], from: WAITING, to: PROOFS, lines: &["M470 160 L640 160"], words: &[(555, 160)] },
    Arrow { kinds: &["receipt"], from: FLYING, to: PROOFS, lines: &["M470 344 L640 344"], words: &[(555, 344)] },
    Arrow { kinds: &["receipt"], from: ENDS, to: PROOFS, lines: &["M680 640 C760 640 780 600 780 488"], words: &[(764, 570)] },
    Arrow {
        kinds: &["receipt"],
        from: &[Some(Accepted), Some(Sent)],
        to: &[Delivered, Undelivered],
        lines: &["M805 450 C905 450 905 104 805 104", "M805 438 C862 438 862 216 805 216", "M805 344 C862 344 862 116 805 116", "M740 324 L740 230"],
        words: &[(880, 277), (740, 277)],
    },
    Arrow { kinds: &["receipt"], from: &[Some(Accepted)], to: &[Sent], lines: &["M740 424 L740 364"], words: &[(740, 394)] },
    Arrow { kinds: &["receipt"], from: &[Some(Undelivered)], to: &[Delivered], lines: &["M740 190 L740 130"], words: &[(740, 160)] },
];

const STYLE: &str = "
  text { font: 13px ui-sans-serif, system-ui, sans-serif; text-anchor: middle; fill: #1f2328 }
  .paper { fill: #ffffff }
  .frame { fill: none; stroke: #8c959f; stroke-dasharray: 4 4 }
  .title { text-anchor: start; fill: #59636e; font-size: 12px }
  .work { fill: #ddf4ff; stroke: #54aeff }
  .proof { fill: #dafbe1; stroke: #4ac26b }
  .end { fill: #fff1e5; stroke: #fb8f44 }
  .line { fill: none; stroke: #59636e; stroke-width: 1.5; marker-end: url(#tip) }
  .tip, .start { fill: #59636e }
  .word { font-size: 12px; fill: #59636e; stroke: #ffffff; stroke-width: 5px; stroke-linejoin: round; paint-order: stroke }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .paper { fill: #0d1117 }
    .frame { stroke: #656c76 }
    .title { fill: #9198a1 }
    .work { fill: #121d2f; stroke: #1f6feb }
    .proof { fill: #12261e; stroke: #238636 }
    .end { fill: #221a0f; stroke: #bd561d }
    .line { stroke: #9198a1 }
    .tip, .start { fill: #9198a1 }
    .word { fill: #9198a1; stroke: #0d1117 }
  }";

/// What the arrows say can happen.
pub(super) fn changes() -> BTreeSet<Change> {
    let mut changes = BTreeSet::new();
    for arrow in ARROWS {
        for kind in arrow.kinds {
            for from in arrow.from {
                changes.extend(arrow.to.iter().map(|to| (*from, *kind, *to)));
            }
        }
    }
    changes
}

/// The picture as it stands.
pub(super) fn svg() -> String {
    let mut out = vec![
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 740" role="img" aria-labelledby="title">"#.to_owned(),
        r#"<title id="title">The delivery state of a message: what may follow what, and by which kind of event</title>"#.to_owned(),
        format!("<style>{STYLE}\n</style>"),
        r#"<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto" markerUnits="userSpaceOnUse"><path class="tip" d="M0 0 L8 4 L0 8 Z"/></marker></defs>"#.to_owned(),
        r#"<rect class="paper" width="960" height="740"/>"#.to_owned(),
    ];
    for (title, x, y, width, height) in FRAMES {
        out.push(format!(r#"<rect class="frame" x="{x}" y="{y}" width="{width}" height="{height}" rx="10"/>"#));
        if !title.is_empty() {
            out.push(format!(r#"<text class="title" x="{}" y="{}">{title}</text>"#, x + 4, y - 8));
        }
    }
    out.push(r#"<circle class="start" cx="190" cy="290" r="7"/>"#.to_owned());
    for state in Delivery::ALL {
        let ((x, y), (width, height)) = (place(state), NODE);
        out.push(format!(r#"<rect class="{}" x="{}" y="{}" width="{width}" height="{height}" rx="8"/>"#, class(state), x - width / 2, y - height / 2));
        out.push(format!(r#"<text x="{x}" y="{}">{}</text>"#, y + 5, state.word()));
    }
    for line in ARROWS.iter().flat_map(|arrow| arrow.lines) {
        out.push(format!(r#"<path class="line" d="{line}"/>"#));
    }
    for arrow in ARROWS {
        let word = arrow.kinds.join(", ");
        out.extend(arrow.words.iter().map(|(x, y)| format!(r#"<text class="word" x="{x}" y="{}">{word}</text>"#, y + 4)));
    }
    out.push(
        r#"<text class="title" x="40" y="722">An arrow from or to a frame stands for every state in it; its word is the kind of event in the message's history.</text>"#.to_owned(),
    );
    out.push("</svg>\n".to_owned());
    out.join("\n")
}
