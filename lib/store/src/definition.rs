//! What a resource type is called and how it is shown: type name, aliases, print columns, sensitivity.
//!
//! A definition is a constant, written by the derive. The rules for names and aliases are those of the contract, so
//! that tools which know only ResourceDefinitions find our types by the names people type.

use crate::meta::{PrintColumn, ResourceDefinition, Sensitivity};

/// One column of the table a tool prints for a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub name: &'static str,
    /// Where its value is in the YAML spec: `operState`, `addresses[0].cidr`.
    pub path: &'static str,
}

/// A resource type, as its author wrote it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The full name: `LinkStatuses.net.garboard`.
    pub ty: &'static str,
    /// The namespace tools look in unless told another.
    pub namespace: &'static str,
    /// The singular of the name where the rules of English plurals would miss it.
    pub singular: Option<&'static str>,
    /// Names besides those that follow from the type's name.
    pub aliases: &'static [&'static str],
    /// The table's columns after those every table has.
    pub columns: &'static [Column],
    /// Whether only an administrator may read it; no history is kept of such types.
    pub sensitive: bool,
}

/// Why a definition is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// No dot between name and suffix.
    #[error("type {ty:?} has no suffix after its name")]
    NoSuffix {
        /// The type as written.
        ty: String,
    },
    /// The name is not capitalised letters, digits and dashes.
    #[error(
        "the name of type {ty:?} is not an upper-case letter followed by letters, digits or dashes"
    )]
    Name {
        /// The type as written.
        ty: String,
    },
    /// The name is not a plural.
    #[error("the name of type {ty:?} is not a plural")]
    NotPlural {
        /// The type as written.
        ty: String,
    },
    /// The suffix is not dot-separated lower-case labels.
    #[error("the suffix of type {ty:?} is not dot-separated lower-case labels")]
    Suffix {
        /// The type as written.
        ty: String,
    },
    /// An alias is empty or would hide behind its own case.
    #[error("alias {alias:?} of type {ty:?} is not lower-case letters, digits and dashes")]
    Alias {
        /// The type as written.
        ty: String,
        /// The alias as written.
        alias: String,
    },
}

impl Definition {
    /// Checks the rules of type names and aliases.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), DefinitionError> {
        let ty = || self.ty.to_owned();
        let (name, suffix) = self
            .ty
            .split_once('.')
            .ok_or_else(|| DefinitionError::NoSuffix { ty: ty() })?;
        let tail = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !name.starts_with(|c: char| c.is_ascii_uppercase())
            || name.len() < 2
            || !name.chars().all(tail)
        {
            return Err(DefinitionError::Name { ty: ty() });
        }
        if self.display_type() == name {
            return Err(DefinitionError::NotPlural { ty: ty() });
        }
        if !suffix.split('.').enumerate().all(suffix_label) {
            return Err(DefinitionError::Suffix { ty: ty() });
        }
        let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        match self
            .aliases
            .iter()
            .find(|alias| alias.is_empty() || !alias.chars().all(lower))
        {
            Some(alias) => Err(DefinitionError::Alias {
                ty: ty(),
                alias: (*alias).to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// The name without its suffix: `LinkStatuses`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.ty.split_once('.').map_or(self.ty, |(name, _)| name)
    }

    /// The name for one of them: `LinkStatus`.
    #[must_use]
    pub fn display_type(&self) -> String {
        self.singular
            .map_or_else(|| singular(self.name()), str::to_owned)
    }

    /// The short names: those declared, the singular, its capitals, and those as a plural.
    #[must_use]
    pub fn short_names(&self) -> Vec<String> {
        let display = self.display_type();
        let mut names: Vec<String> = self.aliases.iter().map(|a| (*a).to_owned()).collect();
        names.push(display.to_ascii_lowercase());
        let capitals: String = display.chars().filter(char::is_ascii_uppercase).collect();
        if capitals.len() > 1 {
            let acronym = capitals.to_ascii_lowercase();
            let plural = (!acronym.ends_with('s')).then(|| format!("{acronym}s"));
            names.push(acronym);
            names.extend(plural);
        }
        dedup(names)
    }

    /// Every name a person may type for it, except the full one.
    #[must_use]
    pub fn all_aliases(&self) -> Vec<String> {
        let mut prefix = self.name().to_ascii_lowercase();
        let mut names = vec![prefix.clone()];
        let mut labels: Vec<&str> = self.ty.split('.').skip(1).collect();
        // Never the whole suffix: that is the id of the definition itself.
        labels.pop();
        for label in labels {
            prefix = format!("{prefix}.{label}");
            names.push(prefix.clone());
        }
        names.extend(self.short_names());
        dedup(names)
    }

    /// The id of its ResourceDefinition: the full name in lower case.
    #[must_use]
    pub fn id(&self) -> String {
        self.ty.to_ascii_lowercase()
    }

    /// The spec of its ResourceDefinition.
    #[must_use]
    pub fn to_spec(&self) -> ResourceDefinition {
        ResourceDefinition {
            ty: self.ty.to_owned(),
            display_type: self.display_type(),
            default_namespace: self.namespace.to_owned(),
            aliases: self.short_names(),
            all_aliases: self.all_aliases(),
            print_columns: self
                .columns
                .iter()
                .map(|column| PrintColumn {
                    name: column.name.to_owned(),
                    json_path: column.path.to_owned(),
                })
                .collect(),
            sensitivity: if self.sensitive {
                Sensitivity::Sensitive
            } else {
                Sensitivity::Open
            },
        }
    }
}

/// The first label needs two characters, as the contract has it; the others one.
fn suffix_label((position, label): (usize, &str)) -> bool {
    label.starts_with(|c: char| c.is_ascii_lowercase())
        && label.len() >= if position == 0 { 2 } else { 1 }
        && label
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn dedup(names: Vec<String>) -> Vec<String> {
    let mut unique = Vec::with_capacity(names.len());
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}

/// The singular of an English plural; what is no plural comes back unchanged.
fn singular(plural: &str) -> String {
    // Endings that take `es`; a word such as `Caches` states its singular in its definition.
    const ES: [&str; 6] = ["statuses", "buses", "sses", "shes", "ches", "xes"];
    let lower = plural.to_ascii_lowercase();
    let cut = |n: usize| {
        plural
            .get(..plural.len().saturating_sub(n))
            .unwrap_or(plural)
    };
    if let Some(stem) = lower.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return format!("{}y", cut(plural.len() - stem.len()));
    }
    if ES.iter().any(|ending| lower.ends_with(ending)) {
        return cut(2).to_owned();
    }
    if lower.ends_with('s') && !lower.ends_with("ss") && !lower.ends_with("status") {
        return cut(1).to_owned();
    }
    plural.to_owned()
}

#[cfg(test)]
mod tests;
