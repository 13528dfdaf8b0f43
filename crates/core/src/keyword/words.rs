//! The words: read from `data/keywords.toml`, joined with those of a configuration, and indexed.
//!
//! Its own file because these are data that people change; a word that asks for two things is refused here, with the
//! place and the fix. How texts are compared with them is next door.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::normal::normal;
use super::{FreeText, Languages};

static SHIPPED: &str = include_str!("../../data/keywords.toml");

/// The set of nobody's language in particular.
pub(super) const EVERYBODY: u64 = 1;
/// As many as a set has room for, beside everybody's words.
const MOST_LANGUAGES: usize = 63;
/// Words that the law calls revocations (47 CFR 64.1200(a)(10)): no configuration takes them away.
const PROTECTED: [&str; 8] = ["stop", "quit", "end", "revoke", "opt out", "optout", "cancel", "unsubscribe"];

/// A few words in a row, in normal form.
pub(super) type Sequence = Vec<String>;
/// Such rows by their first word.
type Rows = BTreeMap<String, Vec<Sequence>>;

/// Words of a configuration for one language.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OwnWords {
    /// More words that opt out.
    pub stop: Vec<String>,
    /// More words that opt in again.
    pub start: Vec<String>,
    /// More words that do so where they answer something.
    pub yes: Vec<String>,
    /// More words that ask for help.
    pub help: Vec<String>,
    /// Shipped words that mean something else here.
    pub except: Vec<String>,
}

/// `[keywords]` of a configuration. What stands directly in it is for everybody.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What to do about a revocation in free words.
    pub free_text: FreeText,
    /// Whether "STOP 1042" ends the one run that is about 1042, if there is one, and nothing else.
    pub scoped: bool,
    /// More words that opt out.
    pub stop: Vec<String>,
    /// More words that opt in again.
    pub start: Vec<String>,
    /// More words that do so where they answer something.
    pub yes: Vec<String>,
    /// More words that ask for help.
    pub help: Vec<String>,
    /// Shipped words that mean something else here.
    pub except: Vec<String>,
    /// The same for one language each.
    #[serde(flatten)]
    pub languages: BTreeMap<String, OwnWords>,
}

impl Settings {
    fn everybody(&self) -> OwnWords {
        OwnWords { stop: self.stop.clone(), start: self.start.clone(), yes: self.yes.clone(), help: self.help.clone(), except: self.except.clone() }
    }
}

/// A word of a configuration that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordProblem {
    /// The language whose list it is in; absent for everybody's.
    pub language: Option<String>,
    /// The list and the place in it, if it is about a word and not about the language.
    pub place: Option<(&'static str, usize)>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub fix: String,
}

/// What a keyword asks for; the first of two counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Stop,
    Help,
    Start,
    Yes,
}

