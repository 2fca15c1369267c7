//! The bill of materials: what an image or the bundle was made from, as SPDX 2.3.
//!
//! Lists the locked packages whose bytes are in it (kernel, stub, loader, the programs for ext4 and crun with their
//! libraries, the libc in our binaries), the crates that were linked, and the modules of Go programs. Programs that only
//! helped to build are in the lock, not here.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::certificates;
use crate::date;
use crate::lock::{Lock, Package};
use crate::profile::Profile;

/// Packages of the toolchain whose code is linked into our binaries.
const LINKED: &[&str] = &["libc6-dev", "libgcc-14-dev"];

/// Name of the file.
pub const NAME: &str = "sbom.spdx.json";

/// What the document is about.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Its name.
    pub name: &'a str,
    /// Version of the product.
    pub version: &'a str,
    /// Build time, seconds since 1970.
    pub epoch: u64,
    /// A hash that tells it from all others: an image's is that of its root.
    pub identity: &'a str,
}

/// What it holds.
#[derive(Debug)]
pub struct Contents<'a> {
    /// Packages whose bytes are in it.
    pub packages: Vec<(&'a str, &'a Package)>,
    /// The crates in our programs: what `cargo tree --prefix none --format '{p}|{l}'` prints.
    pub crates: &'a str,
    /// The modules in Go programs, by path and version.
    pub modules: BTreeSet<(String, String)>,
}

/// A crate that was linked: name, version, licence.
type Crate<'a> = (&'a str, &'a str, &'a str);

/// The packages whose bytes are in an image.
///
/// # Errors
/// When the lock lacks a set.
pub fn packages(lock: &Lock, profile: Profile) -> Result<Vec<(&str, &Package)>> {
    let mut packages = vec![lock.only(profile.kernel_set())?, lock.only("stub")?];
    packages.extend(lock.set("bios")?);
    packages.extend(lock.set("ext4")?);
    packages.extend(lock.set("runtime")?);
    packages.extend(lock.set(certificates::SET)?);
    if profile.has_firmware() {
        packages.extend(lock.set("firmware")?);
        packages.extend(lock.set("microcode")?);
    }
    Ok(packages)
}

/// Makes the document.
///
/// # Errors
/// When the lock lacks a set or a line about crates has another form.
pub fn document(lock: &Lock, subject: &Subject<'_>, contents: &Contents<'_>) -> Result<Value> {
    let image = "SPDXRef-Image";
    let mut packages = vec![json!({
        "SPDXID": image,
        "name": format!("garboard-{}", subject.name),
        "versionInfo": subject.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseDeclared": "Apache-2.0",
    })];
    let mut relations = vec![relation("SPDXRef-DOCUMENT", "DESCRIBES", image)];
    for (name, package) in &contents.packages {
        packages.push(debian(lock, name, package));
        relations.push(relation(image, "CONTAINS", &id("deb", name)));
    }
    for (name, package) in lock
        .set("toolchain")?
        .into_iter()
        .filter(|(n, _)| LINKED.contains(n))
    {
        packages.push(debian(lock, name, package));
        relations.push(relation(image, "STATIC_LINK", &id("deb", name)));
    }
    for (path, version) in &contents.modules {
        packages.push(module(path, version));
        relations.push(relation(image, "STATIC_LINK", &module_id(path, version)));
    }
    for linked in parse_crates(contents.crates)? {
        packages.push(rust(linked));
        relations.push(relation(
            image,
            "STATIC_LINK",
            &id("cargo", &format!("{}-{}", linked.0, linked.1)),
        ));
    }
    Ok(json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("garboard-{}-{}", subject.name, subject.version),
        "documentNamespace": format!("urn:garboard:sbom:{}:{}", subject.name, subject.identity),
        "creationInfo": {
            "created": date::iso(subject.epoch),
            "creators": [format!("Tool: garboard-image-{}", env!("CARGO_PKG_VERSION"))],
        },
        "packages": packages,
        "relationships": relations,
    }))
}

fn debian(lock: &Lock, name: &str, package: &Package) -> Value {
    let version = package.version.replace('+', "%2B").replace(':', "%3A");
    json!({
        "SPDXID": id("deb", name),
        "name": name,
        "versionInfo": package.version,
        "sourceInfo": format!("Debian source package {}, {}, snapshot {}", package.source, lock.suite, lock.snapshot),
        "downloadLocation": "NOASSERTION",
        "packageFileName": package.path,
        "filesAnalyzed": false,
        "licenseDeclared": "NOASSERTION",
        "checksums": [{ "algorithm": "SHA256", "checksumValue": package.sha256 }],
        "externalRefs": [purl(&format!("pkg:deb/debian/{}@{version}?arch={}", name.replace('+', "%2B"), lock.arch))],
    })
}

