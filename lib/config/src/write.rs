//! Documents into YAML text.

use serde::Serialize;

use crate::API_VERSION;
use crate::document::Documents;

/// A document with the two lines that say how to read it.
#[derive(Serialize)]
struct Envelope<'a, T> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    body: &'a T,
}

pub(crate) fn document<T: Serialize>(
    kind: &'static str,
    body: &T,
) -> Result<String, serde_yaml::SerializeError> {
    // YAML 1.2 writes addresses without quotes, which 1.1 would read as numbers in base sixty.
    let options = serde_yaml::ser_options! {
        compact_list_indent: false,
        yaml_12: true,
        no_lang_directive: true,
    };
    let envelope = Envelope {
        api_version: API_VERSION,
        kind,
        body,
    };
    serde_yaml::to_string_with_options(&envelope, options)
}

/// Why a config could not be written.
#[derive(Debug, thiserror::Error)]
#[error("write {identity} as YAML")]
pub struct WriteError {
    identity: crate::document::Identity,
    #[source]
    source: serde_yaml::SerializeError,
}

impl Documents {
    /// The config as a YAML stream, secrets included: see [`Documents::redacted`].
    ///
    /// # Errors
    /// When a document has something YAML cannot say; no kind has.
    pub fn to_yaml(&self) -> Result<String, WriteError> {
        let mut stream = String::new();
        for document in self.iter() {
            if !stream.is_empty() {
                stream.push_str("---\n");
            }
            let text = document.encode().map_err(|source| WriteError {
                identity: document.identity(),
                source,
            })?;
            stream.push_str(&text);
            if !text.ends_with('\n') {
                stream.push('\n');
            }
        }
        Ok(stream)
    }
}
