//! No key of the cluster is on a worker's disk: the whole of it is searched, in every form in which a key is written.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use aho_corasick::AhoCorasick;
use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;
use nix::unistd::{Whence, lseek};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::machines::{CLUSTER, Machines, PLANE, WORKER};

/// The disk of a machine that is its own: after the root, before the images.
const OWN: usize = 1;

/// So much is read at once, and so much of it again, that nothing is missed between.
const PART: u64 = 16 << 20;
const AGAIN: u64 = 4096;

/// What a secret is called, and how it is written.
struct Secret {
    name: String,
    forms: Vec<Vec<u8>>,
}

/// The worker's disk has none; the control plane's has all, and the worker's the token that it joined with: a search that found nothing
/// anywhere would prove nothing.
pub(crate) fn stay_where_they_belong(machines: &Machines<'_>) -> Result<()> {
    let cluster = machines.lab.clusters().open(&CLUSTER.parse()?)?;
    let file = cluster.folder().join("secrets.yaml");
    let text = std::fs::read_to_string(file).context("reading the secrets")?;
    let secrets = secrets(&text)?;
    let names: Vec<_> = secrets.iter().map(|it| it.name.as_str()).collect();
    ensure!(
        names.len() > 6 && names.contains(&TOKEN),
        "the secrets have {names:?}"
    );
    let on = |node: &str| -> Result<Vec<&str>> {
        let disk = machines.node(node)?.disk_file(OWN)?;
        let found = found(&disk, &secrets);
        found.with_context(|| format!("searching {}", disk.display()))
    };
    let plane = on(PLANE)?;
    ensure!(plane == names, "{PLANE} has {plane:?} of {names:?}");
    let worker = on(WORKER)?;
    ensure!(worker == [TOKEN], "{WORKER} has {worker:?}");
    Ok(())
}

/// What a worker does have.
const TOKEN: &str = "joinToken";

/// Every secret in the file that `osctl gen secrets` writes: private keys in PEM, and what is base64 of random bytes.
fn secrets(text: &str) -> Result<Vec<Secret>> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim).enumerate();
    while let Some((number, line)) = lines.next() {
        if line == "-----BEGIN PRIVATE KEY-----" {
            let body = lines.by_ref().map(|(_, it)| it);
            let body = body.take_while(|it| !it.starts_with("-----END"));
            let name = format!("the private key in line {}", number + 1);
            found.push(private_key(name, &body.collect::<Vec<_>>())?);
        }
        let random = ["encryptionKey", TOKEN].into_iter().find_map(|name| {
            let value = line.strip_prefix(name)?.strip_prefix(": ")?;
            Some((name.to_owned(), value))
        });
        if let Some((name, value)) = random {
            let forms = vec![value.as_bytes().to_vec(), decoded(value)?];
            found.push(Secret { name, forms });
        }
    }
    Ok(found)
}

/// A private key of P-256 in PKCS #8: the number alone, as DER has it, and the lines of PEM that have a part of it (the last is of
/// the public key, which is no secret).
fn private_key(name: String, lines: &[&str]) -> Result<Secret> {
    /// What stands before the number: an octet string of 32 bytes (RFC 5915).
    const BEFORE: [u8; 2] = [0x04, 0x20];
    let der = decoded(&lines.concat())?;
    let at = der.windows(BEFORE.len()).position(|it| it == BEFORE);
    let number = at.and_then(|at| der.get(at + BEFORE.len()..)?.get(..32));
    let number = number.with_context(|| format!("{name} has no number"))?;
    let lines = lines.iter().take(2).map(|it| it.as_bytes().to_vec());
    Ok(Secret {
        name,
        forms: lines.chain([number.to_vec()]).collect(),
    })
}

/// The bytes that a text in base64 means.
fn decoded(text: &str) -> Result<Vec<u8>> {
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    // What is in it is not looked at.
    let read = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes());
    let bytes = read.context("a secret is no base64")?;
    Ok(bytes.secret_pkcs8_der().to_vec())
}

/// The names of those secrets that are in a file, in their order. Holes in it are passed over.
fn found<'a>(path: &std::path::Path, secrets: &'a [Secret]) -> Result<Vec<&'a str>> {
    let forms = secrets.iter().flat_map(|it| &it.forms);
    let search = AhoCorasick::new(forms)?;
    let owners = secrets.iter().enumerate();
    let owners: Vec<_> = owners
        .flat_map(|(number, it)| it.forms.iter().map(move |_| number))
        .collect();
    let mut seen = vec![false; secrets.len()];
    let file = File::open(path)?;
    let mut at = 0;
    while let Some((begin, end)) = data(&file, at)? {
        let mut part = begin;
        while part < end {
            let length = (end - part).min(PART + AGAIN);
            let mut bytes = vec![0; usize::try_from(length)?];
            file.read_exact_at(&mut bytes, part)?;
            for hit in search.find_overlapping_iter(&bytes) {
                let owner = owners.get(hit.pattern().as_usize());
                let owner = owner.and_then(|it| seen.get_mut(*it));
                *owner.context("a hit is of a secret")? = true;
            }
            part += PART;
        }
        at = end;
    }
    let hits = secrets.iter().zip(seen).filter(|(_, seen)| *seen);
    Ok(hits.map(|(it, _)| it.name.as_str()).collect())
}

/// The next part of a file that is no hole, from here on.
fn data(file: &File, at: u64) -> Result<Option<(u64, u64)>> {
    let at = i64::try_from(at)?;
    let begin = match lseek(file, at, Whence::SeekData) {
        Err(Errno::ENXIO) => return Ok(None),
        begin => begin?,
    };
    let end = lseek(file, begin, Whence::SeekHole)?;
    Ok(Some((begin.try_into()?, end.try_into()?)))
}
