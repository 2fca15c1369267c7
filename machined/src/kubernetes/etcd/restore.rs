//! The service that makes etcd's data of a snapshot, once. Pure.
//!
//! etcd's own etcdutl does it, into a folder beside the data: what it made becomes the data by a rename when it has ended
//! well. Every try has a folder and a service of its own, so that none is ever taken for another one.

use std::path::Path;

use resources::kubernetes::ImageSource;
use resources::runtime::{ServiceMount, ServiceRestart, ServiceSpec};

use super::data;
use super::service::Facts;
use crate::block::volume::apply::EPHEMERAL;
use crate::kubernetes::component::Component;
use crate::kubernetes::image;

/// How far revisions jump: more than a cluster can have written since the snapshot was taken, so that whoever remembers a revision
/// from after it does not take the new ones for known. The number is that of etcd's own documentation of disaster recovery.
const BUMP: u64 = 1_000_000_000;

/// How the ids begin of the services that try it.
const ID: &str = "etcd-restore-";

/// The id of the service that tries it for the nth time.
#[must_use]
pub fn id(attempt: u32) -> String {
    format!("{ID}{attempt}")
}

/// Whether a service of this id is one that tries it.
#[must_use]
pub fn is_one(id: &str) -> bool {
    id.starts_with(ID)
}

fn program(images: ImageSource) -> &'static str {
    match images {
        ImageSource::Bundle => "/usr/bin/etcdutl",
        ImageSource::Upstream => "/usr/local/bin/etcdutl",
    }
}

/// The service, of the snapshot with this mark. The new cluster is another one to etcd than any before, so that a member of one of
/// those is none of it.
#[must_use]
pub fn spec(facts: &Facts<'_>, mark: u64, attempt: u32) -> ServiceSpec {
    let folder = Path::new(data::FOLDER);
    let peer = facts.peer_url();
    let text = |path: &Path| path.display().to_string();
    let flags = [
        ("data-dir", text(&data::restored(folder, attempt))),
        ("name", facts.node.to_owned()),
        ("initial-cluster", format!("{}={peer}", facts.node)),
        ("initial-cluster-token", format!("recovered-{mark}")),
        ("initial-advertise-peer-urls", peer),
        ("bump-revision", BUMP.to_string()),
        ("mark-compacted", "true".to_owned()),
    ];
    let mut args = vec![
        "snapshot".to_owned(),
        "restore".to_owned(),
        text(&folder.join(data::SNAPSHOT)),
    ];
    args.extend(crate::kubernetes::flags::arguments(&flags));
    let uid = Component::Etcd.uid();
    ServiceSpec {
        image: image::reference(Component::Etcd, "", facts.images),
        program: program(facts.images).to_owned(),
        args,
        uid,
        gid: uid,
        mounts: vec![ServiceMount {
            source: data::FOLDER.to_owned(),
            target: data::FOLDER.to_owned(),
            ..ServiceMount::default()
        }],
        conditions: vec![EPHEMERAL.to_owned()],
        restart: ServiceRestart::Never,
        ..ServiceSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use resources::kubernetes::EtcdSpec;

    use super::*;

    #[test]
    fn each_try_is_another_cluster_in_another_folder() {
        let facts = Facts {
            node: "cp-1",
            address: "10.0.0.1".parse().unwrap(),
            images: ImageSource::Bundle,
            wanted: &EtcdSpec::default(),
            inputs: "",
            joined: None,
        };
        let (one, two) = (spec(&facts, 7, 1), spec(&facts, 8, 2));
        let has = |spec: &ServiceSpec, arg: &str| spec.args.iter().any(|it| it == arg);
        assert!(
            has(&one, "--data-dir=/var/lib/etcd/restored-1"),
            "{:?}",
            one.args
        );
        assert!(has(&one, "--initial-cluster-token=recovered-7"));
        assert!(has(&two, "--data-dir=/var/lib/etcd/restored-2"));
        assert!(has(&two, "--initial-cluster-token=recovered-8"));
        assert!(has(&one, "/var/lib/etcd/recover.db"));
        assert_ne!(id(1), id(2));
        assert!(is_one(&id(1)) && !is_one(Component::Etcd.name()));
        assert_ne!(one.uid, 0);
    }
}
