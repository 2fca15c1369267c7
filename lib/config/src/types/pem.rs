//! The shape of PEM text (RFC 7468), without looking at what it encodes.
//!
//! No message of this module repeats the text: it may be a key.

/// Why a text is not the PEM that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// No block at all.
    #[error("expected PEM text with a `-----BEGIN {0}-----` line")]
    Missing(&'static str),
    /// A block whose lines became one.
    #[error(
        "the PEM of a {0} is not in lines of its own; write `|` after the colon and its lines below, indented"
    )]
    OneLine(&'static str),
    /// A block of something else.
    #[error("expected PEM of a {expected}, found `{found}`")]
    Label {
        /// What the field holds.
        expected: &'static str,
        /// What the block says it is.
        found: String,
    },
    /// A key in an older form.
    #[error(
        "expected PEM of a PRIVATE KEY (PKCS #8), found `{0}`; `openssl pkcs8 -topk8 -nodes -in FILE` makes one of it"
    )]
    OlderKey(String),
    /// More blocks than the field takes.
    #[error("expected one {0}, found {1}")]
    Many(&'static str, usize),
    /// The text ends inside a block.
    #[error("the PEM of a {0} has no `-----END {0}-----` line")]
    Unfinished(&'static str),
    /// A line that is no base64.
    #[error("line {0} of the PEM text is not base64")]
    Base64(usize),
    /// Text that is in no block.
    #[error("line {0} of the PEM text is in no block; keep the blocks alone")]
    Outside(usize),
    /// A block without content.
    #[error("the PEM of a {0} is empty")]
    Empty(&'static str),
    /// What an output has in the place of a secret.
    #[error("a redacted secret cannot be read back; put the real key here")]
    Redacted,
}

/// Checks that `text` is blocks of `label` and counts them.
pub(super) fn blocks(text: &str, label: &'static str) -> Result<usize, PemError> {
    if text.trim() == crate::REDACTED {
        return Err(PemError::Redacted);
    }
    let (begin, end) = (
        format!("-----BEGIN {label}-----"),
        format!("-----END {label}-----"),
    );
    let mut count = 0;
    let mut inside: Option<usize> = None;
    let mut outside: Option<usize> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        match inside {
            None if line == begin => inside = Some(0),
            None if line.is_empty() => {}
            None => {
                refuse_other(line, label)?;
                outside = outside.or(Some(index + 1));
            }
            Some(0) if line == end => return Err(PemError::Empty(label)),
            Some(_) if line == end => {
                count += 1;
                inside = None;
            }
            Some(_) if line.starts_with("-----") => return Err(PemError::Unfinished(label)),
            Some(_) if !is_base64(line) => return Err(PemError::Base64(index + 1)),
            Some(bytes) => inside = Some(bytes + line.len()),
        }
    }
    match (inside, count, outside) {
        (Some(_), ..) => Err(PemError::Unfinished(label)),
        (None, 0, _) if text.contains(&begin) => Err(PemError::OneLine(label)),
        (None, 0, _) => Err(PemError::Missing(label)),
        // The format allows text between blocks, but a field that is shown must not carry a key in it whose first
        // line has a typing error.
        (None, _, Some(line)) => Err(PemError::Outside(line)),
        (None, count, None) => Ok(count),
    }
}

/// What openssl calls the private keys it wrote before PKCS #8.
const KEYS: [&str; 3] = ["RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"];

/// A block of another kind is a mistake.
fn refuse_other(line: &str, expected: &'static str) -> Result<(), PemError> {
    let found = line
        .strip_prefix("-----BEGIN ")
        .and_then(|it| it.strip_suffix("-----"));
    match found {
        // More than a label, which may be the key itself.
        Some(found) if found.contains("-----") => Err(PemError::OneLine(expected)),
        Some(found) if expected == "PRIVATE KEY" && KEYS.contains(&found) => {
            Err(PemError::OlderKey(found.to_owned()))
        }
        Some(found) => Err(PemError::Label {
            expected,
            found: found.chars().take(32).collect(),
        }),
        None => Ok(()),
    }
}

fn is_base64(line: &str) -> bool {
    line.bytes()
        .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/' | b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: &str = "CERTIFICATE";

    #[test]
    fn shapes() {
        let one = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(blocks(one, LABEL), Ok(1));
        assert_eq!(blocks(&format!("\n{one}\n{one}"), LABEL), Ok(2));
        let hidden = format!("{one}--z--BEGIN PRIVATE KEY-----\nAAAA\n");
        assert_eq!(blocks(&hidden, LABEL), Err(PemError::Outside(4)));
        assert_eq!(blocks("", LABEL), Err(PemError::Missing(LABEL)));
        let folded = one.replace('\n', " ");
        assert_eq!(blocks(&folded, LABEL), Err(PemError::OneLine(LABEL)));
        assert_eq!(blocks(folded.trim(), LABEL), Err(PemError::OneLine(LABEL)));
        let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        assert_eq!(blocks(cut, LABEL), Err(PemError::Unfinished(LABEL)));
        let empty = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
        assert_eq!(blocks(empty, LABEL), Err(PemError::Empty(LABEL)));
        let odd = one.replace("AAAA", "A*A");
        assert_eq!(blocks(&odd, LABEL), Err(PemError::Base64(2)));
        assert_eq!(blocks(crate::REDACTED, LABEL), Err(PemError::Redacted));
        assert!(matches!(
            blocks(one, "PRIVATE KEY"),
            Err(PemError::Label { .. })
        ));
    }
}
