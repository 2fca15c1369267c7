//! A file tree in memory: what an archive or a file system image is written from.
//!
//! Ordered by path bytes, so a folder comes before what it holds. Everything belongs to root and
//! carries no time: owners and times are the writers' business, and the same for all.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// How many links the kernel follows before it takes them for a circle.
const MOST_LINKS: usize = 40;

/// Where a file's bytes are.
#[derive(Clone, Debug)]
pub enum Source {
    /// Here.
    Bytes(Vec<u8>),
    /// In a file of the host.
    Path(PathBuf),
}

impl Source {
    /// The bytes.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self) -> Result<Cow<'_, [u8]>> {
        match self {
            Self::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::Path(path) => std::fs::read(path)
                .map(Cow::Owned)
                .with_context(|| format!("reading {}", path.display())),
        }
    }
}

/// What stands at a path.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A regular file.
    File(Source),
    /// A symbolic link to the text.
    Link(String),
}

/// A path's kind and permission bits.
#[derive(Clone, Debug)]
pub struct Node {
    /// The permission bits, including setuid, setgid and sticky.
    pub mode: u32,
    /// What it is.
    pub kind: Kind,
}

/// The tree. Paths are relative, without a leading slash.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
}

impl Tree {
    /// Adds a folder with the usual mode, and its parents.
    ///
    /// # Errors
    /// When something other than a folder is there or above.
    pub fn folder(&mut self, path: &str) -> Result<()> {
        self.folder_mode(path, 0o755)
    }

    /// Adds a folder, and its parents with the usual mode.
    ///
    /// # Errors
    /// As [`Tree::folder`].
    pub fn folder_mode(&mut self, path: &str, mode: u32) -> Result<()> {
        self.parents(path)?;
        match self.nodes.get(path) {
            None => {
                self.nodes.insert(
                    path.to_owned(),
                    Node {
                        mode,
                        kind: Kind::Folder,
                    },
                );
                Ok(())
            }
            Some(Node {
                kind: Kind::Folder, ..
            }) => Ok(()),
            Some(_) => bail!("{path} is not a folder"),
        }
    }

    /// Adds a file, and the folders above it.
    ///
    /// # Errors
    /// When the path is taken.
    pub fn file(&mut self, path: &str, mode: u32, source: Source) -> Result<()> {
        self.add(
            path,
            Node {
                mode,
                kind: Kind::File(source),
            },
        )
    }

    /// Adds a symbolic link, and the folders above it.
    ///
    /// # Errors
    /// When the path is taken.
    pub fn link(&mut self, path: &str, target: &str) -> Result<()> {
        self.add(
            path,
            Node {
                mode: 0o777,
                kind: Kind::Link(target.to_owned()),
            },
        )
    }

    /// All paths with what stands there, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// The path of the file that a path leads to inside this tree, through links to files and folders; an absolute one
    /// begins at the tree's top.
    pub fn resolve(&self, path: &str) -> Option<String> {
        let parts = |path: &str| -> Vec<String> {
            let parts = path.rsplit('/').filter(|part| !matches!(*part, "" | "."));
            parts.map(str::to_owned).collect()
        };
        let mut left = parts(path);
        let mut at: Vec<String> = Vec::new();
        let mut followed = 0;
        while let Some(part) = left.pop() {
            if part == ".." {
                at.pop();
                continue;
            }
            at.push(part);
            if let Kind::Link(target) = &self.nodes.get(&at.join("/"))?.kind {
                followed += 1;
                if followed > MOST_LINKS {
                    return None;
                }
                if target.starts_with('/') {
                    at.clear();
                } else {
                    at.pop();
                }
                left.extend(parts(target));
            }
        }
        let path = at.join("/");
        let found = self.nodes.get(&path)?;
        matches!(found.kind, Kind::File(_)).then_some(path)
    }

    fn add(&mut self, path: &str, node: Node) -> Result<()> {
        self.parents(path)?;
        if self.nodes.insert(path.to_owned(), node).is_some() {
            bail!("{path} is in the tree twice");
        }
        Ok(())
    }

    fn parents(&mut self, path: &str) -> Result<()> {
        let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        if !path.split('/').all(plain) {
            bail!("{path:?} is not a plain relative path");
        }
        match path.rsplit_once('/') {
            Some((parent, _)) => self.folder(parent),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_before_what_they_hold() {
        let mut tree = Tree::default();
        tree.file("a/b/c", 0o644, Source::Bytes(vec![])).unwrap();
        tree.file("a-x", 0o644, Source::Bytes(vec![])).unwrap();
        tree.link("a/a", "b").unwrap();
        let paths: Vec<&str> = tree.iter().map(|(p, _)| p).collect();
        assert_eq!(paths, ["a", "a-x", "a/a", "a/b", "a/b/c"]);
    }

    #[test]
    fn links_lead_to_files_inside() {
        let mut tree = Tree::default();
        let empty = || Source::Bytes(vec![]);
        tree.file("usr/lib/a", 0o644, empty()).unwrap();
        tree.link("lib", "usr/lib").unwrap();
        tree.link("usr/lib/b", "../lib/./a").unwrap();
        tree.link("usr/c", "/lib/b").unwrap();
        tree.link("round", "round").unwrap();
        for path in ["usr/lib/a", "/lib/a", "lib/b", "usr/c"] {
            assert_eq!(tree.resolve(path).as_deref(), Some("usr/lib/a"), "{path}");
        }
        for path in ["usr/lib", "lib", "round", "usr/lib/x", "usr/lib/a/x", ""] {
            assert_eq!(tree.resolve(path), None, "{path}");
        }
    }

    #[test]
    fn bad_paths_and_clashes_are_refused() {
        let mut tree = Tree::default();
        tree.file("a", 0o644, Source::Bytes(vec![])).unwrap();
        assert!(tree.file("a", 0o644, Source::Bytes(vec![])).is_err());
        for bad in ["a/b", "/x", "x//y", "../x", "x/."] {
            assert!(
                tree.file(bad, 0o644, Source::Bytes(vec![])).is_err(),
                "{bad}"
            );
        }
    }
}
