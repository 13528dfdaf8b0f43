//! `trunkline keys`: API keys, shown once; and operators of the console.

use std::io::Read;

use clap::{Args, Subcommand};
use serde_json::json;
use trunkline_connectors::follower::SigningKey;
use trunkline_store::row::{ApiKey, Operator};
use trunkline_store::{Command, Unit};
use trunkline_web::api::auth::{SCOPES, mint};
use trunkline_web::console::hash_password;

use super::Place;
use crate::output::{self, EXIT_FOUND, EXIT_OK};
use crate::wiring;

/// Make, list and revoke API keys, and set operators' passwords.
#[derive(Args)]
pub(crate) struct Keys {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a key; it is shown once.
    Create {
        /// What it is for.
        name: String,
        /// What it may do: events:write, messages:write, messages:read, consent:write, profiles:write, hooks:read, deadletters:write, addresses:erase; everything if not said.
        #[arg(long = "scope")]
        scopes: Vec<String>,
    },
    /// List keys.
    List,
    /// Revoke a key by its id.
    Revoke {
        /// The id, as the list shows it.
        id: String,
    },
    /// Make a key that signs what followers get; it is shown once, and belongs in a secret of `[followers.<name>]`.
    Signing {
        /// Two halves instead of one shared key: followers get the public one.
        #[arg(long)]
        ed25519: bool,
    },
    /// Set the password of an operator of the console, read from standard input.
    Operator {
        /// The operator's name.
        name: String,
    },
}

impl Keys {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("warn", false);
        if let Action::Signing { ed25519 } = self.action {
            return signing(ed25519, self.place.json);
        }
        let engine = wiring::beside(&self.place).await?;
        let now = engine.clock.now();
        let commit = |command| {
            let store = engine.store.clone();
            async move { store.commit(now, vec![Unit::one(command)]).await.pop().unwrap_or(Ok(Vec::new())) }
        };
        let as_json = self.place.json;
        match self.action {
            Action::Create { name, scopes } => {
                if let Some(unknown) = scopes.iter().find(|s| !SCOPES.contains(&s.as_str())) {
                    anyhow::bail!("'{unknown}' is not a scope: use {}", SCOPES.join(", "));
                }
                let scopes = if scopes.is_empty() { SCOPES.map(str::to_owned).to_vec() } else { scopes };
                let (key, text) = mint(&name, &scopes, now, wiring::random()?);
                commit(Command::PutApiKey(key.clone())).await?;
                if as_json {
                    output::json(&json!({"id": key.id, "name": name, "scopes": scopes, "key": text}))?;
                } else {
                    output::say(&text);
                    output::tell("this is the only time the key is shown");
                }
                Ok(EXIT_OK)
            }
            Action::List => {
                list(&engine.store.api_keys().await?, as_json)?;
                Ok(EXIT_OK)
            }
            Action::Revoke { id } => {
                let Some(key) = engine.store.api_key(&id).await? else {
                    output::complain(&format!("there is no key '{id}'; list with: trunkline keys list"));
                    return Ok(EXIT_FOUND);
                };
                commit(Command::PutApiKey(ApiKey { revoked_at: Some(now), ..key })).await?;
                output::tell("revoked");
                Ok(EXIT_OK)
            }
            // Answered above: it needs no store.
            Action::Signing { .. } => Ok(EXIT_OK),
            Action::Operator { name } => {
                let mut password = String::new();
                std::io::stdin().take(1_024).read_to_string(&mut password)?;
                let password = password.trim_end_matches(['\r', '\n']);
                if password.chars().count() < 12 {
                    anyhow::bail!("the password is shorter than 12 characters: pipe a longer one, such as: openssl rand -base64 18 | trunkline keys operator {name}");
                }
                let hash = hash_password(password).map_err(|e| anyhow::anyhow!("{e}"))?;
                commit(Command::PutOperator(Operator { name: name.clone(), password: hash })).await?;
                output::tell(&format!("operator '{name}' can sign in"));
                Ok(EXIT_OK)
            }
        }
    }
}

fn signing(ed25519: bool, as_json: bool) -> anyhow::Result<u8> {
    let seed = wiring::random::<32>()?;
    let (secret, public) = if ed25519 { SigningKey::pair(&seed).map(|(secret, public)| (secret, Some(public)))? } else { (SigningKey::shared(&seed), None) };
    if as_json {
        output::json(&json!({"secret": secret, "public": public}))?;
        return Ok(EXIT_OK);
    }
    output::say(&secret);
    match public {
        Some(public) => output::tell(&format!("the follower verifies with {public}; keep the key above where only the server reads it")),
        None => output::tell("the follower verifies with the same key; it is shown once"),
    }
    Ok(EXIT_OK)
}

fn list(keys: &[ApiKey], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        let rows: Vec<_> = keys.iter().map(|k| json!({"id": k.id, "name": k.name, "scopes": k.scopes, "created_at": k.created_at, "revoked_at": k.revoked_at})).collect();
        return output::json(&rows);
    }
    let state = |k: &ApiKey| k.revoked_at.map_or_else(|| "in use".to_owned(), |t| format!("revoked {t}"));
    let rows: Vec<Vec<String>> = keys.iter().map(|k| vec![k.id.clone(), k.name.clone(), k.scopes.join(" "), state(k)]).collect();
    output::table(&["ID", "NAME", "MAY", "STATE"], &rows);
    Ok(())
}
