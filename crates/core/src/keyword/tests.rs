//! Tables of labelled texts, and what must hold for any wrapping of a keyword and any denial of one.
//!
//! Its own file because the tables are long: they are lines of `testdata`, one text each.

use proptest::prelude::*;

use super::words::tests::every_word;
use super::*;

/// Text, locale, state, action, and the stage.
static LABELLED: &str = include_str!("../../testdata/keywords_labelled.ndjson");
/// Text, locale, state, and the action; `review` where somebody must look.
static MORE: &str = include_str!("../../testdata/keywords_more.ndjson");

fn answer(text: &str, locale: &str, state: &str) -> Classified {
    let words = Keywords::shipped();
    words.classify(text, words.only(locale), state.parse().unwrap())
}

fn word(action: Action) -> String {
    serde_json::to_value(action).unwrap().as_str().unwrap().to_owned()
}

#[test]
fn labelled_texts() {
    let mut wrong = Vec::new();
    for line in LABELLED.lines() {
        let (text, locale, state, action, how): (String, String, String, String, String) = serde_json::from_str(line).unwrap();
        let found = answer(&text, &locale, &state);
        if (word(found.action), found.how.word()) != (action, how.as_str()) {
            wrong.push(format!("{line}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(LABELLED.lines().count() > 80);
}

#[test]
fn more_texts() {
    let mut wrong = Vec::new();
    for line in MORE.lines() {
        let (text, locale, state, expect): (String, String, String, String) = serde_json::from_str(line).unwrap();
        let found = answer(&text, &locale, &state);
        let told = if found.action == Action::None && found.free_text { "review".to_owned() } else { word(found.action) };
        if told != expect {
            wrong.push(format!("{line}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(MORE.lines().count() > 800);
}

#[test]
fn somebody_may_use_words_of_another_language() {
    use Action::{None, OptIn, OptOut};
    let words = Keywords::shipped();
    for (text, locales, region, state, expect) in [
        ("wypisz", vec!["de"], Some("DE"), State::Subscribed, OptOut),
        ("Parar", vec!["en"], Some("US"), State::Subscribed, OptOut),
        ("alto", vec!["en"], Some("US"), State::Subscribed, OptOut),
        ("alto", vec!["en"], Some("GB"), State::Subscribed, None),
        ("fine", vec!["en"], Some("US"), State::Subscribed, None),
        ("fine", vec![], Some("IT"), State::Subscribed, OptOut),
        ("fine", vec!["en", "it-IT"], Option::None, State::Subscribed, OptOut),
        ("red", vec!["en"], Some("US"), State::Subscribed, None),
        ("oui", vec!["en"], Some("US"), State::OptedOut, None),
        ("oui", vec!["en"], Some("FR"), State::OptedOut, OptIn),
        ("oui", vec!["fr"], Some("US"), State::Pending, OptIn),
    ] {
        let found = words.classify(text, words.of(locales.iter().copied(), region), state);
        assert_eq!(found.action, expect, "{text} {locales:?} {region:?}");
    }
}

#[test]
fn free_words_alone_are_marked() {
    for (text, free) in [("please leave me alone", true), ("not interested", true), ("STOP, leave me alone", false), ("wrong number", false), ("remove me", false)] {
        let found = answer(text, "en", "subscribed");
        assert_eq!((found.action, found.free_text), (Action::OptOut, free), "{text}");
    }
}

#[test]
fn a_run_may_be_named() {
    let words = Keywords::with(&Settings { scoped: true, ..Settings::default() }).unwrap();
    for (text, name) in [("STOP 1042", Some("1042")), ("stop #1042!", Some("1042")), ("STOP", None), ("cancel 1042", None), ("STOP order 1042", None), ("1042 STOP", None)] {
        assert_eq!(words.scope(text).as_deref(), name, "{text}");
        assert_eq!(Keywords::shipped().scope(text), None, "only where it is configured");
    }
    assert_eq!([plain("#1042"), plain("A-7")], ["1042", "a7"]);
}

#[test]
fn words_are_written_as_they_are_told() {
    for how in
        [How::Exact, How::Joined, How::LenientPhrase, How::LenientFirst, How::LenientLast, How::PassThrough, How::NoMatch, How::Empty, How::FreeText, How::Vendor, How::Scoped]
    {
        assert_eq!(serde_json::to_value(how).unwrap(), how.word());
    }
    let problem = "asleep".parse::<State>().unwrap_err().to_string();
    assert!(problem.contains("subscribed, opted_out or pending"), "{problem}");
}

/// What people put around a word that changes nothing.
fn wrapping() -> impl Strategy<Value = String> {
    let pieces = [" ", "\n", "\t", ".", "!", "?", "*", "\"", "(", ")", "🙏", "-", "~", "…", "’", "\u{200b}", "\u{a0}", "«", "_"];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..6).prop_map(|pieces| pieces.concat())
}

fn in_any_case(word: &str, upper: &[bool]) -> String {
    let letters = word.chars().zip(upper.iter().cycle());
    letters.flat_map(|(c, upper)| if *upper { c.to_uppercase().collect::<Vec<_>>() } else { c.to_lowercase().collect() }).collect()
}

proptest! {
    #[test]
    fn a_keyword_is_one_however_it_is_wrapped(
        one in prop::sample::select(every_word()),
        before in wrapping(),
        after in wrapping(),
        upper in prop::collection::vec(any::<bool>(), 8),
    ) {
        let (keyword, language, kind) = one;
        let text = format!("{before}{}{after}", in_any_case(&keyword, &upper));
        let found = answer(&text, language.as_deref().unwrap_or("en"), "opted_out");
        let expect = match kind {
            Kind::Stop => Action::OptOut,
            Kind::Help => Action::Help,
            Kind::Start | Kind::Yes => Action::OptIn,
        };
        prop_assert_eq!((found.action, found.how), (expect, How::Exact), "{}", text);
    }

    #[test]
    fn a_denial_is_no_opt_out(
        before in prop::collection::vec(prop::sample::select(vec!["we", "really", "love", "it", "today", "my", "friend", "said", "that", "so"]), 0..8),
        denial in prop::sample::select(vec!["don't", "do not", "never", "can't", "won’t", "cannot", "didn't", "DON'T EVER", "please don't"]),
        asked in prop::sample::select(vec!["stop", "stop texting me", "unsubscribe me", "remove me", "stop it", "opt me out", "unsubscribe"]),
        after in prop::collection::vec(prop::sample::select(vec!["it", "today", "my", "friend", "so", "nice"]), 0..6),
    ) {
        let text = format!("{} {denial} {asked} {}", before.join(" "), after.join(" "));
        prop_assert_eq!(answer(&text, "en", "subscribed").action, Action::None, "{}", text);
    }

    #[test]
    fn consent_answers_something(word in prop::sample::select(every_word()), wrapped in wrapping()) {
        let (word, language, kind) = word;
        if kind == Kind::Yes {
            let found = answer(&format!("{wrapped}{word}"), language.as_deref().unwrap_or("en"), "subscribed");
            prop_assert_eq!((found.action, found.how), (Action::None, How::PassThrough));
        }
    }

    #[test]
    fn any_text_has_an_answer(text in any::<String>()) {
        let words = Keywords::shipped();
        let found = words.classify(&text, words.of(["en", "fr"], Some("US")), State::Subscribed);
        // These two are for the inbox to say.
        prop_assert!(found.how != How::FreeText && found.how != How::Vendor);
    }
}
