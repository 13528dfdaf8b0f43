//! The sandbox's own count of everything, for whoever measures: lean even after a hundred thousand texts.
//!
//! Apart from the state that people look at, since that repeats every field of every text.

use serde::Serialize;

use super::Sandbox;
use crate::outgoing::PhoneText;

/// What happened, counted by the fakes themselves.
#[derive(Debug, Clone, Serialize)]
pub struct Tally {
    /// How many texts reached, or are about to reach, a phone.
    pub texts: usize,
    /// The bodies of at most 5,000 of them, from the place that was asked for.
    pub bodies: Vec<String>,
    /// CRM records about texts that came to an end.
    pub crm_final: usize,
    /// How often CRM records were written.
    pub crm_writes: u64,
    /// What the middle one of the hooks' answers took, in real milliseconds.
    pub hook_ack_ms_p50: f64,
    /// What 99 of 100 did not exceed.
    pub hook_ack_ms_p99: f64,
}

/// Bodies in one answer.
const PAGE: usize = 5_000;
/// Whole texts in one answer: the longest of them make it a megabyte.
const TEXTS: usize = 200;

impl Sandbox {
    /// At most 200 texts from a place on, in the order in which the vendors sent them.
    pub fn texts_from(&self, from: usize) -> Vec<PhoneText> {
        self.fakes().vendors.texts().skip(from).take(TEXTS).cloned().collect()
    }

    /// Counts everything; bodies from a place on.
    pub fn tally(&self, from: usize) -> Tally {
        let fakes = self.fakes();
        let latencies = fakes.queue.latencies();
        Tally {
            texts: fakes.vendors.texts_count(),
            bodies: fakes.vendors.texts().skip(from).take(PAGE).map(|text| text.body.clone()).collect(),
            crm_final: fakes.crm.finals(),
            crm_writes: fakes.crm.total_writes(),
            hook_ack_ms_p50: latencies.percentile(50),
            hook_ack_ms_p99: latencies.percentile(99),
        }
    }
}
