//! What the two processes took: processor time and memory, as the kernel counts them.
//!
//! Its own file because it reads `/proc`, and is therefore for Linux only.

use anyhow::Context;

/// Reads two processes.
pub(super) struct Meter {
    server: u32,
    sandbox: u32,
    began: (u64, u64),
    /// The server's processor time in microseconds.
    pub(super) server_micros: u64,
    /// The sandbox's.
    pub(super) sandbox_micros: u64,
    /// The server's largest resident set.
    pub(super) peak_rss_kb: u64,
}

/// The kernel counts in hundredths of a second, whatever the machine.
const TICK_MICROS: u64 = 10_000;

impl Meter {
    pub(super) fn start(server: u32, sandbox: u32) -> anyhow::Result<Meter> {
        Ok(Meter { server, sandbox, began: (ticks(server)?, ticks(sandbox)?), server_micros: 0, sandbox_micros: 0, peak_rss_kb: 0 })
    }

    /// Reads what only a living process has.
    pub(super) fn look(&mut self) -> anyhow::Result<()> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server)).context("the server has ended")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).and_then(|rest| rest.split_whitespace().next()).and_then(|n| n.parse().ok());
        self.peak_rss_kb = self.peak_rss_kb.max(peak.unwrap_or(0));
        Ok(())
    }

    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        self.look()?;
        self.server_micros = ticks(self.server)?.saturating_sub(self.began.0) * TICK_MICROS;
        self.sandbox_micros = ticks(self.sandbox)?.saturating_sub(self.began.1) * TICK_MICROS;
        Ok(())
    }
}

/// User and system time of a process.
fn ticks(pid: u32) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("a process has ended")?;
    // The name, in parentheses, may hold spaces.
    let rest = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
    let fields: Vec<&str> = rest.split(' ').collect();
    let at = |n: usize| fields.get(n).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    Ok(at(11) + at(12))
}
