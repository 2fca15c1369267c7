//! The snapshots that a node keeps, as callers get them.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use ::api::v1alpha1 as v1;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use resources::kubernetes::{ETCD, EtcdSnapshot, EtcdSpec};
use store::{Snapshot, Spec as _};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tonic::Status;

use super::shelf::{Name, Shelf};
use crate::kubernetes::etcd::access::AccessError;

/// The sum behind the data.
const SUM: u64 = 32;

/// How many parts wait for the line: enough to keep both sides busy.
const WAITING: usize = 4;

type Part = Result<v1::EtcdSnapshotResponse, Status>;

/// Those that are known, in the order they were taken in.
///
/// # Errors
/// The node is none of a control plane.
pub(crate) fn list(snapshot: &Snapshot) -> Result<Vec<v1::EtcdKeptSnapshot>, Status> {
    let spec = snapshot.get_as::<EtcdSpec>(EtcdSpec::DEFINITION.namespace, ETCD);
    if spec.is_none() {
        return Err(Status::not_found(cosi::report(&AccessError::None)));
    }
    let rows = snapshot.list_as::<EtcdSnapshot>(EtcdSnapshot::DEFINITION.namespace);
    let mut all: Vec<_> = rows
        .filter_map(|row| {
            let name: Name = row.metadata.id.parse().ok()?;
            let spec = &row.spec;
            let shown = v1::EtcdKeptSnapshot {
                name: name.to_string(),
                taken: spec.taken.clone(),
                size: spec.bytes,
                revision: spec.revision,
                version: spec.version.clone(),
                sha256: spec.sha256.clone(),
                problem: spec.problem.clone(),
            };
            Some((name, shown))
        })
        .collect();
    all.sort_by_key(|(name, _)| *name);
    Ok(all.into_iter().map(|(_, shown)| shown).collect())
}

/// Sends one, its sum behind it; whoever gets it checks that.
///
/// # Errors
/// There is none of that name, or it cannot be read.
pub(crate) async fn send(folder: PathBuf, name: &str) -> Result<BoxStream<'static, Part>, Status> {
    let name: Name = name
        .parse()
        .map_err(|error| Status::not_found(cosi::report(&error)))?;
    let path = Shelf::new(folder).path(name);
    let opened = spawn_blocking(move || -> io::Result<(File, u64)> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    });
    let opened = opened
        .await
        .map_err(|error| Status::internal(format!("a thread to read with: {error}")))?;
    let (file, length) = opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Status::not_found(format!(
            "this node keeps no snapshot {name}; `osctl etcd snapshots` lists them, of each node its own"
        )),
        _ => unread(name, &error),
    })?;
    let (sender, receiver) = mpsc::channel(WAITING);
    // It ends with the file, or when nobody takes any more.
    drop(spawn_blocking(move || {
        if let Err(error) = read(file, length, &sender) {
            drop(sender.blocking_send(Err(unread(name, &error))));
        }
    }));
    let parts = stream::unfold(receiver, |mut receiver| async {
        let part = receiver.recv().await?;
        Some((part, receiver))
    });
    Ok(parts.boxed())
}

fn unread(name: Name, error: &io::Error) -> Status {
    Status::internal(format!("reading the snapshot {name}: {error}"))
}

fn read(mut file: File, length: u64, sender: &mpsc::Sender<Part>) -> io::Result<()> {
    let mut sent = 0_u64;
    loop {
        let mut data = vec![0; ::api::MAX_CHUNK];
        let count = file.read(&mut data)?;
        data.truncate(count);
        sent = sent.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        let part = v1::EtcdSnapshotResponse {
            data,
            remaining: length.saturating_sub(SUM).saturating_sub(sent),
        };
        if count == 0 || sender.blocking_send(Ok(part)).is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use store::{Resource, Store, Transaction};

    use super::*;

    #[test]
    fn the_newest_is_the_last_whatever_the_clock_was() {
        let store = Store::new(1);
        let refused = list(&store.snapshot()).unwrap_err();
        assert_eq!(refused.code(), tonic::Code::NotFound);
        let spec = Resource::in_default(ETCD, EtcdSpec::default());
        let made = Transaction::owned("test").create(spec);
        store.commit(made, Timestamp::UNIX_EPOCH).unwrap();
        for name in [
            "000002-20260101T000000Z",
            "000010-20200101T000000Z",
            "000001-20270101T000000Z",
        ] {
            let row = Resource::in_default(name, EtcdSnapshot::default());
            let made = Transaction::owned("test").create(row);
            store.commit(made, Timestamp::UNIX_EPOCH).unwrap();
        }
        let names: Vec<_> = list(&store.snapshot())
            .unwrap()
            .into_iter()
            .map(|it| it.name)
            .collect();
        assert_eq!(
            names,
            [
                "000001-20270101T000000Z",
                "000002-20260101T000000Z",
                "000010-20200101T000000Z"
            ]
        );
    }

    #[tokio::test]
    async fn all_of_it_is_sent_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let name = "000002-20260101T000000Z";
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|it| it.to_le_bytes()[1]).collect();
        std::fs::write(folder.path().join(name), &bytes).unwrap();
        std::fs::write(folder.path().join("secret"), "x").unwrap();
        let parts = send(folder.path().into(), name).await.unwrap();
        let parts: Vec<_> = parts.collect().await;
        let parts: Vec<_> = parts.into_iter().map(Result::unwrap).collect();
        assert_eq!(parts.last().unwrap().remaining, 0);
        let sent: Vec<u8> = parts.into_iter().flat_map(|it| it.data).collect();
        assert!(sent == bytes);
        for name in ["secret", "../secret", "000003-20260101T000000Z", ""] {
            let refused = send(folder.path().into(), name).await.err().unwrap();
            assert_eq!(refused.code(), tonic::Code::NotFound, "{name}");
        }
    }
}
