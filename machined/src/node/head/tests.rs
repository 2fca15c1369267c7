//! Lives of a node one after the other, on the same folder of configs.

use std::path::Path;

use ::api::v1alpha1 as v1;
use pki::{Authority, CLIENT_LIFETIME, Names, Role};
use resources::runtime::Condition;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use store::Spec;
use tokio::sync::oneshot;

use super::*;
use crate::api::{Caller, Proof};
use crate::block::volume::Volumes;
use crate::config::{Disk, Generations, Moment};
use crate::kubernetes::etcd::bootstrap::Bootstrap;
use crate::kubernetes::kubelet::inhibit::Inhibitors;
use crate::node::departure::{Departures, Ending, Way};

mod departures;
mod disk;
mod modes;
mod storage;

const HOSTNAME: &str = "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: ";

/// One life: begins, carries out orders, and is killed.
struct Life {
    store: Store,
    storage: watch::Sender<Storage>,
    moment: watch::Sender<Moment>,
    end: watch::Sender<Option<End>>,
    head: Head,
}

impl Life {
    fn begin(folder: &Path, beginning: &Beginning) -> Self {
        let reason = "no disk".into();
        Self::begin_with(folder, Storage::Memory { reason }, beginning)
    }

    fn begin_with(memory: &Path, storage: Storage, beginning: &Beginning) -> Self {
        Self::begin_at(memory, storage, beginning, at("a boot", 0))
    }

    fn begin_at(memory: &Path, storage: Storage, beginning: &Beginning, moment: Moment) -> Self {
        let (store, end) = (Store::new(1), watch::Sender::new(None));
        let storage = watch::Sender::new(storage);
        let volumes = Volumes::new(memory, memory, memory);
        let kept = Configs::new(Generations::new(Disk::open(memory).unwrap()));
        let (moment, says) = watch::channel(moment);
        let clock = Clock::new(move || says.borrow().clone());
        let bootstrap = Bootstrap::new(memory.join("etcd"), 0);
        let departures = Departures::new(
            Way::new(memory.join("kubelet"), bootstrap, Inhibitors::default()),
            memory.join("departure.json"),
        );
        let mut head = Head::new(
            store.clone(),
            kept,
            storage.subscribe(),
            volumes,
            end.clone(),
            departures,
            clock,
        );
        head.load(beginning, Timestamp::now()).unwrap();
        Self {
            store,
            storage,
            end,
            moment,
            head,
        }
    }

    async fn told(&mut self, at: Storage) {
        self.storage.send_replace(at);
        self.head.settle().await;
    }

    async fn apply(&mut self, documents: &str) -> Result<v1::ApplyConfigResponse, Failure> {
        self.apply_as(&caller(None), documents).await
    }

    async fn apply_as(
        &mut self,
        caller: &Caller,
        documents: &str,
    ) -> Result<v1::ApplyConfigResponse, Failure> {
        let request = v1::ApplyConfigRequest {
            documents: documents.into(),
            ..Default::default()
        };
        self.head.apply(caller, request).await
    }

    /// Lets the orders run until `until` is done, and with it the time.
    async fn live(self, until: impl Future<Output = ()>) {
        let (_orders, received) = mpsc::channel(1);
        tokio::select! {
            () = self.head.run(received) => unreachable!("orders may still come"),
            () = until => {}
        }
    }

    fn generation(&self) -> Option<u64> {
        let snapshot = self.store.snapshot();
        let config =
            snapshot.get_as::<MachineConfig>(MachineConfig::DEFINITION.namespace, resource::ACTIVE);
        config.map(|typed| typed.spec.generation)
    }

    /// Why the config is not as it should be.
    fn trouble(&self) -> Option<String> {
        let snapshot = self.store.snapshot();
        let condition = snapshot.get_as::<Condition>(Condition::DEFINITION.namespace, CONFIG);
        let unmet = condition.filter(|typed| !typed.spec.met);
        unmet.map(|typed| typed.spec.message.clone())
    }
}

fn at(boot: &str, seconds: u64) -> Moment {
    Moment {
        boot: boot.to_owned(),
        since_boot: Duration::from_secs(seconds),
    }
}

fn caller(proof: Option<Proof>) -> Caller {
    Caller {
        subject: "test".into(),
        source: ([127, 0, 0, 1], 1).into(),
        proof,
    }
}

fn safe() -> Beginning {
    Beginning::Safe {
        last_end: "killed by signal 9".into(),
    }
}

fn waiting() -> Beginning {
    Beginning::Waiting {
        reason: "asked for".into(),
    }
}

