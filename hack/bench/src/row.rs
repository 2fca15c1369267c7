//! Rows: what was measured, and how it is printed.

use std::io::{self, Write as _};

use anyhow::{Context, Result};
use serde::Serialize;

/// One measured number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    /// Its name, which never changes its meaning.
    name: String,
    /// The number: the median of the samples.
    value: f64,
    unit: Unit,
    /// What it should be at most; absent for what is only good to know.
    budget: Option<f64>,
    /// Whether it is more than that.
    over: bool,
    /// Everything that was measured, in order.
    samples: Vec<f64>,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    #[serde(rename = "MiB")]
    Mebibytes,
    #[serde(rename = "KiB")]
    Kibibytes,
    #[serde(rename = "packages")]
    Packages,
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "ratio")]
    Ratio,
    #[serde(rename = "%")]
    Percent,
}

impl Unit {
    fn text(self) -> &'static str {
        match self {
            Self::Mebibytes => "MiB",
            Self::Kibibytes => "KiB",
            Self::Packages => "packages",
            Self::Seconds => "s",
            Self::Ratio => "ratio",
            Self::Percent => "%",
        }
    }
}

impl Row {
    /// The median of some samples.
    pub(crate) fn new(name: impl Into<String>, unit: Unit, samples: Vec<f64>) -> Self {
        Self {
            name: name.into(),
            value: median(&samples),
            unit,
            budget: None,
            over: false,
            samples,
        }
    }

    /// A number of bytes.
    pub(crate) fn bytes(name: impl Into<String>, bytes: u64) -> Self {
        Self::new(name, Unit::Mebibytes, vec![mebibytes(bytes)])
    }

    /// The same with a budget.
    pub(crate) fn budget(mut self, most: f64) -> Self {
        self.budget = Some(most);
        self.over = self.value > most;
        self
    }
}

/// Bytes in MiB.
fn mebibytes(bytes: u64) -> f64 {
    // Exact below 2^53 bytes.
    #[expect(clippy::cast_precision_loss, reason = "no artifact has 2^53 bytes")]
    let bytes = bytes as f64;
    bytes / f64::from(1 << 20)
}

/// The middle one; the mean of the two in the middle; 0 of nothing.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        (at(half.saturating_sub(1)) + at(half)) / 2.0
    } else {
        at(half)
    }
}

/// Prints all rows to standard output.
pub(crate) fn print(rows: &[Row], json: bool) -> Result<()> {
    let text = if json { as_json(rows)? } else { table(rows) };
    io::stdout()
        .write_all(text.as_bytes())
        .context("writing the rows")
}

fn as_json(rows: &[Row]) -> Result<String> {
    #[derive(Serialize)]
    struct All<'a> {
        rows: &'a [Row],
    }
    let text = serde_json::to_string(&All { rows }).context("writing the rows as JSON")?;
    Ok(text + "\n")
}

fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<32} {:>10} {:>10} {:<9}\n",
        "NAME", "VALUE", "BUDGET", "UNIT"
    );
    for row in rows {
        let budget = row
            .budget
            .map_or_else(|| "-".to_owned(), |most| format!("{most}"));
        let over = if row.over { "over" } else { "" };
        let line = format!(
            "{:<32} {:>10.3} {budget:>10} {:<9}{over}",
            row.name,
            row.value,
            row.unit.text()
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_has_the_agreed_shape() {
        let row = Row::new("boot.ratio", Unit::Ratio, vec![3.0, 1.0, 2.0]).budget(0.25);
        let free = Row::bytes("size.x", 1 << 19);
        let text = as_json(&[row, free]).unwrap();
        assert_eq!(
            text,
            "{\"rows\":[{\"name\":\"boot.ratio\",\"value\":2.0,\"unit\":\"ratio\",\"budget\":0.25,\"over\":true,\
             \"samples\":[3.0,1.0,2.0]},{\"name\":\"size.x\",\"value\":0.5,\"unit\":\"MiB\",\"budget\":null,\
             \"over\":false,\"samples\":[0.5]}]}\n"
        );
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[5.0, 1.0, 3.0]), 3.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn at_the_budget_is_not_over_it() {
        assert!(!Row::new("x", Unit::Packages, vec![15.0]).budget(15.0).over);
        assert!(Row::new("x", Unit::Packages, vec![15.1]).budget(15.0).over);
    }
}
