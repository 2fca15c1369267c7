//! What keeps pods away from a node.

use std::fmt;
use std::str::FromStr;

use derive::Schema;

use super::{LabelError, LabelKey, LabelValue};

/// A taint as `kubectl taint` writes it: `KEY=VALUE:EFFECT` or `KEY:EFFECT`, of which the effect is `NoSchedule`, `PreferNoSchedule` or
/// `NoExecute`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct Taint {
    /// Its key; with the effect it tells a taint from others.
    pub key: LabelKey,
    /// Its value; may be empty.
    pub value: LabelValue,
    /// What it does.
    pub effect: TaintEffect,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaintEffect {
    /// None comes.
    NoSchedule,
    /// One comes where there is no other place.
    PreferNoSchedule,
    /// None comes, and those that are there go.
    NoExecute,
}

/// Why a text is no taint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaintError {
    /// No effect.
    #[error("a taint ends with what it does, like `dedicated=db:NoSchedule`: `{0}`")]
    NoEffect(String),
    /// Another effect.
    #[error("a taint does `NoSchedule`, `PreferNoSchedule` or `NoExecute`, not `{0}`")]
    Effect(String),
    /// Not its key, or not its value.
    #[error(transparent)]
    Label(#[from] LabelError),
}

impl TaintEffect {
    /// Its word in Kubernetes.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

impl Taint {
    /// What keeps pods away from a control plane that nobody says otherwise of.
    #[must_use]
    pub fn of_control_planes() -> Self {
        Self {
            key: "node-role.kubernetes.io/control-plane"
                .parse()
                .expect("a key of Kubernetes' own"),
            value: "".parse().expect("a value may be empty"),
            effect: TaintEffect::NoSchedule,
        }
    }
}

impl FromStr for Taint {
    type Err = TaintError;

    fn from_str(text: &str) -> Result<Self, TaintError> {
        let (rest, effect) = text
            .rsplit_once(':')
            .ok_or_else(|| TaintError::NoEffect(text.to_owned()))?;
        let effect = match effect {
            "NoSchedule" => TaintEffect::NoSchedule,
            "PreferNoSchedule" => TaintEffect::PreferNoSchedule,
            "NoExecute" => TaintEffect::NoExecute,
            other => return Err(TaintError::Effect(other.to_owned())),
        };
        let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
        Ok(Self {
            key: key.parse()?,
            value: value.parse()?,
            effect,
        })
    }
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)?;
        if !self.value.as_str().is_empty() {
            write!(f, "={}", self.value)?;
        }
        write!(f, ":{}", self.effect.word())
    }
}

super::as_text!(Taint);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taints() {
        for text in [
            "dedicated=db:NoSchedule",
            "example.org/slow:PreferNoSchedule",
            "a=1:NoExecute",
        ] {
            let taint: Taint = text.parse().unwrap();
            assert_eq!(taint.to_string(), text);
        }
        let empty: Taint = "a=:NoExecute".parse().unwrap();
        assert_eq!(empty.to_string(), "a:NoExecute");
        assert_eq!(
            Taint::of_control_planes().to_string(),
            "node-role.kubernetes.io/control-plane:NoSchedule"
        );
        let error = |text: &str| text.parse::<Taint>().unwrap_err();
        assert_eq!(error("a=b"), TaintError::NoEffect("a=b".to_owned()));
        assert_eq!(error("a=b:c"), TaintError::Effect("c".to_owned()));
        let effect = TaintError::Effect("noschedule".to_owned());
        assert_eq!(error("a:noschedule"), effect);
        for text in [":NoExecute", "a=b=c:NoExecute", "a b:NoExecute"] {
            assert!(matches!(error(text), TaintError::Label(_)), "{text}");
        }
    }
}