impl Kind {
    const fn list(self) -> &'static str {
        match self {
            Kind::Stop => "stop",
            Kind::Help => "help",
            Kind::Start => "start",
            Kind::Yes => "yes",
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Meant {
    kind: Kind,
    languages: u64,
    everyday: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Phrase {
    pub(super) words: Sequence,
    pub(super) languages: u64,
    pub(super) free_text: bool,
}

/// The words as they are looked up, all in normal form.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    names: Vec<String>,
    words: BTreeMap<String, Vec<Meant>>,
    joined: BTreeMap<String, Vec<Meant>>,
    strong: BTreeMap<String, u64>,
    regions: BTreeMap<String, u64>,
    pub(super) phrases: BTreeMap<String, Vec<Phrase>>,
    pub(super) inside: Vec<(String, u64)>,
    pub(super) polite: Vec<Sequence>,
    pub(super) most_words: usize,
    pub(super) goes_on: Vec<Sequence>,
    pub(super) negations: Vec<Sequence>,
    pub(super) takes_back: BTreeSet<String>,
    pub(super) places: Vec<Sequence>,
    pub(super) asks: Rows,
    pub(super) about: BTreeSet<String>,
    pub(super) unless: Vec<Sequence>,
    pub(super) reactions: Vec<Sequence>,
    pub(super) quoted_after: Vec<Sequence>,
    pub(super) signatures: Vec<Sequence>,
    pub(super) free: Rows,
    pub(super) verbs: Rows,
    pub(super) objects: BTreeSet<String>,
}

impl Languages {
    pub(super) fn hear(self, languages: u64, everyday: bool) -> bool {
        self.own & languages != 0 || (self.others && !everyday)
    }
}

impl Index {
    /// The set of a locale's language; empty if there are no words of it.
    pub(super) fn language(&self, locale: &str) -> u64 {
        let name = locale.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        let name = match name.as_str() {
            "no" | "nn" => "nb",
            "iw" => "he",
            "in" => "id",
            other => other,
        };
        self.names.iter().position(|n| n == name).map_or(0, |at| 2_u64 << at)
    }

    pub(super) fn region(&self, region: &str) -> u64 {
        self.regions.get(region).copied().unwrap_or(0)
    }

    /// What a whole text asks for.
    pub(super) fn whole(&self, text: &str, languages: Languages) -> Option<Kind> {
        meant(self.words.get(text)?, languages)
    }

    /// What its letters ask for, put together.
    pub(super) fn joined(&self, tokens: &[&str], languages: Languages) -> Option<Kind> {
        if tokens.len() < 2 {
            return None;
        }
        meant(self.joined.get(&tokens.concat())?, languages)
    }

    /// Whether a word outweighs what stands around it: STOP, however long it is drawn out or often repeated.
    pub(super) fn is_strong(&self, token: &str, languages: Languages) -> bool {
        let known = |form: &str| self.strong.get(form).is_some_and(|of| languages.hear(*of, false));
        known(token) || drawn_out(token).is_some_and(|form| known(&form))
    }

    fn name(&mut self, language: &str) -> u64 {
        if self.language(language) == 0 {
            self.names.push(language.to_owned());
        }
        self.language(language)
    }

    fn add(&mut self, language: u64, lists: &Lists) {
        let everyday: BTreeSet<String> = lists.everyday.iter().map(|w| form(w)).collect();
        for (kind, words) in [(Kind::Stop, &lists.stop), (Kind::Help, &lists.help), (Kind::Start, &lists.start), (Kind::Yes, &lists.yes)] {
            for word in words {
                let word = form(word);
                let one = Meant { kind, languages: language, everyday: everyday.contains(&word) };
                mean(self.joined.entry(word.replace(' ', "")).or_default(), one);
                mean(self.words.entry(word).or_default(), one);
            }
        }
        for word in &lists.strong {
            *self.strong.entry(form(word)).or_default() |= language;
        }
        self.add_phrases(&lists.phrases, language, false);
        self.inside.extend(lists.inside.iter().map(|w| (form(w).replace(' ', ""), language)));
        self.polite.extend(sequences(&lists.polite));
    }

    fn add_phrases(&mut self, phrases: &[String], languages: u64, free_text: bool) {
        for (first, sequences) in rows(phrases) {
            let phrases = sequences.into_iter().map(|words| Phrase { words, languages, free_text });
            self.phrases.entry(first).or_default().extend(phrases);
        }
    }

    /// Takes a word away from what stands under a language.
    fn forget(&mut self, word: &str, language: u64) {
        for (map, key) in [(&mut self.words, word.to_owned()), (&mut self.joined, word.replace(' ', ""))] {
            if let Some(all) = map.get_mut(&key) {
                for meant in &mut *all {
                    meant.languages &= !language;
                }
                all.retain(|m| m.languages != 0);
            }
        }
        if let Some(of) = self.strong.get_mut(word) {
            *of &= !language;
        }
    }

    /// What else a word would ask of the same people.
    fn collision(&self, word: &str, kind: Kind, language: u64) -> Option<Kind> {
        let same = |m: &&Meant| m.languages & language != 0 || language == EVERYBODY || m.languages & EVERYBODY != 0;
        self.words.get(word)?.iter().filter(same).map(|m| m.kind).find(|k| *k != kind)
    }
}

fn meant(all: &[Meant], languages: Languages) -> Option<Kind> {
    // Consent is not read into a language that she is not known to speak.
    let hears = |m: &&Meant| languages.hear(m.languages, m.everyday || matches!(m.kind, Kind::Start | Kind::Yes));
    all.iter().filter(hears).map(|m| m.kind).min()
}

fn mean(all: &mut Vec<Meant>, one: Meant) {
    match all.iter_mut().find(|m| m.kind == one.kind && m.everyday == one.everyday) {
        Some(same) => same.languages |= one.languages,
        None => all.push(one),
    }
}

/// What is left of a word without its repetitions and the number behind it: of "stoooop", "stopstop" and "stop2", "stop".
/// Two letters in a row are nobody's emphasis; nothing if nothing was added.
fn drawn_out(word: &str) -> Option<String> {
    let letters: Vec<char> = word.chars().collect();
    let short: String = letters.chunk_by(|a, b| a == b).flat_map(|run| run.iter().take(if run.len() > 2 { 1 } else { run.len() })).collect();
    let letters: Vec<char> = short.trim_end_matches(|c: char| c.is_ascii_digit()).chars().collect();
    let repeats = |n: &usize| letters.len().is_multiple_of(*n) && letters.chunks(*n).all(|part| letters.starts_with(part));
    let once = (4..=letters.len() / 2).find(repeats).unwrap_or(letters.len());
    let form: String = letters.iter().take(once).collect();
    (form != word).then_some(form)
}

fn form(word: &str) -> String {
    normal(word).text().to_owned()
}

fn sequence(words: &str) -> Sequence {
    normal(words).tokens().into_iter().map(str::to_owned).collect()
}

fn sequences(all: &[String]) -> Vec<Sequence> {
    all.iter().map(|w| sequence(w)).collect()
}

fn forms(all: &[String]) -> BTreeSet<String> {
    all.iter().map(|w| form(w)).collect()
}

fn rows(all: &[String]) -> Rows {
    let mut rows = Rows::new();
    for words in sequences(all) {
        if let Some(first) = words.first().cloned() {
            rows.entry(first).or_default().push(words);
        }
    }
    rows
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Lists {
    stop: Vec<String>,
    start: Vec<String>,
    yes: Vec<String>,
    help: Vec<String>,
    strong: Vec<String>,
    everyday: Vec<String>,
    phrases: Vec<String>,
    inside: Vec<String>,
    polite: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Lenient {
    most_words: usize,
    goes_on: Vec<String>,
    negations: Vec<String>,
    takes_back: Vec<String>,
    places: Vec<String>,
    asks: Vec<String>,
    about: Vec<String>,
    unless: Vec<String>,
    reactions: Vec<String>,
    quoted_after: Vec<String>,
    signatures: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FreeWords {
    phrases: Vec<String>,
    asked: Vec<String>,
    verbs: Vec<String>,
    objects: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    as_of: String,
    universal: Lists,
    languages: BTreeMap<String, Lists>,
    lenient: Lenient,
    free_text: FreeWords,
    regions: BTreeMap<String, Vec<String>>,
}

/// The day on which the shipped words were collected.
pub(super) fn as_of() -> String {
    file().as_of
}

// That it can be read is a test below.
fn file() -> File {
    toml::from_str(SHIPPED).unwrap_or_default()
}

/// The shipped words with those of a configuration.
pub(super) fn index(settings: &Settings) -> Result<Index, Vec<WordProblem>> {
    let file = file();
    let (lenient, free) = (&file.lenient, &file.free_text);
    let mut index = Index {
        most_words: lenient.most_words,
        goes_on: sequences(&lenient.goes_on),
        negations: sequences(&lenient.negations),
        takes_back: forms(&lenient.takes_back),
        places: sequences(&lenient.places),
        asks: rows(&lenient.asks),
        about: forms(&lenient.about),
        unless: sequences(&lenient.unless),
        reactions: sequences(&lenient.reactions),
        quoted_after: sequences(&lenient.quoted_after),
        signatures: sequences(&lenient.signatures),
        free: rows(&free.phrases),
        verbs: rows(&free.verbs),
        objects: forms(&free.objects),
        ..Index::default()
    };
    index.add(EVERYBODY, &file.universal);
    index.add_phrases(&file.free_text.asked, EVERYBODY, true);
    for (name, lists) in &file.languages {
        let language = index.name(name);
        index.add(language, lists);
    }
    for (region, names) in &file.regions {
        let set = names.iter().fold(0, |all, name| all | index.language(name));
        index.regions.insert(region.clone(), set);
    }
    let problems = configure(&mut index, settings);
    if problems.is_empty() { Ok(index) } else { Err(problems) }
}

/// Adds the words of a configuration, and says what cannot be.
fn configure(index: &mut Index, settings: &Settings) -> Vec<WordProblem> {
    let mut problems = Vec::new();
    let everybody = settings.everybody();
    let mut own = vec![(None, EVERYBODY, &everybody)];
    for (name, words) in &settings.languages {
        let known = (2..=3).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase());
        if !known || (index.language(name) == 0 && index.names.len() >= MOST_LANGUAGES) {
            let fix = "write its code in lower case, such as [keywords.fr]; regions such as fr-CA share the words of their language";
            problems.push(WordProblem { language: Some(name.clone()), place: None, problem: format!("'{name}' is not the code of a language"), fix: fix.to_owned() });
            continue;
        }
        own.push((Some(name), index.name(name), words));
    }
    for (language, set, words) in &own {
        for (at, word) in words.except.iter().enumerate() {
            let (place, word) = (Some(("except", at)), form(word));
            let problem = if PROTECTED.contains(&word.as_str()) {
                (format!("'{word}' is a revocation by law and cannot be taken away"), "remove it from this list".to_owned())
            } else if index.words.get(&word).is_some_and(|all| all.iter().any(|m| m.languages & set != 0)) {
                index.forget(&word, *set);
                continue;
            } else {
                (format!("'{word}' is no shipped keyword here"), "name one that the lists have, under the language it is in".to_owned())
            };
            problems.push(WordProblem { language: language.cloned(), place, problem: problem.0, fix: problem.1 });
        }
    }
    for (language, set, words) in &own {
        for (kind, list) in [(Kind::Stop, &words.stop), (Kind::Help, &words.help), (Kind::Start, &words.start), (Kind::Yes, &words.yes)] {
            for (at, word) in list.iter().enumerate() {
                let place = Some((kind.list(), at));
                match refused(index, word, kind, *set) {
                    Some((problem, fix)) => problems.push(WordProblem { language: language.cloned(), place, problem, fix }),
                    None => add_one(index, word, kind, *set),
                }
            }
        }
    }
    problems
}

fn add_one(index: &mut Index, word: &str, kind: Kind, language: u64) {
    let mut lists = Lists::default();
    match kind {
        Kind::Stop => lists.stop.push(word.to_owned()),
        Kind::Help => lists.help.push(word.to_owned()),
        Kind::Start => lists.start.push(word.to_owned()),
        Kind::Yes => lists.yes.push(word.to_owned()),
    }
    index.add(language, &lists);
}

/// Why a word cannot be added, and what to do.
fn refused(index: &Index, word: &str, kind: Kind, language: u64) -> Option<(String, String)> {
    let plain = form(word);
    let words = sequence(word).len();
    if words == 0 || words > index.most_words {
        return Some((format!("'{word}' has no word in it, or more than {}", index.most_words), "write one word, or a few".to_owned()));
    }
    let other = index.collision(&plain, kind, language)?;
    let fix = format!("leave it out, or take it from the '{}' words with except", other.list());
    Some((format!("'{word}' is a '{}' word already, and one word cannot ask for two things", other.list()), fix))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::keyword::Keywords;

    /// The shipped words alone.
    pub(in crate::keyword) fn shipped() -> Index {
        index(&Settings::default()).unwrap()
    }

    /// Every keyword of the shipped file with a language that it is of.
    pub(in crate::keyword) fn every_word() -> Vec<(String, Option<String>, Kind)> {
        let file: File = toml::from_str(SHIPPED).unwrap();
        let mut all = Vec::new();
        for (language, lists) in std::iter::once((None, &file.universal)).chain(file.languages.iter().map(|(name, lists)| (Some(name), lists))) {
            for (kind, words) in [(Kind::Stop, &lists.stop), (Kind::Help, &lists.help), (Kind::Start, &lists.start), (Kind::Yes, &lists.yes)] {
                all.extend(words.iter().map(|word| (word.clone(), language.cloned(), kind)));
            }
        }
        all
    }

    fn with(text: &str) -> Result<Keywords, Vec<WordProblem>> {
        Keywords::with(&toml::from_str(text).unwrap())
    }

    #[test]
    fn the_file_can_be_read_and_asks_for_one_thing_a_word() {
        let file: File = toml::from_str(SHIPPED).unwrap();
        assert!(file.as_of.starts_with("20"));
        assert!(file.languages.len() <= MOST_LANGUAGES && file.lenient.most_words > 0);
        let index = shipped();
        for (word, language, kind) in every_word() {
            let set = language.as_deref().map_or(EVERYBODY, |l| index.language(l));
            assert_ne!(set, 0, "{language:?}");
            let spoken = index.words.get(&form(&word)).unwrap().iter().filter(|m| m.languages & (set | EVERYBODY) != 0).map(|m| m.kind).collect::<BTreeSet<_>>();
            assert_eq!(spoken, BTreeSet::from([kind]), "{word} {language:?}");
        }
        for (name, lists) in &file.languages {
            let words: BTreeSet<String> = lists.stop.iter().chain(&lists.start).chain(&lists.yes).chain(&lists.help).map(|w| form(w)).collect();
            for word in &lists.everyday {
                assert!(words.contains(&form(word)), "{name}: {word} is everyday and no word");
            }
        }
        for (region, names) in &file.regions {
            assert!(names.iter().all(|n| file.languages.contains_key(n)), "{region}");
        }
    }

    #[test]
    fn words_of_a_configuration() {
        use crate::keyword::Keyword::{Help, Stop};
        let words = with("stop = ['Ne plus']\n[fr]\nstop = ['ARRÊTE TOUT']\nhelp = ['SOS']\n[it]\nexcept = ['FINE']\n[is]\nstop = ['HÆTTA']").unwrap();
        let ask = |text: &str, locale: &str| words.classify(text, words.only(locale), super::super::State::Subscribed).action.keyword();
        for (text, locale, expect) in [
            ("ne plus!", "en", Some(Stop)),
            ("arrete tout", "fr-CA", Some(Stop)),
            ("arrete tout", "de", None),
            ("sos", "fr", Some(Help)),
            ("fine", "it", None),
            ("basta", "it", Some(Stop)),
            ("haetta", "is", Some(Stop)),
        ] {
            assert_eq!(ask(text, locale), expect, "{text}");
        }
    }

    #[test]
    fn emphasis_is_not_another_word() {
        for (word, form) in [
            ("stoooop", Some("stop")),
            ("sstttopppp", Some("sstop")),
            ("stopstop", Some("stop")),
            ("stop2", Some("stop")),
            ("stop", None),
            ("stoop", None),
            ("2", Some("")),
            ("", None),
        ] {
            assert_eq!(drawn_out(word).as_deref(), form, "{word}");
        }
    }

    #[test]
    fn a_word_that_cannot_be_is_refused_with_its_place() {
        for (text, language, place, problem) in [
            ("start = ['Stop']", None, Some(("start", 0)), "'Stop' is a 'stop' word already"),
            ("[fr]\nhelp = ['SOS', 'arrêt']", Some("fr"), Some(("help", 1)), "'arrêt' is a 'stop' word already"),
            ("stop = ['ja']", None, Some(("stop", 0)), "'ja' is a 'yes' word already"),
            ("stop = ['!!']", None, Some(("stop", 0)), "has no word in it"),
            ("except = ['cancel']", None, Some(("except", 0)), "is a revocation by law"),
            ("[de]\nexcept = ['fine']", Some("de"), Some(("except", 0)), "is no shipped keyword here"),
            ("[fr-CA]\nstop = ['x']", Some("fr-CA"), None, "is not the code of a language"),
        ] {
            let found = with(text).unwrap_err();
            let [one] = found.as_slice() else { panic!("{text}: {found:?}") };
            assert_eq!((one.language.as_deref(), one.place), (language, place), "{text}");
            assert!(one.problem.contains(problem), "{text}: {}", one.problem);
        }
        assert!(with("stop = ['ja']\n[de]\nexcept = ['ja']\n[nl]\nexcept = ['ja']\n[sv]\nexcept = ['ja']\n[nb]\nexcept = ['ja']\n[da]\nexcept = ['ja']").is_ok());
    }
}
