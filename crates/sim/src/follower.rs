//! A fake follower: takes announcements, checks their signatures with code of its own, and remembers each.
//!
//! Its own file because it is the measure of what others are told: each thing once, with the words it had first. It
//! speaks the follower's side of Standard Webhooks and nothing else.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rand_core::RngCore;
use trunkline_connectors::http::{Request, Response};

use crate::outgoing::{Answer, hit};

/// The key that both sides have.
pub const KEY: &str = "whsec_c2FuZGJveC1mb2xsb3dlci1zaWduaW5nLWtleS0h";

/// The fake follower.
#[derive(Debug, Default)]
pub struct Follower {
    taken: BTreeMap<String, Bytes>,
    faults: Vec<String>,
}

impl Follower {
    /// Answers one announcement; so many in a thousand are answered with 503, and of those half were taken.
    pub fn call(&mut self, request: &Request, trouble_permille: u32, rng: &mut dyn RngCore) -> Answer {
        let (trouble, took) = (hit(rng, trouble_permille), hit(rng, 500));
        let status = |status| Answer::Reply(Response { status, headers: Vec::new(), body: Bytes::new() });
        let header = |name: &str| request.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
        let id = header("webhook-id");
        if !signed(&id, &header("webhook-timestamp"), &request.body, &header("webhook-signature")) {
            self.faults.push(format!("{id} is not signed"));
            return status(401);
        }
        if trouble && !took {
            return status(503);
        }
        if let Some(before) = self.taken.insert(id.clone(), request.body.clone())
            && before != request.body
        {
            self.faults.push(format!("{id} was told in two ways"));
        }
        status(if trouble { 503 } else { 204 })
    }

    /// What it was told, by id.
    pub fn taken(&self) -> &BTreeMap<String, Bytes> {
        &self.taken
    }

    /// What was wrong with what it was told.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}

fn signed(id: &str, timestamp: &str, body: &[u8], signatures: &str) -> bool {
    let Ok(key) = STANDARD.decode(KEY.trim_start_matches("whsec_")) else { return false };
    let content = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let expect = format!("v1,{}", STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &content)));
    signatures.split(' ').any(|given| given == expect)
}
