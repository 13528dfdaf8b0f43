//! `trunkline send`: one text, through the same intake as the API.

use clap::Args;
use serde_json::{Value, json};
use trunkline_core::event::FieldProblem;
use trunkline_core::purpose::Purpose;
use trunkline_core::time::Span;
use trunkline_engine::explain::because;
use trunkline_engine::intake::{SendRequest, Unwilling};

use super::Place;
use crate::output::{self, EXIT_FOUND, EXIT_OK};
use crate::wiring;

/// Send one text.
#[derive(Args)]
pub(crate) struct Send {
    #[command(flatten)]
    place: Place,
    /// The recipient, such as +14155550123.
    to: String,
    /// The text.
    #[arg(long, conflicts_with_all = ["template", "data"])]
    body: Option<String>,
    /// The template, instead of a text.
    #[arg(long)]
    template: Option<String>,
    /// The template's variables, as JSON.
    #[arg(long, requires = "template")]
    data: Option<String>,
    /// otp, transactional, service, marketing or collections.
    #[arg(long)]
    purpose: Purpose,
    /// How long it is worth sending, such as 4h.
    #[arg(long)]
    ttl: Option<Span>,
    /// Replace characters outside of GSM-7 where that saves segments, whatever is configured.
    #[arg(long)]
    smart: bool,
    /// Names this text: the same key again is the same text.
    #[arg(long)]
    key: Option<String>,
}

impl Send {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("warn", false);
        let data: Option<Value> = self.data.as_deref().map(serde_json::from_str).transpose().map_err(|e| anyhow::anyhow!("--data is not JSON: {e}"))?;
        let engine = wiring::beside(&self.place).await?;
        let random = wiring::random::<8>()?.iter().fold(String::new(), |out, b| out + &format!("{b:02x}"));
        let key = self.key.unwrap_or(random);
        let request = SendRequest {
            to: self.to,
            template: self.template,
            data,
            body: self.body,
            locale: None,
            purpose: self.purpose,
            program: None,
            ttl: self.ttl,
            labels: std::collections::BTreeMap::new(),
            smart_encoding: self.smart.then_some(true),
        };
        match engine.send_text("command line", &key, &request).await {
            Ok(message) => {
                if self.place.json {
                    output::json(&json!({"id": message.id, "status": message.state.word(), "because": because(&message), "key": key}))?;
                } else {
                    output::say(&format!("{}  {}: {}", message.id, message.state.word(), because(&message)));
                    output::tell("a running server sends it; ask with: trunkline explain <id>");
                }
                Ok(EXIT_OK)
            }
            Err(Unwilling::Invalid(problems)) => refuse(&problems, self.place.json),
            Err(Unwilling::KeyReused) => refuse(&[FieldProblem::new("key", "was used for another text", "use a new key for a new text")], self.place.json),
            Err(Unwilling::Store(error)) => Err(error.into()),
        }
    }
}

fn refuse(problems: &[FieldProblem], as_json: bool) -> anyhow::Result<u8> {
    if as_json {
        output::json(&json!({"errors": problems}))?;
    } else {
        for problem in problems {
            output::complain(&format!("{} {}: {}", problem.field, problem.problem, problem.fix));
        }
    }
    Ok(EXIT_FOUND)
}
