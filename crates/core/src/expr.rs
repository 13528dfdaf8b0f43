//! The one expression language of the configuration: conditions, mappings and texts.
//!
//! Its own file because expressions come from people and data from strangers: undefined names are errors, fuel
//! bounds the work, output is capped. It knows no domain types; callers pass JSON. What texts do with values for their
//! reader is in `filters`.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use minijinja::value::{Rest, Serde, ValueKind, merge_maps};
use minijinja::{Environment, Error, ErrorKind, Expression, Template, UndefinedBehavior, Value};
use serde::Deserialize;

mod filters;

pub use filters::Reader;

/// The steps an expression or text may take.
const FUEL: u64 = 100_000;
/// The longest text of a message: ten UCS-2 segments and then some; vendors refuse more than 1,600.
pub const TEXT_CAP: usize = 6_400;
/// The longest request body that a connector renders.
pub const BODY_CAP: usize = 256 * 1024;

/// Why an expression or template gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExprError {
    /// It cannot be parsed.
    #[error("cannot be read (line {line}): {problem}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        problem: String,
    },
    /// A name has no value.
    #[error("{name} is undefined")]
    Undefined {
        /// The name, dotted.
        name: String,
    },
    /// Something else went wrong while it ran.
    #[error("fails (line {line}): {problem}")]
    Run {
        /// The line, from 1.
        line: usize,
        /// What went wrong.
        problem: String,
    },
    /// The result is longer than permitted.
    #[error("gives more than {cap} bytes")]
    TooLong {
        /// The cap.
        cap: usize,
    },
}

/// The most expressions that are kept compiled: more than any configuration has.
const KEPT: usize = 4_096;

/// Strict, with fuel, without escaping. A text is its own name, so that the environment keeps it compiled; texts come
/// from definitions, never from requests, which is what bounds them.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(40);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.add_function("maybe", maybe);
    filters::add_to(&mut env);
    env.set_loader(|text| Ok(Some(text.to_owned())));
    env
});

/// What expressions may name, made ready once for all of those that are asked about it: an event of a shop has more in it
/// than any expression reads.
#[derive(Debug)]
pub struct Facts(Value);

impl Facts {
    /// These facts.
    pub fn of(facts: &serde_json::Value) -> Facts {
        Facts(Value::from(Serde(facts)))
    }
}

/// Evaluates expressions and texts, each compiled once.
#[derive(Default)]
pub struct Engine {
    expressions: RwLock<BTreeMap<String, Arc<Expression<'static, 'static>>>>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// With nothing compiled yet.
    pub fn new() -> Engine {
        Engine::default()
    }

