//! What a word without quotes means to `kubectl`: the rules of the YAML reader that it and the API server have (go.yaml.in/yaml/v2,
//! `resolve.go`), but for base 60 and dates, which it leaves texts as well.

use serde_json::{Number, Value};

/// The value; none for a number that JSON has not.
pub(super) fn scalar(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Some(Value::Bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Some(Value::Bool(false));
        }
        _ => {}
    }
    let infinite = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(infinite, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return None;
    }
    let begins = |it: char| it.is_ascii_digit() || matches!(it, '+' | '-' | '.');
    if !text.starts_with(begins) {
        return Some(Value::String(text.to_owned()));
    }
    let plain = text.replace('_', "");
    if let Some(number) = integer(&plain) {
        return Some(Value::Number(number));
    }
    if !is_float(&plain) {
        return Some(Value::String(text.to_owned()));
    }
    float(plain.parse().ok()?)
}

/// A whole number, in the base that it begins with.
fn integer(text: &str) -> Option<Number> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.split_at_checked(2) {
        Some(("0x", digits)) => (16, digits),
        Some(("0o", digits)) => (8, digits),
        Some(("0b", digits)) => (2, digits),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, lower.as_str()),
        _ => (10, lower.as_str()),
    };
    // A second sign is none.
    if !digits.starts_with(|it: char| it.is_ascii_hexdigit()) {
        return None;
    }
    let small = i64::from_str_radix(&format!("{sign}{digits}"), base);
    let small = small.map(Number::from).ok();
    small.or_else(|| {
        let large = u64::from_str_radix(digits, base).ok()?;
        sign.is_empty().then(|| Number::from(large))
    })
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (text, None),
    };
    let signless = |it: &str| digits(it.strip_prefix(['+', '-']).unwrap_or(it));
    let number = match number.split_once('.') {
        Some(("", after)) => digits(after),
        Some((before, after)) => digits(before) && (after.is_empty() || digits(after)),
        None => digits(number),
    };
    number && exponent.is_none_or(signless)
}

/// As Go writes it: one that is whole has no point, without which fields of whole numbers would not take it.
fn float(number: f64) -> Option<Value> {
    let written = number.to_string();
    match written.parse::<i64>() {
        Ok(whole) => Some(Value::from(whole)),
        Err(_) => Number::from_f64(number).map(Value::Number),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_mean_what_they_mean_to_kubectl() {
        for (text, value) in [
            ("a", json!("a")),
            ("~", json!(null)),
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("12", json!(12)),
            ("-12", json!(-12)),
            ("+12", json!(12)),
            ("0644", json!(420)),
            ("0o644", json!(420)),
            ("0x1F", json!(31)),
            ("0b11", json!(3)),
            ("1_000", json!(1000)),
            ("0", json!(0)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("1.0", json!(1)),
            ("1e3", json!(1000)),
            // A nine is no digit of eight.
            ("089", json!(89)),
            ("1.2.3", json!("1.2.3")),
            ("10.0.0.1", json!("10.0.0.1")),
            ("10m", json!("10m")),
            ("1:30", json!("1:30")),
            ("2026-01-02", json!("2026-01-02")),
            ("--1", json!("--1")),
            ("-", json!("-")),
            ("0x", json!("0x")),
            ("1e", json!("1e")),
            ("infinity", json!("infinity")),
        ] {
            assert_eq!(scalar(text), Some(value), "{text}");
        }
        for text in [".inf", "-.Inf", ".NaN", "1e999"] {
            assert_eq!(scalar(text), None, "{text}");
        }
    }
}
