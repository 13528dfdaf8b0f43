//! `GET /live`: tells open pages that something changed.
//!
//! Its own file because it is the one answer that does not end. It says that something changed, never what: pages
//! fetch themselves again. It also never says so more than twice a second.

use std::convert::Infallible;
use std::future::{self, Ready};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use trunkline_core::clock::Clock;
use trunkline_core::time::Time;

use super::Console;
use super::session::SignedIn;

/// The shortest time between two events of one stream.
const PACE: Duration = Duration::from_millis(500);

pub(super) fn stream(State(console): State<Console>, SignedIn { expires_at, .. }: SignedIn) -> Ready<Response> {
    let events = events(console.changes, console.engine.clock.clone(), expires_at);
    future::ready(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// Ends with the session, or when the server stops counting changes. A page that connects hears of the newest
/// change at once, since it may have happened while the page was on its way.
fn events(changes: watch::Receiver<u64>, clock: Arc<dyn Clock>, until: Time) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    stream::unfold((changes, clock, pace), move |(mut changes, clock, mut pace)| async move {
        changes.changed().await.ok()?;
        pace.tick().await;
        if clock.now() >= until {
            return None;
        }
        let newest = *changes.borrow_and_update();
        let event = Event::default().event("change").data(newest.to_string());
        Some((Ok(event), (changes, clock, pace)))
    })
}
