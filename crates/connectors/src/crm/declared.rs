//! A write-back connector that is data: method, URL, headers, body, and which answers mean what.
//!
//! Its own file because most systems of record need no code at all. It writes whole records whose latest value wins;
//! appends, which need an external id, are not its concern.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trunkline_core::expr::{BODY_CAP, Engine, ExprError};
use trunkline_core::planted::{Fault, planted};
use trunkline_core::time::Span;

use crate::http::{Reply, Request};

/// What a connector's records are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// One record for each message.
    Message,
    /// One record for each address.
    Address,
}

/// A pattern of status codes: `200`, `2xx`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Codes {
    from: u16,
    to: u16,
}

impl Codes {
    fn has(self, status: u16) -> bool {
        (self.from..=self.to).contains(&status)
    }
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from, self.to)
    }
}

impl TryFrom<String> for Codes {
    type Error = String;
    fn try_from(text: String) -> Result<Codes, String> {
        let hundreds = text.strip_suffix("xx").and_then(|d| d.parse::<u16>().ok()).filter(|d| (1..=5).contains(d));
        if let Some(hundreds) = hundreds {
            return Ok(Codes { from: hundreds * 100, to: hundreds * 100 + 99 });
        }
        match text.parse::<u16>() {
            Ok(code) if (100..=599).contains(&code) => Ok(Codes { from: code, to: code }),
            _ => Err(format!("'{text}' is not a status: write \"200\" or \"2xx\"")),
        }
    }
}

impl<'de> Deserialize<'de> for Codes {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Codes, D::Error> {
        String::deserialize(d)?.try_into().map_err(serde::de::Error::custom)
    }
}

/// One connector of `connectors/*.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// What its records are about.
    pub about: About,
    /// Template: the record's key in the other system; writes of one key go one at a time.
    pub record: String,
    /// The method.
    pub method: String,
    /// Template: the URL.
    pub url: String,
    /// Templates: headers; `secret.<name>` reads a secret.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Template: the body.
    #[serde(default)]
    pub body: String,
    /// Answers that mean the record is written.
    pub done: Vec<Codes>,
    /// Answers that mean try again later, besides 408, 429, 5xx and no answer at all.
    #[serde(default)]
    pub retry: Vec<Codes>,
    /// How long one call may take, in real time.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
    /// How often one record is tried before it becomes a dead letter: by default some hours, longer than most outages.
    #[serde(default = "fifty")]
    pub max_attempts: u32,
}

fn ten_seconds() -> Span {
    Span::secs(10)
}

fn fifty() -> u32 {
    50
}

/// A connector and its secrets.
pub struct Connector {
    /// Its name.
    pub name: String,
    /// What it does.
    pub definition: Definition,
    /// Its secrets by name.
    pub secrets: BTreeMap<String, SecretString>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("name", &self.name).field("definition", &self.definition).finish_non_exhaustive()
    }
}

/// What a write came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// The record is as we wrote it.
    Done,
    /// Not now.
    Retry {
        /// How long the other side asked us to wait.
        after: Option<Span>,
        /// What happened.
        cause: String,
    },
    /// Never, as things are.
    GiveUp {
        /// What happened.
        cause: String,
    },
}

impl Connector {
    /// The record's key.
    pub fn record(&self, engine: &Engine, facts: &Value) -> Result<String, ExprError> {
        engine.render(&self.definition.record, facts, 256)
    }

    /// The request that writes the record as it is now.
    pub fn request(&self, engine: &Engine, facts: &Value) -> Result<Request, ExprError> {
        let mut with_secrets = facts.clone();
        if let Value::Object(fields) = &mut with_secrets {
            let secrets = self.secrets.iter().map(|(k, v)| (k.clone(), Value::String(v.expose_secret().to_owned()))).collect();
            fields.insert("secret".to_owned(), Value::Object(secrets));
        }
        let mut headers = Vec::new();
        for (name, source) in &self.definition.headers {
            headers.push((name.to_ascii_lowercase(), engine.render(source, &with_secrets, 8 * 1024)?));
        }
        Ok(Request {
            method: ::http::Method::from_bytes(self.definition.method.as_bytes()).unwrap_or(::http::Method::PUT),
            url: engine.render(&self.definition.url, &with_secrets, 2 * 1024)?,
            headers,
            body: Bytes::from(engine.render(&self.definition.body, facts, BODY_CAP)?),
            timeout: self.definition.timeout,
        })
    }

