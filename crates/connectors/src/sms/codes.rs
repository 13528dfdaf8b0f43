//! A vendor's codes by context, as its table in `data/` has them, and what a refusal with one means.
//!
//! Its own file because every driver reads the same columns. Which column counts is decided by where a code was seen; how
//! far the call got was looked at before that, by the driver.

use trunkline_core::outcome::{Outcome, Refusal};

use crate::http::Response;

/// The table of one vendor.
#[derive(Debug, Clone, Copy)]
pub struct Codes {
    /// The vendor's name, for sentences.
    pub vendor: &'static str,
    /// `code,name,reply,receipt,opt_out`, one code a line; lines with `#` are remarks.
    pub table: &'static str,
}

/// What the table says of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The class of a refusal with it, or empty.
    pub reply: &'static str,
    /// What a receipt with it is about, or empty.
    pub receipt: &'static str,
    /// Whether the vendor blocks the recipient for the sender.
    pub opt_out: bool,
}

impl Codes {
    /// The row of a code.
    pub fn row(&self, code: &str) -> Option<Row> {
        let line = self.table.lines().find(|line| line.split(',').next() == Some(code))?;
        let mut cells = line.split(',').skip(2);
        Some(Row { reply: cells.next()?, receipt: cells.next()?, opt_out: cells.next()? == "yes" })
    }

    /// What a refusal in the vendor's own words means. A code that the table lacks is about the account where HTTP says
    /// so, and else about a rule.
    pub fn refused(&self, vendor_code: String, message: &str, response: &Response) -> Outcome {
        let row = self.row(&vendor_code);
        let class = match row.map(|r| r.reply).unwrap_or_default() {
            "throttled" => return Outcome::Throttled { retry_after: response.retry_after(), vendor_code },
            "transient" => return Outcome::Transient { cause: format!("{} refused it for now (code {vendor_code})", self.vendor) },
            "unclear" => return Outcome::Ambiguous { cause: format!("HTTP {} with code {vendor_code}", response.status) },
            "number" => Refusal::Number,
            "account" => Refusal::Account,
            "content" => Refusal::Content,
            _ if row.is_none() && matches!(response.status, 401 | 403) => Refusal::Account,
            _ => Refusal::Policy,
        };
        Outcome::Permanent { class, vendor_code, message: message.chars().take(200).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_outranks_the_status_and_the_status_what_nobody_knows() {
        let codes = Codes { vendor: "Acme", table: "# remark\ncode,name,reply,receipt,opt_out\n1,stop,policy,policy,yes\n2,slow,throttled,,\n3,odd,unclear,,\n" };
        let answer = |status| Response { status, headers: vec![], body: bytes::Bytes::new() };
        let class = |code: &str, status| match codes.refused(code.to_owned(), "no", &answer(status)) {
            Outcome::Permanent { class, .. } => class.word(),
            other => other.word(),
        };
        assert_eq!((class("1", 400), class("1", 403), class("9", 400), class("9", 403), class("9", 401)), ("policy", "policy", "policy", "account", "account"));
        assert_eq!((class("2", 400), class("3", 400)), ("throttled", "ambiguous"));
        assert!(codes.row("1").is_some_and(|row| row.opt_out) && codes.row("remark").is_none());
    }
}
