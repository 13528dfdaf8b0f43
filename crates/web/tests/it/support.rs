//! A server without a socket.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;
use trunkline_core::clock::ManualClock;
use trunkline_core::looping::Loop;
use trunkline_core::purpose::{Policy, Purpose};
use trunkline_core::time::{Span, Time};
use trunkline_engine::Engine;
use trunkline_sim::fixtures;
use trunkline_store::sqlite::{Owes, SqliteStore};
use trunkline_store::{Command, Store, Unit};
use trunkline_web::api::auth::{SCOPES, mint};

pub(crate) struct Server {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) key: String,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// The fields that a problem names.
    pub(crate) fn fields(&self) -> Vec<String> {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        let body = self.json();
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        assert!(errors.iter().all(|e| !e["fix"].as_str().unwrap().is_empty()), "{body}");
        errors.iter().map(|e| e["field"].as_str().unwrap().to_owned()).collect()
    }
}

impl Server {
    pub(crate) async fn new() -> Server {
        Server::over(Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap())).await
    }

    pub(crate) async fn over(store: Arc<dyn Store>) -> Server {
        let clock = Arc::new(ManualClock::at("2026-11-23T18:00:00Z".parse::<Time>().unwrap()));
        let now = trunkline_core::clock::Clock::now(clock.as_ref());
        let mut definitions = Arc::into_inner(fixtures::definitions(store.as_ref(), now, false, trunkline_sim::carrier::Dialect::Twilio).await.unwrap()).unwrap();
        // Lists are filled with codes to one number, all in the same instant.
        let lax = Loop { same: None, any: None, within: Span::mins(10) };
        definitions.purposes.insert(Purpose::Otp, Policy { looping: Some(lax), ..Policy::default_for(Purpose::Otp) });
        let engine = Arc::new(Engine::start(store, clock.clone(), Arc::new(definitions), [7; 32]).await.unwrap());
        let server = Server { engine, clock, key: String::new() };
        let key = server.mint(&SCOPES.map(str::to_owned)).await;
        Server { key, ..server }
    }

    pub(crate) async fn mint(&self, scopes: &[String]) -> String {
        let random = std::array::from_fn(|i| u8::try_from(i + scopes.len()).unwrap());
        let (key, text) = mint("test", scopes, Time(0), random);
        self.put(Command::PutApiKey(key)).await;
        text
    }

    pub(crate) async fn put(&self, command: Command) {
        self.engine.store.commit(Time(0), vec![Unit::one(command)]).await.pop().unwrap().unwrap();
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = trunkline_web::router(&self.engine, false, None).oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, 10 << 20).await.unwrap();
        Answer { status: head.status, headers: head.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub(crate) async fn post(&self, path: &str, media: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path).header("authorization", format!("Bearer {}", self.key)).header("content-type", media);
        self.ask(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn send(&self, key: &str, body: &Value) -> Answer {
        let request =
            Request::post("/v1/messages").header("authorization", format!("Bearer {}", self.key)).header("content-type", "application/json").header("idempotency-key", key);
        self.ask(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).header("authorization", format!("Bearer {}", self.key)).body(Body::empty()).unwrap()).await
    }
}