fn rust((name, version, licence): Crate<'_>) -> Value {
    let licence = if licence.is_empty() {
        "NOASSERTION"
    } else {
        licence
    };
    json!({
        "SPDXID": id("cargo", &format!("{name}-{version}")),
        "name": name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseDeclared": licence.replace('/', " OR "),
        "externalRefs": [purl(&format!("pkg:cargo/{name}@{}", version.replace('+', "%2B")))],
    })
}

fn module(path: &str, version: &str) -> Value {
    json!({
        "SPDXID": module_id(path, version),
        "name": path,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseDeclared": "NOASSERTION",
        "externalRefs": [purl(&format!("pkg:golang/{path}@{}", version.replace('+', "%2B")))],
    })
}

fn module_id(path: &str, version: &str) -> String {
    id("golang", &format!("{path}-{version}"))
}

fn purl(locator: &str) -> Value {
    json!({
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": locator,
    })
}

fn relation(from: &str, kind: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to })
}

/// An identifier may hold letters, digits, dots and dashes.
fn id(kind: &str, name: &str) -> String {
    let clean: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        })
        .collect();
    format!("SPDXRef-{kind}-{clean}")
}

/// Lines such as `tokio v1.54.1 (/a/path) (*)|MIT`, in any order and more than once.
fn parse_crates(text: &str) -> Result<Vec<Crate<'_>>> {
    let mut crates = Vec::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let (package, licence) = line.split_once('|').unwrap_or((line, ""));
        let licence = licence.trim_end_matches(" (*)").trim();
        let mut words = package.split_whitespace();
        let name = words.next().unwrap_or_default();
        let version = words
            .next()
            .and_then(|v| v.strip_prefix('v'))
            .with_context(|| format!("not a line of `cargo tree`: {line:?}"))?;
        ensure!(!name.is_empty(), "not a line of `cargo tree`: {line:?}");
        crates.push((name, version, licence));
    }
    crates.sort_unstable();
    crates.dedup();
    Ok(crates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_names_kernel_loader_libc_and_crates() {
        let lock = Lock::load(None).unwrap();
        let subject = Subject {
            name: "cloud",
            version: "1.2.3",
            epoch: 0,
            identity: "ab",
        };
        let crates =
            "tokio v1.54.1|MIT\nown v0.1.0 (/a/secret/path)|Apache-2.0\ntokio v1.54.1|MIT (*)\n";
        let module = |path: &str| (path.to_owned(), "v2.0.0+incompatible".to_owned());
        let contents = Contents {
            packages: packages(&lock, Profile::Cloud).unwrap(),
            crates,
            modules: BTreeSet::from([module("a.example/m")]),
        };
        let document = document(&lock, &subject, &contents).unwrap();
        let text = document.to_string();
        for wanted in [
            "-cloud-amd64",
            "pkg:deb/debian/isolinux@",
            "pkg:deb/debian/e2fsprogs@",
            "pkg:deb/debian/crun@",
            "pkg:deb/debian/nftables@",
            "libc6-dev",
            "pkg:cargo/tokio@1.54.1",
            "pkg:golang/a.example/m@v2.0.0%2Bincompatible",
            "1970-01-01T00:00:00Z",
        ] {
            assert!(text.contains(wanted), "{wanted}");
        }
        assert!(
            !text.contains("secret"),
            "a path of the host is in the document"
        );
        let packages = document["packages"].as_array().unwrap();
        assert_eq!(packages.len(), 1 + 2 + 2 + 6 + 17 + 2 + 2 + 1);
        // Every relation points to something that is there, once.
        let ids: Vec<&str> = packages
            .iter()
            .map(|p| p["SPDXID"].as_str().unwrap())
            .collect();
        for relation in document["relationships"].as_array().unwrap() {
            let to = relation["relatedSpdxElement"].as_str().unwrap();
            assert_eq!(ids.iter().filter(|id| **id == to).count(), 1, "{to}");
        }
    }

    #[test]
    fn other_text_is_not_taken_for_crates() {
        assert!(parse_crates("error: no such package").is_err());
    }
}