    fn expression(&self, source: &str) -> Result<Arc<Expression<'static, 'static>>, Error> {
        if let Some(known) = self.expressions.read().unwrap_or_else(PoisonError::into_inner).get(source) {
            return Ok(known.clone());
        }
        let compiled = Arc::new(ENVIRONMENT.compile_expression_owned(source.to_owned())?);
        let mut kept = self.expressions.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.insert(source.to_owned(), compiled.clone());
        }
        Ok(compiled)
    }

    /// The value of an expression as JSON.
    pub fn value(&self, source: &str, facts: &serde_json::Value) -> Result<serde_json::Value, ExprError> {
        self.value_of(source, &Facts::of(facts))
    }

    /// The same, of facts that are ready.
    pub fn value_of(&self, source: &str, Facts(facts): &Facts) -> Result<serde_json::Value, ExprError> {
        let compiled = self.expression(source).map_err(|e| classify(&e, &[], facts))?;
        let names = || -> Vec<String> { compiled.undeclared_variables(true).into_iter().collect() };
        let value = compiled.eval(facts).map_err(|e| classify(&e, &names(), facts))?;
        if value.is_undefined() {
            return Err(ExprError::Undefined { name: missing(&names(), facts).unwrap_or_else(|| source.to_owned()) });
        }
        serde_json::Value::deserialize(value).map_err(|e| ExprError::Run { line: 1, problem: e.to_string() })
    }

    /// Whether a condition holds; anything but true or false is an error.
    pub fn holds(&self, source: &str, facts: &serde_json::Value) -> Result<bool, ExprError> {
        self.holds_of(source, &Facts::of(facts))
    }

    /// The same, of facts that are ready.
    pub fn holds_of(&self, source: &str, facts: &Facts) -> Result<bool, ExprError> {
        match self.value_of(source, facts)? {
            serde_json::Value::Bool(b) => Ok(b),
            other => Err(ExprError::Run { line: 1, problem: format!("a condition must be true or false; this is {}", shape(&other)) }),
        }
    }

    /// A rendered text of at most `cap` bytes.
    pub fn render(&self, source: &str, facts: &serde_json::Value, cap: usize) -> Result<String, ExprError> {
        let facts = Value::from(Serde(facts));
        let template = ENVIRONMENT.get_template(source).map_err(|e| classify(&e, &[], &facts))?;
        draw(&template, &facts, None, cap)
    }

    /// A rendered text of at most `cap` bytes, its numbers and times as the reader writes them.
    pub fn render_for(&self, source: &str, facts: &serde_json::Value, reader: &Reader, cap: usize) -> Result<String, ExprError> {
        let facts = Value::from(Serde(facts));
        let template = ENVIRONMENT.get_template(source).map_err(|e| classify(&e, &[], &facts))?;
        draw(&template, &facts, Some(reader), cap)
    }

    /// The same for a text that somebody is still writing: nothing of it is kept.
    pub fn draft(&self, source: &str, facts: &serde_json::Value, reader: &Reader, cap: usize) -> Result<String, ExprError> {
        let facts = Value::from(Serde(facts));
        let template = ENVIRONMENT.template_from_str(source).map_err(|e| classify(&e, &[], &facts))?;
        draw(&template, &facts, Some(reader), cap)
    }

    /// The names a text reads, dotted, sorted; an error if it cannot be parsed.
    pub fn names(&self, source: &str) -> Result<Vec<String>, ExprError> {
        let template = ENVIRONMENT.get_template(source).map_err(|e| classify(&e, &[], &Value::UNDEFINED))?;
        Ok(sorted_names(&template))
    }

    /// The same for a text that somebody is still writing.
    pub fn draft_names(&self, source: &str) -> Result<Vec<String>, ExprError> {
        let template = ENVIRONMENT.template_from_str(source).map_err(|e| classify(&e, &[], &Value::UNDEFINED))?;
        Ok(sorted_names(&template))
    }

    /// The names an expression reads, dotted, sorted; an error if it cannot be parsed.
    pub fn expression_names(&self, source: &str) -> Result<Vec<String>, ExprError> {
        let compiled = self.expression(source).map_err(|e| classify(&e, &[], &Value::UNDEFINED))?;
        let mut names: Vec<String> = compiled.undeclared_variables(true).into_iter().filter(|n| n != "maybe").collect();
        names.sort();
        Ok(names)
    }
}

fn draw(template: &Template<'_, '_>, facts: &Value, reader: Option<&Reader>, cap: usize) -> Result<String, ExprError> {
    let given = match reader {
        Some(reader) => merge_maps([facts.clone(), Value::from_pairs([(filters::READER, Value::from_object(reader.clone()))])]),
        None => facts.clone(),
    };
    let mut out = Capped { bytes: Vec::new(), cap, burst: false };
    let result = template.render_captured_to(given, &mut out).map(|_| ());
    if out.burst {
        return Err(ExprError::TooLong { cap });
    }
    result.map_err(|e| classify(&e, &sorted_names(template), facts))?;
    String::from_utf8(out.bytes).map_err(|e| ExprError::Run { line: 1, problem: e.to_string() })
}

fn sorted_names(template: &Template<'_, '_>) -> Vec<String> {
    let mut names: Vec<String> = template.undeclared_variables(true).into_iter().filter(|n| n != "maybe").collect();
    names.sort();
    names
}

