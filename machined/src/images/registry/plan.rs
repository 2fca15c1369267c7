//! What to answer: pure, by what is asked for and what the catalog has.

use super::super::catalog::{Catalog, Copy, Unknown};
use super::super::digest::Digest;
use super::super::reference::{Registry, Repository, Wanted};
use super::ask::Ask;
use super::range::Range;
use super::refusal::Refusal;

/// How it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    /// A part of it; nobody asks so for a manifest.
    pub(super) range: Option<Range>,
    /// Only of this version; of another one the whole is wanted.
    pub(super) if_range: Option<String>,
    /// Only when it is another one than these, separated by commas.
    pub(super) if_none_match: Option<String>,
}

/// What to answer.
#[derive(Debug)]
pub(super) enum Plan {
    /// This is a registry.
    Welcome,
    /// It is what the client has already.
    Same(Digest),
    /// The first of these copies that is whole, or a part of it.
    Send {
        /// What it is called by.
        digest: Digest,
        /// Who has it.
        copies: Vec<Copy>,
        /// Which part.
        range: Option<Range>,
    },
}

/// How a version of content is named in headers: it is its digest, and never changes.
pub(super) fn tag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// Decides.
pub(super) fn plan(ask: Ask, how: &Conditions, catalog: &Catalog) -> Result<Plan, Refusal> {
    let (digest, copies, range) = match ask {
        Ask::Welcome => return Ok(Plan::Welcome),
        Ask::Manifest {
            registry,
            repository,
            wanted,
        } => {
            let (digest, copies) = manifest(registry, &repository, wanted, catalog)?;
            (digest, copies, None)
        }
        Ask::Blob(digest) => (digest, catalog.copies(&digest), how.range),
    };
    if copies.is_empty() {
        return Err(Refusal::Blob(digest.to_string()));
    }
    let tag = tag(&digest);
    let has = |tags: &String| {
        tags.split(',')
            .any(|it| matches!(it.trim(), "*") || it.trim() == tag)
    };
    if how.if_none_match.as_ref().is_some_and(has) {
        return Ok(Plan::Same(digest));
    }
    let fits = how.if_range.as_ref().is_none_or(|wanted| *wanted == tag);
    Ok(Plan::Send {
        digest,
        copies,
        range: range.filter(|_| fits),
    })
}

/// Which manifest is meant, and who has it as one.
fn manifest(
    registry: Option<Registry>,
    repository: &Repository,
    wanted: Wanted,
    catalog: &Catalog,
) -> Result<(Digest, Vec<Copy>), Refusal> {
    let name = match &registry {
        Some(registry) => format!("{registry}/{repository}"),
        None => repository.to_string(),
    };
    let shown = match &wanted {
        Wanted::Tag(tag) => format!("{name}:{tag}"),
        Wanted::Digest(digest) => format!("{name}@{digest}"),
    };
    let digest = match (&registry, wanted) {
        (_, Wanted::Digest(digest)) => digest,
        (None, Wanted::Tag(_)) => return Err(Refusal::Whose(shown)),
        (Some(registry), Wanted::Tag(tag)) => {
            let found = catalog.tagged(registry, repository, &tag);
            found.map_err(|unknown| match unknown {
                Unknown::Repository => Refusal::Repository(name),
                Unknown::Tag => Refusal::Manifest(shown.clone()),
            })?
        }
    };
    let mut copies = catalog.copies(&digest);
    copies.retain(|copy| copy.part.is_manifest());
    if copies.is_empty() {
        return Err(Refusal::Manifest(shown));
    }
    Ok((digest, copies))
}
