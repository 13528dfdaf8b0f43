//! `trunkline consent`: the ledger from and to files.
//!
//! Its own file because a file is all or nothing: it is checked whole, its rows' fates are shown if asked, and only then is
//! anything written. What a row means is `trunkline_core::consent::rows`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use trunkline_core::consent::rows::{self, Fate, Format, Reading, Rules};
use trunkline_engine::Engine;
use trunkline_engine::consent::{Imported, Planned};
use trunkline_store::row::Place;

use super::Place as Where;
use crate::output::{self, EXIT_FOUND, EXIT_OK};
use crate::wiring;

/// Bring consent in from a file, or write the ledger to one.
#[derive(Args)]
pub(crate) struct Consent {
    #[command(flatten)]
    place: Where,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Add the rows of a file to the ledger: all of them are checked first, and none lifts an opt-out. The same file again
    /// completes what broke off, and doubles nothing.
    Import {
        /// The file: CSV with named columns, or a JSON object a line (.ndjson, .jsonl).
        file: PathBuf,
        /// Show what would become of each row, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// How it is written, if its name does not say.
        #[arg(long)]
        format: Option<Written>,
    },
    /// Write every entry of the ledger, oldest first for each number. The file holds phone numbers.
    Export {
        /// The file; absent means standard output.
        #[arg(long, short)]
        out: Option<PathBuf>,
        /// How to write it; absent means as the file's name says, or CSV.
        #[arg(long)]
        format: Option<Written>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Written {
    /// Values with commas between, names in the first line.
    Csv,
    /// A JSON object a line.
    Ndjson,
}

impl Written {
    const fn format(self) -> Format {
        match self {
            Written::Csv => Format::Csv,
            Written::Ndjson => Format::Ndjson,
        }
    }
}

/// How many addresses are read at once.
const PAGE: usize = 500;
/// The most problems that are shown.
const MOST: usize = 100;

impl Consent {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("warn", false);
        let engine = wiring::beside(&self.place).await?;
        match self.what {
            What::Import { file, dry_run, format } => import(&engine, &file, dry_run, format_of(Some(&file), format)?, self.place.json).await,
            What::Export { out, format } => {
                let format = format_of(out.as_deref(), format.or(out.is_none().then_some(Written::Csv)))?;
                export(&engine, out.as_deref(), format).await
            }
        }
    }
}

fn format_of(file: Option<&Path>, said: Option<Written>) -> anyhow::Result<Format> {
    let end = file.and_then(Path::extension).and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    match (said, end.as_deref()) {
        (Some(said), _) => Ok(said.format()),
        (None, Some("csv")) => Ok(Format::Csv),
        (None, Some("ndjson" | "jsonl")) => Ok(Format::Ndjson),
        (None, _) => anyhow::bail!("the name of the file does not say how it is written: add --format csv or --format ndjson"),
    }
}

fn bar(rows: usize) -> anyhow::Result<ProgressBar> {
    let bar = if output::watched() { ProgressBar::new(rows as u64) } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} rows {msg}, {eta} to go")?);
    Ok(bar)
}

async fn import(engine: &Engine, file: &Path, dry_run: bool, format: Format, as_json: bool) -> anyhow::Result<u8> {
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let id = rows::import_id(&bytes);
    let definitions = &engine.definitions;
    let rules = Rules {
        region: definitions.default_region.as_deref(),
        programs: definitions.programs.keys().map(String::as_str).collect(),
        import: id.clone(),
        actor: "command line".to_owned(),
        now: engine.clock.now(),
    };
    let reading = rows::read(&bytes, format, &rules);
    if !reading.problems.is_empty() {
        return refuse(file, &id, &reading, as_json);
    }
    let bar = bar(reading.rows.len())?;
    if dry_run {
        bar.set_message("looked at");
        let plan = engine.plan_import(&reading.rows, |done| bar.set_position(done)).await?;
        bar.finish_and_clear();
        return planned(&id, &plan, as_json);
    }
    bar.set_message("taken");
    let done = engine.apply_import(&id, "command line", &reading.rows, |done| bar.set_position(done)).await?;
    bar.finish_and_clear();
    told(&id, &done, as_json)
}

