//! depmod's text indexes and what follows from them.
//!
//! Owns: reading the three files, names for a request, and the order of loading. Pure once the texts are read. The
//! texts are kept as they are, with the places of their words beside them: a boot resolves a few dozen names, and
//! a boot under emulation feels every pass over the text.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::pattern::matches;
use super::{Module, canonical_name};

/// The indexes of one module folder.
#[derive(Debug, Clone, Default)]
pub struct Database {
    dir: PathBuf,
    dep: String,
    alias: String,
    softdep: String,
    /// Canonical name to the place of its line in `dep`.
    lines: HashMap<String, Range<usize>>,
    /// Places of pattern and module in `alias`.
    aliases: Vec<(Range<usize>, Range<usize>)>,
}

impl Database {
    /// Reads the indexes of `dir`. Only `modules.dep` must be there.
    pub fn read(dir: &Path) -> io::Result<Self> {
        let optional = |name: &str| match std::fs::read_to_string(dir.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            other => other,
        };
        let dep = std::fs::read_to_string(dir.join("modules.dep"))?;
        Ok(Self::from_texts(
            dir,
            dep,
            optional("modules.alias")?,
            optional("modules.softdep")?,
        ))
    }

    /// A database from texts, for tests and for callers that have them already.
    pub fn from_texts(dir: &Path, dep: String, alias: String, softdep: String) -> Self {
        let lines = places(&dep)
            .filter_map(|(line, place)| Some((canonical_name(line.split_once(':')?.0), place)))
            .collect();
        let aliases = places(&alias)
            .filter_map(|(line, place)| alias_places(line, place.start))
            .collect();
        Self {
            dir: dir.to_owned(),
            dep,
            alias,
            softdep,
            lines,
            aliases,
        }
    }

    /// The modules that a request names: by their own name, else by every alias that matches.
    pub fn names(&self, request: &str) -> Vec<String> {
        let name = canonical_name(request);
        if self.lines.contains_key(&name) {
            return vec![name];
        }
        let mut names: Vec<String> = Vec::new();
        for (pattern, module) in &self.aliases {
            if matches(self.alias.get(pattern.clone()).unwrap_or_default(), request) {
                let module = canonical_name(self.alias.get(module.clone()).unwrap_or_default());
                if !names.contains(&module) {
                    names.push(module);
                }
            }
        }
        names
    }

    /// Every module there is, by its own name, in no order.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.lines.keys().map(String::as_str)
    }

    /// Everything to load for these modules, each after what it needs. Unknown names are left out: they are built in,
    /// or not in this image.
    pub fn order<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<Module> {
        let mut order = Vec::new();
        let mut open = Vec::new();
        for name in names {
            self.visit(&canonical_name(name), &mut open, &mut order);
        }
        order
    }

    /// Everything to load for one request, in order.
    pub fn resolve(&self, request: &str) -> Vec<Module> {
        let names = self.names(request);
        self.order(names.iter().map(String::as_str))
    }

    /// Depth first. `open` holds the modules being visited, so that a circle of soft dependencies ends.
    fn visit(&self, name: &str, open: &mut Vec<String>, order: &mut Vec<Module>) {
        if open.iter().any(|other| other == name) || order.iter().any(|module| module.name == name)
        {
            return;
        }
        let Some((file, needed)) = self.dependencies(name) else {
            return;
        };
        open.push(name.to_owned());
        let (before, after) = self.soft_dependencies(name);
        for request in before {
            self.visit_request(request, open, order);
        }
        for file in needed {
            self.visit(&canonical_name(file), open, order);
        }
        order.push(Module {
            name: name.to_owned(),
            path: self.dir.join(file),
        });
        for request in after {
            self.visit_request(request, open, order);
        }
        open.pop();
    }

    /// Soft dependencies may be aliases such as `crc32c`.
    fn visit_request(&self, request: &str, open: &mut Vec<String>, order: &mut Vec<Module>) {
        for name in self.names(request) {
            self.visit(&name, open, order);
        }
    }

    /// A module's file, and the files it needs, farthest first (depmod writes them nearest first).
    fn dependencies(&self, name: &str) -> Option<(&str, impl Iterator<Item = &str>)> {
        let line = self.dep.get(self.lines.get(name)?.clone())?;
        let (file, needed) = line.split_once(':')?;
        Some((file, needed.split_ascii_whitespace().rev()))
    }

    fn soft_dependencies(&self, name: &str) -> (Vec<&str>, Vec<&str>) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (line, _) in places(&self.softdep) {
            let mut words = line
                .split_ascii_whitespace()
                .skip_while(|word| *word == "softdep");
            if words.next().is_none_or(|word| canonical_name(word) != name) {
                continue;
            }
            let mut is_before = true;
            for word in words {
                match word {
                    "pre:" => is_before = true,
                    "post:" => is_before = false,
                    word if is_before => before.push(word),
                    word => after.push(word),
                }
            }
        }
        (before, after)
    }
}

