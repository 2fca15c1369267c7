//! `osctl etcd snapshot`: a copy of all that etcd keeps.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use api::v1alpha1 as v1;
use etcd::{CHECKSUM, Check, NoSnapshot};
use serde::Serialize;
use tonic::Streaming;

use super::client;
use super::snapshots::ToFile;
use crate::exit::interruptible;
use crate::files::{Existing, Half};
use crate::fleet::Session;
use crate::output::{self, Format, size};
use crate::progress::Progress;

/// Which one.
#[derive(Debug)]
pub(super) enum Source {
    /// Of all as of now, which any member has.
    Now,
    /// One that the node keeps, by its name.
    Kept(String),
}

/// What was written.
#[derive(Serialize)]
struct Written<'a> {
    node: &'a str,
    file: String,
    bytes: u64,
}

/// Takes one, of whichever node answers first.
pub(super) async fn run(
    session: &Session,
    source: &Source,
    into: &ToFile,
    format: Format,
) -> Result<()> {
    let existing = match into.force {
        true => Existing::Replace,
        false => Existing::Keep,
    };
    let kept = match source {
        Source::Now => "",
        Source::Kept(name) => name,
    };
    let begin = |channel| async move {
        let request = v1::EtcdSnapshotRequest {
            kept: kept.to_owned(),
        };
        let mut parts = client(channel).snapshot(request).await?.into_inner();
        // A member that cannot says so with the first part.
        let first = parts.message().await?;
        Ok((first, parts))
    };
    let taken = async {
        // Before anything is asked of a node.
        let half = Half::begin(&into.file, existing)?;
        let (node, (first, parts)) = session.any(begin).await?;
        let bytes = take(session, &node, first, parts, half).await;
        Ok((node.clone(), bytes.context(node)?))
    };
    let (node, bytes) = interruptible(|| "no snapshot was kept".to_owned(), taken).await?;
    let written = Written {
        node: &node,
        file: into.file.display().to_string(),
        bytes,
    };
    if format != Format::Table {
        return output::value(format, &written);
    }
    output::line(&format!(
        "{}: snapshot of {} from {node}",
        written.file,
        size(bytes)
    ))
}

/// Writes what comes, checks it, and gives it its name; how long it is.
async fn take(
    session: &Session,
    node: &str,
    first: Option<v1::EtcdSnapshotResponse>,
    mut parts: Streaming<v1::EtcdSnapshotResponse>,
    mut half: Half,
) -> Result<u64> {
    let progress = Progress::new();
    let mut check = Check::default();
    let mut part = first;
    while let Some(v1::EtcdSnapshotResponse { data, remaining }) = part {
        check.take(&data)?;
        half.write(&data)?;
        let so_far = check.length();
        progress.tell(format!(
            "{node}: {} of {}",
            size(so_far),
            size(so_far + remaining + if remaining > 0 { CHECKSUM } else { 0 })
        ));
        part = session.within(parts.message()).await?;
    }
    if check.length() == 0 {
        bail!("the node sent nothing");
    }
    let bytes = check.end().context("what came in")?;
    half.finish()?;
    Ok(bytes)
}

/// Reads a snapshot from a file; fails when it is none.
pub(crate) fn checked(path: &Path) -> Result<u64> {
    let failed = || format!("reading {}", path.display());
    let mut file = File::open(path).with_context(failed)?;
    if !file.metadata().with_context(failed)?.is_file() {
        bail!("{} is no file", path.display());
    }
    let mut check = Check::default();
    let mut buffer = vec![0; api::MAX_CHUNK];
    loop {
        let count = file.read(&mut buffer).with_context(failed)?;
        if count == 0 {
            break;
        }
        let bytes = buffer.get(..count).unwrap_or_default();
        check
            .take(bytes)
            .map_err(|error| no_snapshot(path, error))?;
    }
    check.end().map_err(|error| no_snapshot(path, error))
}

/// What is wrong with a file that somebody named.
fn no_snapshot(path: &Path, error: NoSnapshot) -> anyhow::Error {
    let way_out = match error {
        NoSnapshot::Strange => "; `osctl etcd snapshot` makes one",
        _ => "",
    };
    anyhow!("{}: {error}{way_out}", path.display())
}