/// `maybe(value, 'a.b', 'c')`: the first of the dotted paths that has a value, or none. The way to read a field that
/// a source may leave out, since plain access to it is an error.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands its arguments over")]
fn maybe(value: &Value, paths: Rest<String>) -> Value {
    for path in paths.iter() {
        let mut at = value.clone();
        for key in path.split('.') {
            at = if matches!(at.kind(), ValueKind::Map) {
                at.get_attr(key).unwrap_or(Value::UNDEFINED)
            } else if let (ValueKind::Seq, Ok(index)) = (at.kind(), key.parse::<usize>()) {
                at.get_item_by_index(index).unwrap_or(Value::UNDEFINED)
            } else {
                Value::UNDEFINED
            };
        }
        if !at.is_undefined() && !at.is_none() {
            return at;
        }
    }
    Value::from(())
}

fn classify(error: &minijinja::Error, names: &[String], facts: &Value) -> ExprError {
    let line = error.line().unwrap_or(1);
    let problem = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.kind() {
        ErrorKind::SyntaxError => ExprError::Syntax { line, problem },
        ErrorKind::UndefinedError => ExprError::Undefined { name: missing(names, facts).unwrap_or(problem) },
        _ => ExprError::Run { line, problem },
    }
}

/// The first of the names that the facts lack.
fn missing(names: &[String], facts: &Value) -> Option<String> {
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort();
    let lacks = |name: &&&String| {
        let mut at = facts.clone();
        for key in name.split('.') {
            match at.get_attr(key) {
                Ok(next) if !next.is_undefined() => at = next,
                _ => return true,
            }
        }
        false
    };
    sorted.iter().filter(|n| n.as_str() != "maybe").find(lacks).map(|n| (*n).clone())
}

fn shape(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "nothing",
        serde_json::Value::Bool(_) => "true or false",
        serde_json::Value::Number(_) => "a number",
        serde_json::Value::String(_) => "a text",
        serde_json::Value::Array(_) => "a list",
        serde_json::Value::Object(_) => "a table",
    }
}

struct Capped {
    bytes: Vec<u8>,
    cap: usize,
    burst: bool,
}

impl io::Write for Capped {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + more.len() > self.cap {
            self.burst = true;
            return Err(io::Error::other("too long"));
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_keep_their_types() {
        let engine = Engine::new();
        let facts = json!({"body": {"id": 820_982_911_946_154_508_i64, "name": "#1042", "customer": {"phone": null}}});
        assert_eq!(engine.value("body.id", &facts).unwrap(), json!(820_982_911_946_154_508_i64));
        assert_eq!(engine.value("maybe(body, 'customer.phone', 'phone', 'name')", &facts).unwrap(), json!("#1042"));
        assert_eq!(engine.value("maybe(body, 'a.b.c')", &facts).unwrap(), json!(null));
    }

    #[test]
    fn undefined_names_are_named() {
        let engine = Engine::new();
        let facts = json!({"event": {"data": {"name": "x"}}});
        let undefined = |name: &str| Err(ExprError::Undefined { name: name.into() });
        assert_eq!(engine.render("Hi {{ event.data.first }}", &facts, 100), undefined("event.data.first"));
        assert_eq!(engine.holds("event.data.total > 5", &facts), undefined("event.data.total").map(|_: String| true));
        assert_eq!(engine.value("event.data.total", &facts), undefined("event.data.total").map(|_: String| json!(null)));
    }

    #[test]
    fn conditions_are_booleans() {
        let engine = Engine::new();
        assert!(engine.holds("a == 1 and b in ['x', 'y']", &json!({"a": 1, "b": "y"})).unwrap());
        assert!(engine.holds("a", &json!({"a": "yes"})).unwrap_err().to_string().contains("true or false"));
        assert!(matches!(engine.holds("a ==", &json!({})), Err(ExprError::Syntax { .. })));
    }

    #[test]
    fn work_and_output_are_bounded() {
        let engine = Engine::new();
        assert_eq!(engine.render("{{ 'x' * 500 }}", &json!({}), 100), Err(ExprError::TooLong { cap: 100 }));
        assert!(engine.render("{{ 'x' * 2000000000 }}", &json!({}), 100).is_err());
        assert!(engine.render("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", &json!({}), 100).is_err());
    }
}
