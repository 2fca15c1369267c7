//! The kernel argument `garboard.config=`: a URL, or documents themselves. Pure.

use std::io::Read as _;
use std::str::FromStr;

use data_encoding::BASE64_NOPAD;
use flate2::read::GzDecoder;
use http::Uri;
use thiserror::Error;

/// The kernel argument.
pub const ARGUMENT: &str = "garboard.config";

/// What stands before documents in the argument itself.
const INLINE: &str = "base64:";
/// How a gzip member begins (RFC 1952 §2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What the argument says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Where to fetch documents.
    Url(Template),
    /// The documents.
    Inline(Vec<u8>),
}

/// A URL with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(String);

/// What a URL may say of the machine; what is not known yet is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Variables {
    /// The firmware's UUID.
    pub(super) uuid: Option<String>,
    /// The serial number.
    pub(super) serial: Option<String>,
    /// The address of the first card with a cable.
    pub(super) mac: Option<String>,
    /// The name the node goes by.
    pub(super) hostname: Option<String>,
}

/// Why the argument leads nowhere.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// It is something else.
    #[error(
        "it is to be http://..., https://... or base64:TEXT, the text being documents, plain or by gzip"
    )]
    Form,
    /// Some of it is no base64.
    #[error("what stands after base64: is none")]
    Base64(#[source] data_encoding::DecodeError),
    /// It is not what gzip wrote.
    #[error("unpacking what stands after base64:")]
    Gzip(#[source] std::io::Error),
    /// It unpacks to more than a config.
    #[error("it unpacks to more than {} bytes", config::MAX_BYTES)]
    Large,
    /// A variable that does not exist.
    #[error("there is no variable ${{{0}}}; there are uuid, serial, mac and hostname")]
    NoVariable(String),
    /// A variable that the machine has no value for yet.
    #[error("the machine has no {0} (yet)")]
    NotKnown(String),
    /// What comes out is no URL.
    #[error("it is no URL")]
    Url(#[source] http::uri::InvalidUri),
}

impl FromStr for Argument {
    type Err = ArgumentError;

    fn from_str(text: &str) -> Result<Self, ArgumentError> {
        if text.starts_with("http://") || text.starts_with("https://") {
            let template = Template(text.to_owned());
            // What is wrong with it whatever the machine is, is told at once.
            let any = || Some("a".to_owned());
            template.expand(&Variables {
                uuid: any(),
                serial: any(),
                mac: any(),
                hostname: any(),
            })?;
            return Ok(Self::Url(template));
        }
        let inline = text.strip_prefix(INLINE).ok_or(ArgumentError::Form)?;
        // Both alphabets, with or without padding: programs differ, and none of it is ambiguous.
        let plain = inline.trim_end_matches('=');
        let plain = plain.replace('-', "+").replace('_', "/");
        let bytes = BASE64_NOPAD
            .decode(plain.as_bytes())
            .map_err(ArgumentError::Base64)?;
        if !bytes.starts_with(&GZIP) {
            return Ok(Self::Inline(bytes));
        }
        let mut documents = Vec::new();
        let most = config::MAX_BYTES as u64;
        GzDecoder::new(&*bytes)
            .take(most + 1)
            .read_to_end(&mut documents)
            .map_err(ArgumentError::Gzip)?;
        if documents.len() as u64 > most {
            return Err(ArgumentError::Large);
        }
        Ok(Self::Inline(documents))
    }
}

impl Template {
    /// The URL for this machine.
    pub(super) fn expand(&self, variables: &Variables) -> Result<Uri, ArgumentError> {
        let mut url = String::new();
        let mut rest = self.0.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| ArgumentError::NoVariable(after.to_owned()))?;
            let value = match name {
                "uuid" => &variables.uuid,
                "serial" => &variables.serial,
                "mac" => &variables.mac,
                "hostname" => &variables.hostname,
                _ => return Err(ArgumentError::NoVariable(name.to_owned())),
            };
            let value = value.as_ref();
            let value = value.ok_or_else(|| ArgumentError::NotKnown(name.to_owned()))?;
            url.push_str(before);
            push_escaped(&mut url, value);
            rest = after;
        }
        url.push_str(rest);
        url.parse().map_err(ArgumentError::Url)
    }
}

/// Anything but RFC 3986's unreserved characters, and the colons of a hardware address, which are allowed behind the host, is
/// escaped: a serial number may hold spaces.
fn push_escaped(url: &mut String, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                url.push(char::from(byte));
            }
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use data_encoding::{BASE64, BASE64URL_NOPAD};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn known() -> Variables {
        Variables {
            uuid: Some("4c4c4544-0043".to_owned()),
            serial: Some("VM 1/a".to_owned()),
            mac: Some("52:54:00:12:34:56".to_owned()),
            hostname: None,
        }
    }

    fn url(text: &str) -> Result<String, String> {
        let argument = text.parse().map_err(|it: ArgumentError| it.to_string())?;
        let Argument::Url(template) = argument else {
            return Err("no URL".to_owned());
        };
        let url = template.expand(&known());
        url.map(|it| it.to_string()).map_err(|it| it.to_string())
    }

    #[test]
    fn a_url_is_filled_in() {
        let filled = url("https://boot.example/${mac}/c.yaml?u=${uuid}&s=${serial}").unwrap();
        assert_eq!(
            filled,
            "https://boot.example/52:54:00:12:34:56/c.yaml?u=4c4c4544-0043&s=VM%201%2Fa"
        );
        assert_eq!(
            url("http://10.0.2.2:8000/c").unwrap(),
            "http://10.0.2.2:8000/c"
        );
    }

    #[test]
    fn what_cannot_be_filled_in_says_why() {
        for (text, why) in [
            ("http://a/${hostname}", "no hostname (yet)"),
            ("http://a/${host}", "no variable ${host}; there are"),
            ("http://a/${uuid", "no variable ${uuid}"),
            ("http://a b/", "no URL"),
            ("ftp://a/", "http://..., https://... or base64:"),
        ] {
            let said = url(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn documents_come_in_every_spelling_of_base64() {
        let text = b"kind: Hostname?~".to_vec();
        for inline in [BASE64.encode(&text), BASE64URL_NOPAD.encode(&text)] {
            let argument: Argument = format!("base64:{inline}").parse().unwrap();
            assert_eq!(argument, Argument::Inline(text.clone()));
        }
        let error = "base64:!".parse::<Argument>().unwrap_err();
        assert!(matches!(error, ArgumentError::Base64(_)));
    }

    fn gzip(text: &[u8]) -> String {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        format!("base64:{}", BASE64.encode(&encoder.finish().unwrap()))
    }

    #[test]
    fn documents_are_unpacked_and_a_bomb_is_not() {
        let text = b"kind: Hostname\n".repeat(20);
        assert_eq!(
            gzip(&text).parse::<Argument>().unwrap(),
            Argument::Inline(text)
        );
        let bomb = gzip(&vec![b'a'; config::MAX_BYTES + 1]);
        let error = bomb.parse::<Argument>().unwrap_err();
        assert!(matches!(error, ArgumentError::Large), "{error}");
        let cut = BASE64.encode(&[0x1f, 0x8b, 8, 0]);
        let error = format!("base64:{cut}").parse::<Argument>().unwrap_err();
        assert!(matches!(error, ArgumentError::Gzip(_)), "{error}");
    }

    proptest! {
        #[test]
        fn nothing_on_the_command_line_breaks_the_reader(text in "(http://|base64:H4sI)?.{0,60}") {
            if let Ok(Argument::Url(template)) = text.parse() {
                drop(template.expand(&known()));
            }
        }
    }
}