#[tokio::test]
async fn a_config_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::begin(folder.path(), &Beginning::Usual);
    assert_eq!((life.generation(), life.trouble()), (None, None));
    let answer = life.apply(&format!("{HOSTNAME}a\n")).await.unwrap();
    assert_eq!(answer.generation, 1);
    assert_eq!(answer.changes, ["create Hostname"]);
    assert!(answer.warnings[0].contains("ApiTrust"), "{answer:?}");
    assert_eq!((life.generation(), life.trouble()), (Some(1), None));
    let next = Life::begin(folder.path(), &Beginning::Usual);
    assert_eq!((next.generation(), next.trouble()), (Some(1), None));
}

#[tokio::test]
async fn a_config_made_of_another_than_holds_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::begin(folder.path(), &Beginning::Usual);
    let request = |documents: &str, expected| v1::ApplyConfigRequest {
        documents: format!("{HOSTNAME}{documents}\n").into(),
        expected_generation: Some(expected),
        ..Default::default()
    };
    for (documents, expected, now) in [("a", 1, 0), ("a", 0, 1), ("b", 0, 1), ("b", 1, 2)] {
        let caller = caller(None);
        let applied = life.head.apply(&caller, request(documents, expected)).await;
        let generation = life.generation().unwrap_or(0);
        assert_eq!(generation, now, "{documents} after {expected}");
        match applied {
            Ok(answer) => assert_eq!(answer.generation, now),
            Err(refused) => {
                let said = format!("generation {expected}, and generation {now} holds");
                assert!(refused.to_string().contains(&said), "{refused}");
                assert_eq!(tonic::Status::from(refused).code(), tonic::Code::Aborted);
            }
        }
    }
    let dry = v1::ApplyConfigRequest {
        dry_run: true,
        ..request("c", 1)
    };
    life.head.apply(&caller(None), dry).await.unwrap_err();
}

#[tokio::test]
async fn maintenance_that_was_asked_for_ends_with_a_config() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::begin(folder.path(), &waiting());
    assert_eq!(life.trouble().as_deref(), Some("asked for"));
    life.apply(&format!("{HOSTNAME}a\n")).await.unwrap();
    let next = Life::begin(folder.path(), &waiting());
    assert_eq!((next.generation(), next.trouble()), (Some(1), None));
}

#[tokio::test]
async fn an_apply_in_safe_mode_ends_this_life_and_the_next_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::begin(folder.path(), &Beginning::Usual);
    life.apply(&format!("{HOSTNAME}bad\n")).await.unwrap();
    let mut life = Life::begin(folder.path(), &safe());
    assert_eq!(life.generation(), None);
    let trouble = life.trouble().unwrap();
    assert!(
        trouble.contains("safe mode") && trouble.contains("killed by signal 9"),
        "{trouble}"
    );
    assert_eq!(*life.end.borrow(), None);

    let refused = life.apply("nonsense").await.unwrap_err();
    assert_eq!(*life.end.borrow(), None, "{refused}");
    let answer = life.apply(&format!("{HOSTNAME}good\n")).await.unwrap();
    assert_eq!(answer.generation, 2);
    assert_eq!(*life.end.borrow(), Some(End::Daemon));
    assert_eq!(life.generation(), None, "it is for a life that is watched");
    let next = Life::begin(folder.path(), &Beginning::Usual);
    assert_eq!((next.generation(), next.trouble()), (Some(2), None));
}

#[tokio::test(start_paused = true)]
async fn safe_mode_goes_back_to_what_ran_well_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::begin(folder.path(), &Beginning::Usual);
    life.apply(&format!("{HOSTNAME}good\n")).await.unwrap();
    let proven = folder.path().join("proven");
    life.live(tokio::time::sleep(PROVEN_AFTER - Duration::from_secs(1)))
        .await;
    assert!(!proven.exists());

    let life = Life::begin(folder.path(), &Beginning::Usual);
    let noted = async {
        tokio::time::sleep(PROVEN_AFTER).await;
        while !proven.exists() {
            tokio::task::yield_now().await;
        }
    };
    life.live(noted).await;
    let mut life = Life::begin(folder.path(), &Beginning::Usual);
    life.apply(&format!("{HOSTNAME}bad\n")).await.unwrap();

    let life = Life::begin(folder.path(), &safe());
    assert_eq!(life.generation(), Some(1));
    assert!(
        life.trouble()
            .unwrap()
            .ends_with("running generation 1, which ran well before")
    );
    let life = Life::begin(folder.path(), &safe());
    assert_eq!(life.generation(), None, "it did not stay up either");
    // Out of safe mode by an apply of the same bad config, and back in.
    drop(Life::begin(folder.path(), &Beginning::Usual));
    assert_eq!(Life::begin(folder.path(), &safe()).generation(), Some(1));
}

fn with_trust(made: Timestamp) -> String {
    let authority = Authority::generate("garboard", made).unwrap();
    trusting(&authority, &[&authority])
}

