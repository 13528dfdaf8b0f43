//! API keys: who asks, and what they may do.
//!
//! Its own file because the secret half is shown once and kept only as a hash: here is the one place that makes and
//! checks it.

use axum::http::{HeaderMap, StatusCode, header};
use trunkline_core::id::hash16;
use trunkline_core::time::Time;
use trunkline_engine::Engine;
use trunkline_store::row::ApiKey;

use super::problem::Problem;

/// What a key may do.
pub const SCOPES: [&str; 8] = ["events:write", "messages:write", "messages:read", "consent:write", "profiles:write", "hooks:read", "deadletters:write", "addresses:erase"];

/// A fresh key and the text that is shown once; `random` is 26 random bytes.
pub fn mint(name: &str, scopes: &[String], now: Time, random: [u8; 26]) -> (ApiKey, String) {
    let text = |bytes: &[u8]| bytes.iter().fold(String::new(), |out, b| out + &format!("{b:02x}"));
    let (id, secret) = random.split_at(6);
    let (id, secret) = (text(id), text(secret));
    let key = ApiKey { id: id.clone(), hash: digest(&secret), name: name.to_owned(), scopes: scopes.to_vec(), created_at: now, revoked_at: None };
    (key, format!("tlk_{id}_{secret}"))
}

/// The secret has 160 random bits: a plain digest of it cannot be searched.
fn digest(secret: &str) -> [u8; 16] {
    hash16(&[b"api-key", secret.as_bytes()])
}

/// The client that a request's key belongs to, if it may do this.
pub(crate) async fn client(engine: &Engine, headers: &HeaderMap, scope: &str) -> Result<String, Problem> {
    let denied = |detail: &str| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "An API key is needed", detail);
    let value = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let Some(token) = value.and_then(|v| v.strip_prefix("Bearer ")) else {
        return Err(denied("send the header 'Authorization: Bearer tlk_…'; make a key with 'trunkline keys create'"));
    };
    let unknown = || denied("this key does not exist or was revoked; see 'trunkline keys list'");
    let (id, secret) = token.trim().strip_prefix("tlk_").and_then(|t| t.split_once('_')).ok_or_else(unknown)?;
    let key = engine.store.api_key(id).await?.ok_or_else(unknown)?;
    let matches = aws_lc_rs::constant_time::verify_slices_are_equal(&key.hash, &digest(secret)).is_ok();
    if !matches || key.revoked_at.is_some() {
        return Err(unknown());
    }
    if !key.scopes.iter().any(|s| s == scope) {
        let detail = format!("key '{}' lacks the scope '{scope}'; make one with 'trunkline keys create --scope {scope}'", key.name);
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "The key may not do this", detail));
    }
    Ok(format!("key {}", key.id))
}