/// Every problem with its place; nothing of the file is taken.
fn refuse(file: &Path, id: &str, reading: &Reading, as_json: bool) -> anyhow::Result<u8> {
    let problems = &reading.problems;
    if as_json {
        output::json(&json!({"import": id, "problems": problems, "imported": false}))?;
        return Ok(EXIT_FOUND);
    }
    for problem in problems.iter().take(MOST) {
        let field = if problem.field.is_empty() { String::new() } else { format!("{} ", problem.field) };
        output::say(&format!("{}:{}:{}: {field}{}: {}", file.display(), problem.line, problem.column, problem.problem, problem.fix));
    }
    if problems.len() > MOST {
        output::say(&format!("and {} more", problems.len() - MOST));
    }
    output::complain(&format!("{} problems, {} rows are right; nothing was imported", problems.len(), reading.rows.len()));
    Ok(EXIT_FOUND)
}

fn planned(id: &str, plan: &[Planned], as_json: bool) -> anyhow::Result<u8> {
    let (mut new, mut same, mut refused) = (0, 0, 0);
    for row in plan {
        let (word, why) = match &row.fate {
            Fate::New => ("new", ""),
            Fate::Same => ("same", ""),
            Fate::Refused { why } => ("refused", why.as_str()),
        };
        match row.fate {
            Fate::New => new += 1,
            Fate::Same => same += 1,
            Fate::Refused { .. } => refused += 1,
        }
        if as_json {
            output::json(&json!({"line": row.line, "address": row.number.masked(), "fate": word, "why": why}))?;
        } else if why.is_empty() {
            output::say(&format!("line {}  {}  {word}", row.line, row.number.masked()));
        } else {
            output::say(&format!("line {}  {}  {word}: {why}", row.line, row.number.masked()));
        }
    }
    output::tell(&format!("{id}: {new} new, {same} there already, {refused} refused; nothing was changed"));
    Ok(EXIT_OK)
}

fn told(id: &str, done: &Imported, as_json: bool) -> anyhow::Result<u8> {
    if as_json {
        output::json(&json!({"import": id, "new": done.new, "same": done.same, "refused": done.refused, "imported": true}))?;
    } else {
        output::say(&format!("{id}: {} new, {} there already, {} refused", done.new, done.same, done.refused));
        if done.refused > 0 {
            output::tell("refused rows would be a way around an opt-out; see them with --dry-run");
        }
    }
    Ok(EXIT_OK)
}

async fn export(engine: &Engine, out: Option<&Path>, format: Format) -> anyhow::Result<u8> {
    let spinner = if output::watched() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    spinner.set_style(ProgressStyle::with_template("{spinner} {human_pos} numbers read, {per_sec}")?);
    let mut lines: Vec<String> = rows::head(format).into_iter().collect();
    let (mut after, mut entries, mut erased) = (None, 0, 0);
    loop {
        let page = engine.store.addresses_after(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for address in &page {
            let ledger = engine.store.ledger(address.id).await?;
            match &address.place {
                Place::Sms(number) => {
                    entries += ledger.len();
                    lines.extend(ledger.iter().map(|entry| rows::line(format, number, entry)));
                }
                Place::Erased => erased += 1,
                Place::NotANumber { .. } | Place::Nowhere => {}
            }
        }
        spinner.inc(page.len() as u64);
    }
    spinner.finish_and_clear();
    match out {
        Some(path) => {
            let text = lines.iter().fold(String::new(), |all, line| all + line + "\n");
            std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
            output::tell(&format!("{entries} entries in {}; the file holds phone numbers", path.display()));
        }
        None => lines.iter().for_each(|line| output::say(line)),
    }
    if erased > 0 {
        output::tell(&format!("{erased} erased numbers are left out: nobody knows them, and they stay suppressed here"));
    }
    Ok(EXIT_OK)
}
