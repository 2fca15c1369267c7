//! `LogDestination`: where the node sends its logs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use derive::Schema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::document::{Kind, kind};
use crate::types::{DocumentName, LogUrl, as_text};

/// The most tags. With the longest of names, values and lines, a line still fits into a packet of UDP.
const MAX_TAGS: usize = 16;
/// Of a tag's name.
const MAX_NAME: usize = 63;
/// Of a tag's value.
const MAX_VALUE: usize = 128;

/// The fields that every line has, or may have.
const OWN: [&str; 6] = ["time", "node", "source", "level", "message", "lost"];

/// A host that the node sends its logs to: the kernel's, those of services, or both. There may be several.
///
/// One kind with `sources`, not one for each, as most nodes send both to the same place, and in one connection.
///
/// Every line is an object of JSON with `time` (RFC 3339), `node`, `source` (`kernel`, or the name of the service), `level` where one is
/// known, `message`, and the tags. First comes what the node still has of this boot. While the destination is away it is tried again
/// after 1 s, then later each time, up to 60 s, and up to 512 KiB of lines wait in memory; then the oldest are lost. A line with `lost`
/// says how many, and so does `osctl get logdestinations`. No service ever waits. A restart of the node's own daemons sends nothing
/// twice; if one of them is killed, the last two seconds may be.
///
/// Nothing is encrypted, and whoever can listen on the way can read it. TCP does not tell what arrived: what was under way when a
/// connection broke may be missing, and what is sent by UDP may be at any time.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: LogDestination
/// name: collector
/// url: tcp://logs.example.org:5170
/// sources:
///   - kernel
///   - services
/// format: json-lines
/// tags:
///   cluster: lab
///   rack: r12
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogDestinationConfig {
    /// What it is called here.
    pub name: DocumentName,
    /// Where it is, always with a port. A name is looked up again for every connection.
    pub url: LogUrl,
    /// What is sent there; one at least. Left out, it is all.
    #[serde(default = "all", deserialize_with = "sources")]
    #[schema(least = 1, most = 2)]
    pub sources: Vec<LogSource>,
    /// What a line looks like.
    #[serde(default = "json_lines")]
    pub format: LogFormat,
    /// Further fields of every line, up to sixteen.
    #[serde(
        default,
        deserialize_with = "tags",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub tags: BTreeMap<TagName, TagValue>,
}

/// Where lines come from.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Schema,
)]
#[serde(rename_all = "kebab-case")]
pub enum LogSource {
    /// The kernel's log, with what is written to it by others.
    Kernel,
    /// What each service writes, the node's own daemons among them.
    Services,
}

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// An object of JSON, without line breaks in it.
    JsonLines,
}

/// The name of a field of one's own: letters, digits, `_`, `-` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct TagName(String);

/// What stands in a field of one's own: a line of up to 128 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct TagValue(String);

/// Why a text is no tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Not a name.
    #[error("the name of a tag has 1 to {MAX_NAME} letters, digits, `_`, `-` and `.`: `{0}`")]
    Name(String),
    /// A name that is taken.
    #[error("every line has a field `{0}` of its own; give the tag another name")]
    Own(String),
    /// Not a value.
    #[error("the value of a tag is one line of up to {MAX_VALUE} bytes")]
    Value,
}

impl TagName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TagValue {
    /// The value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TagName {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        let fits = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.');
        if !(1..=MAX_NAME).contains(&text.len()) || !text.bytes().all(fits) {
            return Err(TagError::Name(text.to_owned()));
        }
        if OWN.contains(&text) {
            return Err(TagError::Own(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for TagValue {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        if text.len() > MAX_VALUE || text.contains(char::is_control) {
            return Err(TagError::Value);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TagName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for TagValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(TagName);
as_text!(TagValue);

fn all() -> Vec<LogSource> {
    vec![LogSource::Kernel, LogSource::Services]
}

fn json_lines() -> LogFormat {
    LogFormat::JsonLines
}

fn sources<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<LogSource>, D::Error> {
    let sources = Vec::<LogSource>::deserialize(reader)?;
    if sources.is_empty() {
        return Err(de::Error::custom(
            "a destination needs a source: kernel, services or both",
        ));
    }
    let mut seen = BTreeSet::new();
    match sources.iter().find(|it| !seen.insert(**it)) {
        Some(LogSource::Kernel) => Err(de::Error::custom("kernel is there twice")),
        Some(LogSource::Services) => Err(de::Error::custom("services is there twice")),
        None => Ok(sources),
    }
}

fn tags<'de, D: Deserializer<'de>>(reader: D) -> Result<BTreeMap<TagName, TagValue>, D::Error> {
    let tags = BTreeMap::deserialize(reader)?;
    match tags.len() {
        0..=MAX_TAGS => Ok(tags),
        many => Err(de::Error::custom(format!(
            "expected up to {MAX_TAGS} tags, found {many}"
        ))),
    }
}

impl Kind for LogDestinationConfig {
    kind!(LogDestination, name);
}
