//! The name of a network interface.

use std::fmt;
use std::str::FromStr;

use derive::Schema;

/// The kernel's IFNAMSIZ without the closing zero.
const MAX_BYTES: usize = 15;

/// A name the kernel takes for an interface: 1 to 15 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct LinkName(String);

/// Why a text is no link name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkNameError {
    /// Nothing there.
    #[error("a link name must not be empty")]
    Empty,
    /// Longer than the kernel takes.
    #[error("a link name has at most {MAX_BYTES} bytes, this one has {0}")]
    Long(usize),
    /// Taken by the file system.
    #[error("`.` and `..` are no link names")]
    Dots,
    /// A character the kernel refuses, or reads as a pattern.
    #[error("a link name must not contain {0:?}")]
    Character(char),
}

impl LinkName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LinkName {
    type Err = LinkNameError;

    fn from_str(text: &str) -> Result<Self, LinkNameError> {
        // `%` is what the kernel replaces by a number when it makes a link.
        let refused = |it: &char| !it.is_ascii_graphic() || matches!(it, '/' | ':' | '%');
        match text.chars().find(refused) {
            _ if text.is_empty() => Err(LinkNameError::Empty),
            Some(character) => Err(LinkNameError::Character(character)),
            None if text.len() > MAX_BYTES => Err(LinkNameError::Long(text.len())),
            None if text == "." || text == ".." => Err(LinkNameError::Dots),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

super::as_text!(LinkName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_takes() {
        for name in ["lo", "eth0", "enp0s31f6", "bond0.100", "a23456789012345"] {
            assert_eq!(
                name.parse::<LinkName>().map(|it| it.to_string()),
                Ok(name.to_owned())
            );
        }
        for (name, error) in [
            ("", LinkNameError::Empty),
            ("a234567890123456", LinkNameError::Long(16)),
            ("..", LinkNameError::Dots),
            ("a b", LinkNameError::Character(' ')),
            ("eth0:1", LinkNameError::Character(':')),
            ("eth%d", LinkNameError::Character('%')),
            ("eth\u{e9}", LinkNameError::Character('\u{e9}')),
        ] {
            assert_eq!(name.parse::<LinkName>(), Err(error), "{name}");
        }
    }
}
