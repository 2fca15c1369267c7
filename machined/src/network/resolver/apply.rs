//! Writes `resolv.conf`.

use std::path::PathBuf;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::net::{MERGED, RESOLVERS, ResolverSpec};

use crate::network::file;

/// What the C library reads of a file (`MAXNS`).
const MOST_SERVERS: usize = 3;
/// What the C library reads of a file (`MAXDNSRCH`).
const MOST_DOMAINS: usize = 6;

/// The controller.
#[derive(Debug)]
pub struct Apply {
    path: PathBuf,
}

cosi::declare! {
    Apply as "network.resolver.apply" {
        reads ResolverSpec: MERGED;
    }
}

impl Apply {
    /// Writes this file.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Controller for Apply {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        match cx.get::<ResolverSpec>(RESOLVERS) {
            Some(spec) => file::replace(&self.path, &render(&spec.spec))?,
            // Nothing may only mean that the sources have not spoken yet.
            None if cx.deletions_allowed() => {
                file::replace(&self.path, &render(&ResolverSpec::default()))?;
            }
            None => {}
        }
        Ok(Outcome::Done)
    }
}

/// The file's text: as many servers and domains as are read of it.
#[must_use]
pub fn render(spec: &ResolverSpec) -> String {
    let mut text = String::new();
    for server in spec.servers.iter().take(MOST_SERVERS) {
        text.push_str(&format!("nameserver {server}\n"));
    }
    let search: Vec<&str> = spec
        .search
        .iter()
        .map(String::as_str)
        .filter(|it| is_domain(it))
        .take(MOST_DOMAINS)
        .collect();
    if !search.is_empty() {
        text.push_str(&format!("search {}\n", search.join(" ")));
    }
    text
}

/// Domains come from DHCP servers: nothing of theirs may begin another line of the file.
fn is_domain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_c_library_reads() {
        let spec = ResolverSpec {
            servers: (1..=5).map(|it| [10, 0, 0, it].into()).collect(),
            search: vec!["example.org".to_owned(), "a\nnameserver 6.6.6.6".to_owned()],
            ..ResolverSpec::default()
        };
        let expected =
            "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nsearch example.org\n";
        assert_eq!(render(&spec), expected);
        assert_eq!(render(&ResolverSpec::default()), "");
    }
}