/// The lines of a text that are no comments, with their places.
fn places(text: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    let mut start = 0;
    let lines = text.split_inclusive('\n').map(move |line| {
        let place = start..start + line.len();
        start = place.end;
        (line.trim_end(), place)
    });
    lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'))
}

/// The places of pattern and module in `alias PATTERN MODULE`, for a line that begins at `start`.
fn alias_places(line: &str, start: usize) -> Option<(Range<usize>, Range<usize>)> {
    const WORD: &str = "alias ";
    let (pattern, module) = line.strip_prefix(WORD)?.rsplit_once(' ')?;
    let begin = start + WORD.len();
    let middle = begin + pattern.len();
    Some((begin..middle, middle + 1..middle + 1 + module.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "\
kernel/drivers/md/dm-mod.ko:
kernel/drivers/md/dm-bufio.ko: kernel/drivers/md/dm-mod.ko
kernel/drivers/md/dm-verity.ko: kernel/drivers/md/dm-bufio.ko kernel/drivers/md/dm-mod.ko kernel/lib/rs.ko
kernel/lib/rs.ko:
kernel/net/one.ko:
kernel/net/two.ko:
kernel/crypto/sha.ko:
";
    const ALIAS: &str = "\
# Aliases extracted from modules themselves.
alias pci:v00008086d*sv* one
alias pci:v*d00001234sv* two
alias fs-x dm-verity
alias crypto-sha sha
";

    fn database() -> Database {
        let softdep = "softdep one pre: crypto-sha two post: rs\nsoftdep two pre: one\n";
        Database::from_texts(
            Path::new("/lib/modules/6"),
            DEP.into(),
            ALIAS.into(),
            softdep.into(),
        )
    }

    fn names(modules: &[Module]) -> Vec<&str> {
        modules.iter().map(|module| module.name.as_str()).collect()
    }

    #[test]
    fn dependencies_come_first() {
        let modules = database().resolve("dm-verity");
        assert_eq!(names(&modules), ["rs", "dm_mod", "dm_bufio", "dm_verity"]);
        assert_eq!(
            modules[3].path,
            Path::new("/lib/modules/6/kernel/drivers/md/dm-verity.ko")
        );
        assert_eq!(
            names(&database().resolve("fs_x")),
            ["rs", "dm_mod", "dm_bufio", "dm_verity"]
        );
    }

    #[test]
    fn soft_dependencies_go_around_and_a_circle_ends() {
        assert_eq!(
            names(&database().resolve("one")),
            ["sha", "two", "one", "rs"]
        );
        assert_eq!(
            names(&database().resolve("two")),
            ["sha", "one", "rs", "two"]
        );
    }

    #[test]
    fn a_device_loads_every_driver_that_matches() {
        let both = database().resolve("pci:v00008086d00001234sv1");
        assert_eq!(names(&both), ["sha", "two", "one", "rs"]);
        assert_eq!(database().resolve("pci:v1"), []);
        assert_eq!(database().resolve("nothing"), []);
    }

    proptest::proptest! {
        #[test]
        fn any_texts_resolve(dep in "([a-c]{1,2}\\.ko:( [a-c]{1,2}\\.ko){0,3}\n){0,8}", soft in "(softdep [a-c] pre: [a-c] post: [a-c]\n){0,4}") {
            let database = Database::from_texts(Path::new("/"), dep, String::new(), soft);
            for name in ["a", "b", "ab"] {
                let order = database.resolve(name);
                let mut seen: Vec<_> = order.iter().map(|module| &module.name).collect();
                seen.sort();
                seen.dedup();
                proptest::prop_assert_eq!(seen.len(), order.len());
            }
        }
    }
}
