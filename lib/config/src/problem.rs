//! What is wrong with a config, and where.
//!
//! A problem never shows a secret: lines that look like key material are left out of the excerpt.

use std::fmt;

/// A place in a text, counted from one, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A place in one of the texts that documents came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which text: 0 is the config, the others are patches to it in their order.
    pub(crate) text: usize,
    pub(crate) position: Position,
}

/// A text that documents came from, for messages about them later.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// All texts that documents came from.
#[derive(Clone)]
pub(crate) struct Sources(Vec<Source>);

impl Sources {
    pub(crate) fn new(first: Source) -> Self {
        Self(vec![first])
    }

    /// Adds a text; its number.
    pub(crate) fn add(&mut self, source: Source) -> usize {
        self.0.push(source);
        self.0.len() - 1
    }

    /// The name of the first text.
    pub(crate) fn name(&self) -> &str {
        self.0.first().map_or("config", |source| &source.name)
    }

    /// A problem at a place, or of the whole.
    pub(crate) fn problem(&self, place: Option<Place>, message: impl Into<String>) -> Problem {
        match place.and_then(|place| Some((self.0.get(place.text)?, place.position))) {
            Some((Source { name, text }, at)) => Problem::at(name, text, at, message),
            None => Problem::whole(self.name(), message),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, or what stands for it.
    pub source: String,
    /// Where in the file, when it is about one place.
    pub position: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// The line of the file, when it may be shown.
    pub excerpt: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem of the whole source.
    pub(crate) fn whole(source: &str, message: impl Into<String>) -> Self {
        Self {
            source: source.to_owned(),
            position: None,
            message: printable(&message.into()),
            excerpt: None,
            help: None,
        }
    }

    /// A problem at a place of `text`.
    pub(crate) fn at(
        source: &str,
        text: &str,
        position: Position,
        message: impl Into<String>,
    ) -> Self {
        Self {
            position: Some(position),
            excerpt: excerpt(text, position),
            ..Self::whole(source, message)
        }
    }

    /// The same problem with advice.
    pub(crate) fn help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// A message with nothing that moves a terminal: it may repeat words of the source.
fn printable(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for character in message.chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

/// The line at `position`, unless it is empty, too long to help, or may be part of a key.
fn excerpt(text: &str, position: Position) -> Option<String> {
    let above = position.line.checked_sub(1)?;
    let line = text.lines().nth(above)?.trim_end();
    let printable = !line.is_empty()
        && line.len() <= 160
        && !line.chars().any(|it| it.is_control() && it != '\t')
        && !looks_secret(line)
        && !is_inside_pem(text, above)
        && !is_of_secret_kind(text, above);
    // One column each, so the caret stays where it belongs.
    printable.then(|| line.replace('\t', " "))
}

/// Documents that may hold secrets of any shape: kinds of ours, and the one of Kubernetes, which a text that is indented wrongly may
/// become a document of.
const SECRET_KINDS: [&str; 3] = ["KubernetesManifest", "RegistryAuth", "kind: Secret"];

/// Lines of such documents that hold none.
const OPEN_KEYS: [&str; 6] = [
    "apiVersion:",
    "kind:",
    "name:",
    "url:",
    "sha256:",
    "inline: |",
];

/// Whether the line after so many may be a secret by the document that it is in. Where a document ends is not looked for in the parser's
/// way: it may not have come so far.
fn is_of_secret_kind(text: &str, above: usize) -> bool {
    let mut named = false;
    let mut line = "";
    for (index, it) in text.lines().enumerate() {
        if it.starts_with("---") {
            if index > above {
                break;
            }
            named = false;
        }
        named |= SECRET_KINDS.iter().any(|kind| it.contains(kind));
        if index == above {
            line = it;
        }
    }
    let mut open = OPEN_KEYS.iter();
    named && !open.any(|it| line.starts_with(it) && (it.ends_with(':') || line.trim_end() == *it))
}

/// The most lines of a PEM block that are looked through for its ends: the largest keys in use have two hundred.
const PEM_LINES: usize = 256;

/// Whether the line after so many stands in a PEM block, one of whose ends may be damaged: the last line of a key is
/// short, and looks like any word.
fn is_inside_pem(text: &str, above: usize) -> bool {
    let begin = above.saturating_sub(PEM_LINES);
    let near: Vec<&str> = text.lines().skip(begin).take(2 * PEM_LINES).collect();
    let (before, after) = near.split_at_checked(above - begin).unwrap_or_default();
    let (line, after) = after
        .split_first()
        .map_or(("", after), |(line, after)| (*line, after));
    let marker = |line: &&str| line.contains("-----BEGIN ") || line.contains("-----END ");
    let opened = before.iter().copied().rfind(marker);
    let closed = after.iter().copied().find(marker);
    let clean = line
        .trim()
        .strip_prefix("-----")
        .and_then(|it| it.strip_suffix("-----"));
    let damaged = line.contains("-----") && clean.is_none_or(|it| it.contains('-'));
    let inside = opened.is_some_and(|it| it.contains("-----BEGIN "))
        || closed.is_some_and(|it| it.contains("-----END "));
    damaged || (inside && !marker(&line))
}

/// Whether a line has a run of base64 as long as key material has; 24 is 144 bits. Or a password before a host, in a URL or in
/// what should have been one.
#[must_use]
pub fn looks_secret(line: &str) -> bool {
    let base64 = |it: char| it.is_ascii_alphanumeric() || matches!(it, '+' | '/' | '=');
    let has_password = |word: &str| {
        let before = word.rsplit_once('@').map(|(before, _)| before);
        before.is_some_and(|it| it.contains(':'))
    };
    line.split(|it| !base64(it)).any(|run| run.len() >= 24)
        || line.split_whitespace().any(has_password)
        || (line.contains("://") && line.contains('@'))
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some(at) = self.position {
            write!(f, ":{}:{}", at.line, at.column)?;
        }
        write!(f, ": {}", self.message)?;
        if let (Some(line), Some(at)) = (&self.excerpt, self.position) {
            let number = at.line.to_string();
            let margin = " ".repeat(number.len());
            let caret = " ".repeat(at.column.saturating_sub(1));
            write!(f, "\n  {number} | {line}\n  {margin} | {caret}^")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  {help}")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a source; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems, or `None` when there is none.
    #[must_use]
    pub fn new(problems: Vec<Problem>) -> Option<Self> {
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// The problems in the order of the source.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_material_is_not_shown() {
        let text = "key: MIGHAgEAMBMGByqGSM49AgEGCCqGSM49\nname: eth0\n";
        let at = |line| Problem::at("f", text, Position { line, column: 1 }, "m").excerpt;
        assert_eq!(at(1), None);
        assert_eq!(at(2).as_deref(), Some("name: eth0"));
        let text = "a: |\n  -----BEGIN PRIVATE KEY-----\nshort=\n-----END PRIVATE KEY-----\nb: c\n";
        let at = |line| Problem::at("f", text, Position { line, column: 1 }, "m").excerpt;
        assert_eq!(at(2).as_deref(), Some("  -----BEGIN PRIVATE KEY-----"));
        assert_eq!(at(3), None);
        assert_eq!(at(5).as_deref(), Some("b: c"));
    }

    #[test]
    fn a_password_is_not_shown_however_short() {
        let text = "kind: RegistryAuth\nname: a.lab\nusername: me\npassword hunter2\n";
        let at = |line| Problem::at("f", text, Position { line, column: 1 }, "m").excerpt;
        let shown: Vec<_> = (1..5).filter(|line| at(*line).is_some()).collect();
        assert_eq!(shown, [1, 2]);
    }

    #[test]
    fn nothing_of_a_manifest_is_shown_but_its_head() {
        let text = "name: eth0\n--- # next\nkind: KubernetesManifest\nname: a\ninline: |\npassword: hunter2\n---\nkind: Secret\ndata: {}\n---\nkind: Link\n";
        let at = |line| Problem::at("f", text, Position { line, column: 1 }, "m").excerpt;
        let shown: Vec<_> = (1..12).filter(|line| at(*line).is_some()).collect();
        assert_eq!(shown, [1, 3, 4, 5, 8, 10, 11]);
    }
}
