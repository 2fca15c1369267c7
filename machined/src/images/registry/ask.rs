//! What a request asks for, read once from its path and query into types that cannot be wrong.

use std::str::FromStr;

use percent_encoding::percent_decode_str;

use super::super::digest::Digest;
use super::super::reference::{ReferenceError, Registry, Repository, Wanted};
use super::refusal::Refusal;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Whether this is a registry.
    Welcome,
    /// An image, by the registry it is from (containerd says so in `ns`), its repository and its tag or digest.
    Manifest {
        /// The registry, if it was said.
        registry: Option<Registry>,
        /// The repository.
        repository: Repository,
        /// Which image of it.
        wanted: Wanted,
    },
    /// A part of an image. Whose it is does not matter: its digest says what it is.
    Blob(Digest),
}

/// Reads what a path and a query ask for.
///
/// # Errors
/// Nothing that this registry has, and why.
pub fn parse(path: &str, query: Option<&str>) -> Result<Ask, Refusal> {
    let rest = path.strip_prefix("/v2").ok_or(Refusal::Path)?;
    if matches!(rest, "" | "/") {
        return Ok(Ask::Welcome);
    }
    // A repository may have words such as `blobs` in it, so it is read from the end.
    let rest = rest.strip_prefix('/').ok_or(Refusal::Path)?;
    let (rest, wanted) = rest.rsplit_once('/').ok_or(Refusal::Path)?;
    let (repository, what) = rest.rsplit_once('/').ok_or(Refusal::Path)?;
    let repository = || decoded(repository).map_err(Refusal::Name);
    match what {
        "manifests" => Ok(Ask::Manifest {
            registry: query.and_then(namespace).transpose()?,
            repository: repository()?,
            wanted: decoded(wanted).map_err(Refusal::Wanted)?,
        }),
        "blobs" => {
            let _: Repository = repository()?;
            match decoded(wanted).map_err(Refusal::Wanted)? {
                Wanted::Digest(digest) => Ok(Ask::Blob(digest)),
                Wanted::Tag(_) => Err(Refusal::Wanted(ReferenceError::Digest(
                    super::super::digest::DigestError::Algorithm,
                ))),
            }
        }
        _ => Err(Refusal::Path),
    }
}

/// The registry that a query names as containerd does.
fn namespace(query: &str) -> Option<Result<Registry, Refusal>> {
    let mut pairs = query.split('&').filter_map(|it| it.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == "ns")?;
    Some(decoded(value).map_err(Refusal::Name))
}

/// Whatever a client has written with `%`; what is no text then is none of ours either.
fn decoded<T: FromStr<Err = ReferenceError>>(text: &str) -> Result<T, ReferenceError> {
    percent_decode_str(text).decode_utf8_lossy().parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn manifest(ns: Option<&str>, repository: &str, wanted: &str) -> Result<Ask, Refusal> {
        Ok(Ask::Manifest {
            registry: ns.map(|ns| ns.parse().unwrap()),
            repository: repository.parse().unwrap(),
            wanted: wanted.parse().unwrap(),
        })
    }

    #[test]
    fn the_paths_of_pulling_are_understood() {
        for welcome in ["/v2", "/v2/"] {
            assert_eq!(parse(welcome, None), Ok(Ask::Welcome));
        }
        let ns = Some("ns=registry.k8s.io");
        assert_eq!(
            parse("/v2/pause/manifests/3.10", ns),
            manifest(Some("registry.k8s.io"), "pause", "3.10")
        );
        assert_eq!(
            parse(
                "/v2/a/blobs/manifests/manifests/b",
                Some("x=y&ns=a.b%3A5000&ns=c.d")
            ),
            manifest(Some("a.b:5000"), "a/blobs/manifests", "b")
        );
        assert_eq!(
            parse(
                &format!("/v2/a/manifests/{}", DIGEST.replace(':', "%3a")),
                None
            ),
            manifest(None, "a", DIGEST)
        );
        assert_eq!(
            parse(&format!("/v2/a/b/blobs/{DIGEST}"), Some("ns")),
            Ok(Ask::Blob(Digest::of(b"")))
        );
    }

    #[test]
    fn everything_else_is_refused_with_the_reason() {
        for path in [
            "",
            "/",
            "/v1/",
            "/v2a",
            "/v2/a",
            "/v2/manifests/a",
            "/v2/a/tags/list",
            "/v2/_catalog",
            "/v2/a/blobs/uploads/",
            "/v2/a/manifests/b/c/d",
            "//v2/",
        ] {
            assert_eq!(parse(path, None), Err(Refusal::Path), "{path}");
        }
        let name = |path: &str, query| {
            let refused = parse(path, query);
            assert!(
                matches!(refused, Err(Refusal::Name(_))),
                "{path}: {refused:?}"
            );
        };
        for path in [
            "/v2//manifests/a",
            "/v2/../manifests/a",
            "/v2/a/../../b/manifests/a",
            "/v2/%2e%2e/manifests/a",
            "/v2/a%2f..%2fb/manifests/c",
            "/v2/A/manifests/b",
            "/v2/a%00/manifests/b",
            "/v2/a%ff/manifests/b",
            &format!("/v2/../blobs/{DIGEST}"),
        ] {
            name(path, None);
        }
        name("/v2/a/manifests/b", Some("ns="));
        name("/v2/a/manifests/b", Some("ns=a.b/c"));
        for path in [
            "/v2/a/manifests/",
            "/v2/a/manifests/..",
            "/v2/a/manifests/sha256:..",
            "/v2/a/blobs/b",
            "/v2/a/blobs/..%2f..%2fsecret",
            "/v2/a/blobs/sha256:..%2f..%2fsecret",
        ] {
            let refused = parse(path, None);
            assert!(
                matches!(refused, Err(Refusal::Wanted(_))),
                "{path}: {refused:?}"
            );
        }
    }
}