    /// A field of the body that some system owns which is not Trunkline, and that system: only fields of ours are ever
    /// written. Bodies that are no JSON object have no fields that anybody could own.
    pub fn foreign_field<'a>(&self, request: &Request, owner: impl Fn(&str) -> Option<&'a str>) -> Option<(String, String)> {
        let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(&request.body) else { return None };
        fields.keys().find_map(|field| owner(field).filter(|o| *o != "trunkline").map(|o| (field.clone(), o.to_owned())))
    }

    /// Reads the answer. An unclear one is tried again: writing the latest value twice changes nothing.
    pub fn outcome(&self, reply: &Reply) -> Written {
        let response = match reply {
            Err(error) => return Written::Retry { after: None, cause: error.to_string() },
            Ok(response) => response,
        };
        let status = response.status;
        let listed = |codes: &[Codes]| codes.iter().any(|c| c.has(status));
        if listed(&self.definition.done) || (status == 409 && planted(Fault::ConflictIsDone)) {
            Written::Done
        } else if matches!(status, 408 | 429 | 500..=599) || listed(&self.definition.retry) {
            Written::Retry { after: response.retry_after(), cause: format!("HTTP {status}") }
        } else {
            Written::GiveUp { cause: format!("HTTP {status}: {}", String::from_utf8_lossy(&response.body).chars().take(120).collect::<String>()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Phase, Response, TransportError};
    use serde_json::json;

    fn connector() -> Connector {
        let definition = json!({
            "about": "message", "record": "msg:{{ message.id }}", "method": "PUT", "url": "https://crm.example/messages/{{ message.id | urlencode }}",
            "headers": {"Authorization": "Bearer {{ secret.token }}"}, "body": "{\"status\": {{ message.word | tojson }}}", "done": ["2xx"], "retry": ["409"],
        });
        Connector { name: "crm".into(), definition: serde_json::from_value(definition).unwrap(), secrets: [("token".to_owned(), SecretString::from("hush"))].into() }
    }

    #[test]
    fn renders_the_request() {
        let facts = json!({"message": {"id": "msg_1", "word": "replied \"now\""}});
        let request = connector().request(&Engine::new(), &facts).unwrap();
        assert_eq!((request.method.as_str(), request.url.as_str()), ("PUT", "https://crm.example/messages/msg_1"));
        assert_eq!(request.headers, [("authorization".to_owned(), "Bearer hush".to_owned())]);
        assert_eq!(request.body, "{\"status\": \"replied \\\"now\\\"\"}");
        assert!(!format!("{:?} {request:?}", connector()).contains("hush"));
        assert_eq!(connector().record(&Engine::new(), &facts).unwrap(), "msg:msg_1");
        assert!(connector().request(&Engine::new(), &json!({})).is_err());
    }

    #[test]
    fn reads_the_answer() {
        let of = |status: u16| connector().outcome(&Ok(Response { status, headers: vec![], body: Bytes::new() }));
        assert_eq!(of(204), Written::Done);
        for status in [408, 409, 429, 500, 503] {
            assert!(matches!(of(status), Written::Retry { .. }), "{status}");
        }
        for status in [301, 400, 404] {
            assert!(matches!(of(status), Written::GiveUp { .. }), "{status}");
        }
        let lost = Err(TransportError { phase: Phase::Wait, detail: "reset".into() });
        assert!(matches!(connector().outcome(&lost), Written::Retry { .. }));
        assert!(Codes::try_from("6xx".to_owned()).is_err() && Codes::try_from("abc".to_owned()).is_err());
    }
}
