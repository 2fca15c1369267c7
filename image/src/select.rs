//! Which kernel modules the root and the initramfs carry: the lists, and what follows from them.
//!
//! Pure. A line is `keep|drop|never|boot PATTERN  # reason`. A pattern ending in `/` is a folder of
//! the kernel's module tree, any other is one module's path without its ending. The longest pattern
//! wins; `boot` also puts the module into the initramfs. Dependencies come along, and one that
//! matches a `never` is an error: the lists are a promise about what cannot be loaded.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

/// What a line of a list asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Keep,
    Boot,
    Drop,
    Never,
}

#[derive(Clone, Debug)]
struct Line {
    verb: Verb,
    pattern: String,
}

/// Parsed lists.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    lines: Vec<Line>,
}

/// The modules of a kernel: path of each, with the paths it needs.
pub type Needs = BTreeMap<String, BTreeSet<String>>;

/// The chosen modules, by path.
#[derive(Debug, PartialEq, Eq)]
pub struct Selection {
    /// All that the root carries.
    pub root: BTreeSet<String>,
    /// Those that the initramfs carries as well.
    pub boot: BTreeSet<String>,
}

/// Why a list cannot be followed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SelectError {
    /// A line is not `VERB PATTERN # REASON`.
    #[error(
        "modules/{file} line {line}: want `keep|drop|never|boot PATTERN # reason`, found {text:?}"
    )]
    Syntax {
        /// The list.
        file: String,
        /// Counted from one.
        line: usize,
        /// The line.
        text: String,
    },
    /// A pattern that fits nothing is a mistake or out of date.
    #[error("module patterns that fit no module of this kernel: {0:?}")]
    Useless(Vec<String>),
    /// Chosen modules need some that must not be there.
    #[error("modules that need what the lists say never to take:\n  {}", .0.join("\n  "))]
    Forbidden(Vec<String>),
}

impl Rules {
    /// Adds the lines of a list.
    ///
    /// # Errors
    /// When a line has another form or no reason.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), SelectError> {
        for (number, raw) in text.lines().enumerate() {
            let text = raw.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let parsed = text
                .split_once('#')
                .filter(|(_, reason)| !reason.trim().is_empty())
                .and_then(|(rule, _)| rule.trim().split_once(' '))
                .and_then(|(verb, pattern)| Some((parse_verb(verb)?, pattern.trim().to_owned())));
            let Some((verb, pattern)) = parsed else {
                return Err(SelectError::Syntax {
                    file: file.to_owned(),
                    line: number + 1,
                    text: text.to_owned(),
                });
            };
            self.lines.push(Line { verb, pattern });
        }
        Ok(())
    }

    /// Chooses among the modules of a kernel.
    ///
    /// # Errors
    /// When a pattern fits nothing, or a forbidden module is needed.
    pub fn select(&self, needs: &Needs) -> Result<Selection, SelectError> {
        // A `never` may fit nothing: the kernel without such modules is the best one.
        let unused = |line: &&Line| {
            line.verb != Verb::Never && !needs.keys().any(|path| fits(&line.pattern, path))
        };
        let useless: Vec<String> = self
            .lines
            .iter()
            .filter(unused)
            .map(|l| l.pattern.clone())
            .collect();
        if !useless.is_empty() {
            return Err(SelectError::Useless(useless));
        }
        let (mut root, mut boot) = (BTreeSet::new(), BTreeSet::new());
        for path in needs.keys() {
            let verb = self.ruling(path).map(|l| l.verb);
            if matches!(verb, Some(Verb::Keep | Verb::Boot)) {
                take(path, needs, &mut root);
            }
            if verb == Some(Verb::Boot) {
                take(path, needs, &mut boot);
            }
        }
        self.forbidden(&root, needs)?;
        Ok(Selection { root, boot })
    }

    fn forbidden(&self, chosen: &BTreeSet<String>, needs: &Needs) -> Result<(), SelectError> {
        let never = |path: &str| self.ruling(path).filter(|l| l.verb == Verb::Never);
        let mut findings = Vec::new();
        for path in chosen.iter().filter(|p| never(p).is_none()) {
            for needed in needs.get(path).into_iter().flatten() {
                if let Some(line) = never(needed) {
                    findings.push(format!("{path} needs {needed} (never {})", line.pattern));
                }
            }
        }
        if findings.is_empty() {
            Ok(())
        } else {
            Err(SelectError::Forbidden(findings))
        }
    }

    /// The longest line that fits.
    fn ruling(&self, path: &str) -> Option<&Line> {
        self.lines
            .iter()
            .filter(|l| fits(&l.pattern, path))
            .max_by_key(|l| l.pattern.len())
    }
}

