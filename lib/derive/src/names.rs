//! The names that serde gives fields and variants.

use syn::{Error, LitStr, Result};

/// What `rename_all` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Case {
    /// As in Rust.
    #[default]
    Same,
    /// `camelCase`.
    Camel,
    /// `kebab-case`.
    Kebab,
    /// `lowercase`.
    Lower,
}

impl Case {
    pub(crate) fn parse(text: &LitStr) -> Result<Self> {
        match text.value().as_str() {
            "camelCase" => Ok(Self::Camel),
            "kebab-case" => Ok(Self::Kebab),
            "lowercase" => Ok(Self::Lower),
            _ => Err(Error::new(
                text.span(),
                "the schema knows camelCase, kebab-case and lowercase",
            )),
        }
    }

    /// The name of a field, which is `snake_case` in Rust.
    pub(crate) fn field(self, name: &str) -> String {
        let words: Vec<&str> = name.trim_start_matches("r#").split('_').collect();
        match self {
            Self::Same | Self::Lower => words.join("_"),
            Self::Kebab => words.join("-"),
            Self::Camel => {
                let (first, rest) = words.split_first().unwrap_or((&"", &[]));
                let rest = rest.iter().map(|word| upper_first(word));
                std::iter::once((*first).to_owned()).chain(rest).collect()
            }
        }
    }

    /// The name of a variant, which is `PascalCase` in Rust.
    pub(crate) fn variant(self, name: &str) -> String {
        match self {
            Self::Same => name.to_owned(),
            Self::Lower => name.to_ascii_lowercase(),
            Self::Camel => {
                let mut letters = name.chars();
                let first = letters.next().map(|it| it.to_ascii_lowercase());
                first.into_iter().chain(letters).collect()
            }
            Self::Kebab => {
                let mut kebab = String::new();
                for letter in name.chars() {
                    if letter.is_ascii_uppercase() && !kebab.is_empty() {
                        kebab.push('-');
                    }
                    kebab.push(letter.to_ascii_lowercase());
                }
                kebab
            }
        }
    }
}

fn upper_first(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|it| it.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_serde() {
        for (case, field, variant) in [
            (Case::Same, "reveal_secrets", "ControlPlane"),
            (Case::Camel, "revealSecrets", "controlPlane"),
            (Case::Kebab, "reveal-secrets", "control-plane"),
            (Case::Lower, "reveal_secrets", "controlplane"),
        ] {
            assert_eq!(case.field("reveal_secrets"), field);
            assert_eq!(case.variant("ControlPlane"), variant);
        }
        assert_eq!(Case::Camel.field("r#type"), "type");
    }
}
