//! The only place that prints. A reader that goes away (`osctl ... | head`) is the end, not a failure.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde::Serialize;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    #[default]
    Table,
    /// YAML documents
    Yaml,
    /// One JSON value; one per line for `logs`, `dmesg`, `events` and `get --watch`
    Json,
}

/// The reader of standard output went away.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
pub(crate) struct ReaderGone;

/// Writes a text to standard output as it is.
pub(crate) fn raw(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        other => other.context("writing to standard output"),
    }
}

/// Ends when nobody reads standard output any more; while somebody may, or it is a file, never.
pub(crate) async fn reader_gone() -> ReaderGone {
    let output = io::stdout().as_fd().try_clone_to_owned();
    // It is only watched: writing stays with the standard library, and blocks.
    let watched = output.and_then(Sender::from_owned_fd_unchecked);
    // What cannot be watched has no reader that could go away.
    if let Ok(watched) = watched
        && watched.ready(Interest::ERROR).await.is_ok()
    {
        return ReaderGone;
    }
    std::future::pending().await
}

/// A text of a node in one line: nothing of it moves the reader's terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\t' {
            safe.push(' ');
        } else if character.is_control() {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// An enumeration's value as its one word, as every output shows it.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// What something is, and why, where that is known.
pub(crate) fn with_reason(is: &str, reason: &str) -> String {
    if reason.is_empty() {
        return is.to_owned();
    }
    format!("{is}: {reason}")
}

/// How many there are of something.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// An amount of memory, or of a disk, in the largest unit there is one of, rounded down to a tenth.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut unit = "B";
    let mut tenths = u128::from(bytes) * 10;
    for larger in UNITS {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, larger);
    }
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {unit}"),
        (whole, tenth) => format!("{whole}.{tenth} {unit}"),
    }
}

/// A span of time in the unit that suits it, rounded down.
pub(crate) fn span(time: Duration) -> String {
    let nanos = time.as_nanos();
    match nanos {
        0..1_000_000 => format!("{} µs", nanos / 1000),
        1_000_000..1_000_000_000 => {
            format!("{}.{} ms", nanos / 1_000_000, nanos / 100_000 % 10)
        }
        _ => format!("{}.{} s", time.as_secs(), time.subsec_millis() / 100),
    }
}

/// As [`span`], of nanoseconds that may go either way.
pub(crate) fn signed_span(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    format!("{sign}{}", span(Duration::from_nanos(nanos.unsigned_abs())))
}

/// A point in time as RFC 3339, whole seconds.
pub(crate) fn second(time: Timestamp) -> String {
    let whole = Timestamp::from_second(time.as_second());
    whole.unwrap_or(time).to_string()
}

/// Writes a line to standard output.
pub(crate) fn line(text: &str) -> Result<()> {
    raw(format!("{text}\n").as_bytes())
}

/// Writes a remark to standard error, where it does not disturb a pipe.
pub(crate) fn note(text: &str) {
    // Where nobody listens, there is nobody to tell either.
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Whether a person watches standard error.
pub(crate) fn is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// A value as YAML or JSON; `Format::Table` is the caller's to draw.
pub(crate) fn value(format: Format, value: &impl Serialize) -> Result<()> {
    match format {
        Format::Json => line(&serde_json::to_string_pretty(value).context("writing JSON")?),
        Format::Yaml | Format::Table => raw(serde_yaml::to_string(value)
            .context("writing YAML")?
            .as_bytes()),
    }
}

/// One entry of a list whose end is not known: a line of JSON, or a YAML document.
pub(crate) fn entry(format: Format, value: &impl Serialize) -> Result<()> {
    if format == Format::Json {
        return line(&serde_json::to_string(value).context("writing JSON")?);
    }
    let text = serde_yaml::to_string(value).context("writing YAML")?;
    raw(format!("---\n{text}").as_bytes())
}

/// Writes rows under headings.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> Result<()> {
    line(&drawn(headings, rows).join("\n"))
}

/// The lines of a table, columns two spaces apart.
pub(crate) fn drawn(headings: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// A table whose end is not known: rows are drawn in batches, and columns only ever grow wider.
pub(crate) struct GrowingTable {
    widths: Vec<usize>,
    waiting: Vec<Vec<String>>,
    begun: bool,
}

impl GrowingTable {
    /// A table with nothing drawn yet.
    pub(crate) fn new(headings: Vec<String>) -> Self {
        Self {
            widths: vec![0; headings.len()],
            waiting: vec![headings],
            begun: false,
        }
    }

    /// Adds a row, to be drawn with the next flush.
    pub(crate) fn add(&mut self, row: Vec<String>) {
        let row = row.iter().map(|cell| printable(cell));
        self.waiting.push(row.collect());
    }

    /// Whether anything has been drawn.
    pub(crate) fn is_begun(&self) -> bool {
        self.begun
    }

    /// Draws what waits.
    pub(crate) fn flush(&mut self) -> Result<()> {
        for row in &self.waiting {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        self.begun = true;
        for row in std::mem::take(&mut self.waiting) {
            let cells = row
                .iter()
                .zip(&self.widths)
                .map(|(cell, width)| format!("{cell:<width$}"));
            line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// Results of several nodes as a list of values.
pub(crate) fn values_per_node<T: Serialize>(format: Format, results: &[(String, T)]) -> Result<()> {
    #[derive(Serialize)]
    struct Entry<'a, T> {
        node: &'a str,
        #[serde(flatten)]
        result: &'a T,
    }
    let entries: Vec<_> = results
        .iter()
        .map(|(node, result)| Entry { node, result })
        .collect();
    value(format, &entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_words_do_not_move_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[2Jb\nc\u{9b}ä"),
            "a\\u{1b}[2Jb\\nc\\u{9b}ä"
        );
        assert_eq!(counted(1, "machine"), "1 machine");
        assert_eq!(counted(0, "machine"), "0 machines");
    }
}