/// Adds a module and what it needs.
fn take(path: &str, needs: &Needs, taken: &mut BTreeSet<String>) {
    if taken.insert(path.to_owned()) {
        for next in needs.get(path).into_iter().flatten() {
            take(next, needs, taken);
        }
    }
}

fn parse_verb(text: &str) -> Option<Verb> {
    match text {
        "keep" => Some(Verb::Keep),
        "boot" => Some(Verb::Boot),
        "drop" => Some(Verb::Drop),
        "never" => Some(Verb::Never),
        _ => None,
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let path = path.strip_prefix("kernel/").unwrap_or(path);
    if pattern.ends_with('/') {
        return path.starts_with(pattern);
    }
    path.strip_prefix(pattern)
        .is_some_and(|rest| rest == ".ko" || rest.starts_with(".ko."))
}

/// Reads `modules.dep` and `modules.softdep` as depmod writes them.
#[must_use]
pub fn parse_needs(dep: &str, softdep: &str) -> Needs {
    let mut needs: Needs = dep
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(path, rest)| {
            (
                path.to_owned(),
                rest.split_whitespace().map(str::to_owned).collect(),
            )
        })
        .collect();
    let paths: BTreeMap<String, String> = needs.keys().map(|p| (name(p), p.clone())).collect();
    for line in softdep.lines() {
        let mut words = line.split_whitespace();
        let (Some("softdep"), Some(module)) = (words.next(), words.next()) else {
            continue;
        };
        let Some(path) = paths.get(&module.replace('-', "_")) else {
            continue;
        };
        let wanted = words
            .filter(|w| !w.ends_with(':'))
            .map(|w| w.replace('-', "_"));
        let found: Vec<String> = wanted.filter_map(|w| paths.get(&w).cloned()).collect();
        needs.entry(path.clone()).or_default().extend(found);
    }
    needs
}

/// A module's name: the file's, without ending, with underscores.
#[must_use]
pub fn name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "kernel/net/a.ko.xz: kernel/lib/x.ko.xz\nkernel/lib/x.ko.xz:\nkernel/net/bad/b.ko.xz:\n\
        kernel/gpu/g.ko.xz:\nkernel/net/c-d.ko.xz: kernel/gpu/g.ko.xz\nkernel/soft.ko.xz:\n";

    fn rules(text: &str) -> Rules {
        let mut rules = Rules::default();
        rules.add("test.txt", text).unwrap();
        rules
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|n| format!("kernel/{n}.ko.xz")).collect()
    }

    #[test]
    fn the_longest_pattern_wins_and_needs_come_along() {
        let needs = parse_needs(DEP, "softdep a pre: soft platform:none\n");
        let rules = rules(
            "keep net/ # r\ndrop net/bad/ # r\ndrop net/c-d # r\nboot net/a # r\nnever gpu/ # r",
        );
        let selection = rules.select(&needs).unwrap();
        assert_eq!(selection.root, set(&["net/a", "lib/x", "soft"]));
        assert_eq!(selection.boot, set(&["net/a", "lib/x", "soft"]));
    }

    #[test]
    fn what_must_never_come_does_not_come_by_a_dependency() {
        let error = rules("keep net/ # r\nnever gpu/ # r")
            .select(&parse_needs(DEP, ""))
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("kernel/net/c-d.ko.xz needs kernel/gpu/g.ko.xz (never gpu/)"),
            "{text}"
        );
    }

    #[test]
    fn mistakes_in_lists_are_found() {
        let needs = parse_needs(DEP, "");
        assert_eq!(
            rules("keep nett/ # r").select(&needs),
            Err(SelectError::Useless(vec!["nett/".into()]))
        );
        for bad in ["keep net/", "keep net/ #", "take net/ # r", "net/ # r"] {
            assert!(Rules::default().add("x", bad).is_err(), "{bad}");
        }
    }
}
