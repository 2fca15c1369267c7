//! The two date formats the builder meets: that of release files, and that of snapshot archives.
//!
//! Proleptic Gregorian, UTC only. A calendar crate would be a dependency for twenty lines.

use anyhow::{Context, Result, bail};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Parses `Sat, 12 Sep 2026 07:55:41 UTC` into seconds since 1970.
///
/// # Errors
/// When the text has another form or lies before 1970.
pub fn parse_release(text: &str) -> Result<u64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, day, month, year, clock, "UTC"] = words.as_slice() else {
        bail!("{text:?} is not a release date");
    };
    let month = MONTHS
        .iter()
        .position(|m| m == month)
        .with_context(|| format!("no month {month:?} in {text:?}"))?;
    let day: u64 = day.parse().with_context(|| format!("day in {text:?}"))?;
    let year: u64 = year.parse().with_context(|| format!("year in {text:?}"))?;
    let parts: Vec<u64> = clock
        .split(':')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .with_context(|| format!("clock in {text:?}"))?;
    let [hours, minutes, seconds] = parts.as_slice() else {
        bail!("{clock:?} is not a clock");
    };
    let days = days_before(year, month + 1) + day.saturating_sub(1);
    Ok(days * 86400 + hours * 3600 + minutes * 60 + seconds)
}

/// Formats seconds since 1970 as `20260912T075541Z`.
#[must_use]
pub fn snapshot(seconds: u64) -> String {
    let (year, month, day) = civil(seconds / 86400);
    let clock = seconds % 86400;
    let (h, m, s) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}{month:02}{day:02}T{h:02}{m:02}{s:02}Z")
}

/// Formats seconds since 1970 as `2026-09-12T07:55:41Z`.
#[must_use]
pub fn iso(seconds: u64) -> String {
    let (year, month, day) = civil(seconds / 86400);
    let clock = seconds % 86400;
    let (h, m, s) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z")
}

/// Days from 1970-01-01 to the first of the month (1 to 12).
fn days_before(year: u64, month: usize) -> u64 {
    let years: u64 = (1970..year).map(|y| if leap(y) { 366 } else { 365 }).sum();
    let months: u64 = (1..month).map(|m| month_length(year, m)).sum();
    years + months
}

fn civil(days: u64) -> (u64, usize, u64) {
    let (mut year, mut month, mut rest) = (1970, 1, days);
    while rest >= if leap(year) { 366 } else { 365 } {
        rest -= if leap(year) { 366 } else { 365 };
        year += 1;
    }
    while rest >= month_length(year, month) {
        rest -= month_length(year, month);
        month += 1;
    }
    (year, month, rest + 1)
}

fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn month_length(year: u64, month: usize) -> u64 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_round_trip() {
        let t = parse_release("Sat, 12 Sep 2026 07:55:41 UTC").unwrap();
        assert_eq!(t, 1_789_199_741);
        assert_eq!(snapshot(t), "20260912T075541Z");
        assert_eq!(iso(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(iso(0), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in [
            "",
            "12 Sep 2026",
            "Sat, 12 Foo 2026 07:55:41 UTC",
            "Sat, 12 Sep 2026 07:55 UTC",
        ] {
            assert!(parse_release(bad).is_err(), "{bad}");
        }
    }
}