/// Documents of a node whose certificates `issuer` makes, and that believes `trusted`.
fn trusting(issuer: &Authority, trusted: &[&Authority]) -> String {
    let pem = |authority: &&Authority| authority.identity().certificate_pem().to_owned();
    let ca: String = trusted.iter().map(pem).collect();
    let own = issuer.identity();
    let pair = ::config::KeyPair::from_pem(own.certificate_pem(), own.key_pem().expose()).unwrap();
    ::config::generate::control_plane(ca.parse().unwrap(), pair, None)
        .unwrap()
        .to_yaml()
        .unwrap()
}

#[tokio::test]
async fn nobody_is_locked_out_by_an_apply() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::begin(folder.path(), &Beginning::Usual);
    let ended = life
        .apply(&with_trust(Timestamp::UNIX_EPOCH))
        .await
        .unwrap_err();
    assert!(
        ended.to_string().contains("could not be reached"),
        "{ended}"
    );
    assert_eq!(life.generation(), None);
    life.apply(&with_trust(Timestamp::now())).await.unwrap();
    let without = life.apply(&format!("{HOSTNAME}a\n")).await.unwrap_err();
    assert!(without.to_string().contains("ApiTrust"), "{without}");
    assert_eq!(life.generation(), Some(1));
}

#[tokio::test]
async fn the_config_of_another_role_is_taken_by_force_only() {
    let now = Timestamp::now();
    let authority = Authority::generate("garboard", now).unwrap();
    let own = authority.issue_serving("w", &Names::loopback(), CLIENT_LIFETIME, now);
    let own = own.unwrap();
    let own = ::config::KeyPair::from_pem(own.certificate_pem(), own.key_pem().expose()).unwrap();
    let ca = authority.identity().certificate_pem().parse().unwrap();
    let worker = ::config::generate::worker(ca, Some(own), None).unwrap();
    let worker = worker.to_yaml().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::begin(folder.path(), &Beginning::Usual);
    let control_plane = trusting(&authority, &[&authority]);
    life.apply(&control_plane).await.unwrap();

    let refused = tonic::Status::from(life.apply(&worker).await.unwrap_err());
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    let said = refused.message();
    assert!(
        said.contains("a worker node, and this node is control-plane") && said.contains("--force"),
        "{said}"
    );
    assert_eq!(life.generation(), Some(1));
    let forced = v1::ApplyConfigRequest {
        documents: worker.into(),
        force: true,
        ..Default::default()
    };
    life.head.apply(&caller(None), forced).await.unwrap();
    let back = life.apply(&control_plane).await.unwrap_err().to_string();
    assert!(back.contains("the certificate it was given"), "{back}");
    assert_eq!(life.generation(), Some(2));
}

#[tokio::test]
async fn nobody_locks_himself_out_by_an_apply() {
    let now = Timestamp::now();
    let authority = || Authority::generate("garboard", now).unwrap();
    let (old, new) = (authority(), authority());
    let admin = |authority: &Authority| {
        let identity = authority
            .issue_client("test", Role::Admin.into(), CLIENT_LIFETIME, now)
            .unwrap();
        let own = CertificateDer::from_pem_slice(identity.certificate_pem().as_bytes()).unwrap();
        caller(Proof::of(&[own]).unwrap())
    };
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::begin(folder.path(), &Beginning::Usual);
    // Who paired shows no certificate, so any authority will do.
    life.apply(&trusting(&old, &[&old])).await.unwrap();

    let only_new = trusting(&new, &[&new]);
    let refused = life.apply_as(&admin(&old), &only_new).await.unwrap_err();
    let status = tonic::Status::from(refused);
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    assert!(
        status.message().contains("certificate of \"test\"")
            && status.message().contains("both authorities"),
        "{status}"
    );
    assert_eq!(life.generation(), Some(1));

    // The way out that the refusal names.
    let both = trusting(&new, &[&old, &new]);
    life.apply_as(&admin(&old), &both).await.unwrap();
    life.apply_as(&admin(&new), &only_new).await.unwrap();
    assert_eq!(life.generation(), Some(3));
}

#[tokio::test]
async fn who_hangs_up_does_not_stop_what_was_ordered() {
    let folder = tempfile::tempdir().unwrap();
    let life = Life::begin(folder.path(), &Beginning::Usual);
    let mut end = life.end.subscribe();
    let (orders, received) = mpsc::channel(1);
    let (answer, gone) = oneshot::channel();
    drop(gone);
    let order = Order::Depart {
        caller: caller(None),
        end: Ending::Reboot,
        drain: None,
        answer,
    };
    orders.send(order).await.unwrap();
    drop(orders);
    life.head.run(received).await;
    assert_eq!(*end.borrow_and_update(), Some(End::Machine(Down::Reboot)));
}
