//! What an image says of itself: how its layers are called together, and what is run.
//!
//! Only what is asked of it (the OCI image specification, "Image Configuration"); all else it may say is passed over.

use serde::Deserialize;
use thiserror::Error;

use crate::images::digest::{Digest, DigestError};

/// Why an image cannot be run.
#[derive(Debug, Error)]
pub(in crate::runtime::service) enum ImageError {
    #[error("the config of the image")]
    Name(#[source] DigestError),
    #[error(
        "the config of the image is called {0} and is none of that content; its disk may be broken"
    )]
    Content(Digest),
    #[error("the config of the image")]
    Parse(#[source] serde_json::Error),
    #[error("the image has no layers")]
    Empty,
}

/// What an image has run, unless its service says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::runtime::service) struct Run {
    /// The program with what it is always given.
    pub(in crate::runtime::service) entrypoint: Vec<String>,
    /// What it is given beside that, unless somebody gives it something else.
    pub(in crate::runtime::service) cmd: Vec<String>,
    /// `NAME=VALUE` each.
    pub(in crate::runtime::service) environment: Vec<String>,
    /// Where; empty: at the root.
    pub(in crate::runtime::service) folder: String,
    /// As whom, as it is written there.
    pub(in crate::runtime::service) user: String,
}

impl Run {
    /// User and group by number; `None` when they are called by names, which mean something in the image alone.
    pub(in crate::runtime::service) fn user(&self) -> Option<(u32, u32)> {
        if self.user.is_empty() {
            return Some((0, 0));
        }
        let (user, group) = self.user.split_once(':').unwrap_or((&self.user, "0"));
        Some((user.parse().ok()?, group.parse().ok()?))
    }
}

/// The part of the config that is read here. What Go has none of it writes as `null`.
#[derive(Deserialize)]
struct Document {
    config: Option<Process>,
    rootfs: Layers,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Process {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
}

#[derive(Deserialize)]
struct Layers {
    diff_ids: Vec<Digest>,
}

/// What the config called `id` says: what is run, and how all of its layers are called together.
pub(in crate::runtime::service) fn read(
    id: &str,
    content: &[u8],
) -> Result<(Run, Digest), ImageError> {
    let id: Digest = id.parse().map_err(ImageError::Name)?;
    if Digest::of(content) != id {
        return Err(ImageError::Content(id));
    }
    let document: Document = serde_json::from_slice(content).map_err(ImageError::Parse)?;
    let process = document.config.unwrap_or_default();
    let run = Run {
        entrypoint: process.entrypoint.unwrap_or_default(),
        cmd: process.cmd.unwrap_or_default(),
        environment: process.env.unwrap_or_default(),
        folder: process.working_dir.unwrap_or_default(),
        user: process.user.unwrap_or_default(),
    };
    let chain = chain(&document.rootfs.diff_ids).ok_or(ImageError::Empty)?;
    Ok((run, chain))
}

/// The name of layers on top of each other (the same specification, "Layer ChainID").
fn chain(layers: &[Digest]) -> Option<Digest> {
    let (first, rest) = layers.split_first()?;
    let chain = rest.iter().fold(*first, |below, layer| {
        Digest::of(format!("{below} {layer}").as_bytes())
    });
    Some(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<(Run, Digest), ImageError> {
        read(&Digest::of(text.as_bytes()).to_string(), text.as_bytes())
    }

    #[test]
    fn what_is_run_is_read_and_what_is_not_said_is_nothing() {
        let layer = Digest::of(b"");
        let text = format!(
            r#"{{"os": "linux", "config": {{"Entrypoint": ["/etcd"], "Cmd": null, "Env": ["A=b"],
            "User": "65532:65533", "Labels": {{}}}}, "rootfs": {{"type": "layers", "diff_ids": ["{layer}"]}}}}"#
        );
        let (run, chain) = of(&text).expect("an image");
        assert_eq!(run.entrypoint, ["/etcd"]);
        assert_eq!((run.cmd.len(), run.folder.as_str()), (0, ""));
        assert_eq!(run.environment, ["A=b"]);
        assert_eq!(run.user(), Some((65532, 65533)));
        assert_eq!(chain, layer, "one layer is called as itself");
        let bare = format!(r#"{{"rootfs": {{"diff_ids": ["{layer}"]}}}}"#);
        assert_eq!(of(&bare).expect("an image").0, Run::default());
    }

    #[test]
    fn layers_together_are_called_as_the_specification_has_it() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let both = Digest::of(format!("{one} {two}").as_bytes());
        assert_eq!(chain(&[one, two]), Some(both));
        assert_eq!(chain(&[]), None);
    }

    #[test]
    fn users_are_numbers() {
        let user = |text: &str| {
            let run = Run {
                user: text.to_owned(),
                ..Run::default()
            };
            run.user()
        };
        assert_eq!(user(""), Some((0, 0)));
        assert_eq!(user("7"), Some((7, 0)));
        for name in ["etcd", "7:etcd", "-1", "7:"] {
            assert_eq!(user(name), None, "{name}");
        }
    }

    #[test]
    fn other_content_than_was_asked_for_is_refused() {
        let asked = Digest::of(b"other").to_string();
        assert!(matches!(read(&asked, b"{}"), Err(ImageError::Content(_))));
        assert!(matches!(read("sha256:1", b"{}"), Err(ImageError::Name(_))));
        assert!(matches!(of("{}"), Err(ImageError::Parse(_))));
        let none = r#"{"rootfs": {"diff_ids": []}}"#;
        assert!(matches!(of(none), Err(ImageError::Empty)));
    }
}
