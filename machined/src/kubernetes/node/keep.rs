//! Keeps on the own node what the config says of it, and takes back a cordon of its own once it can have pods again.

use std::time::Duration;

use ::config::KubernetesTrustConfig;
use http::Method;
use jiff::Timestamp;
use resources::kubernetes::KubeletSpec;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use super::ask::{AskError, Asker};
use super::cordon;
use super::known::{Known, Own};
use super::owned::{self, Plan};
use crate::kubernetes::admin::Admins;

/// After so long a change that was refused is tried once more: whoever refused it may have been told otherwise.
const REFUSED: Duration = Duration::from_secs(300);

/// What the node should have.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wanted {
    /// By the config.
    pub(super) node: KubeletSpec,
    /// What makes administrators, on nodes of the control plane.
    pub(super) plane: Option<KubernetesTrustConfig>,
    /// The boot in which it stays a node that has pods; none while it is about to end.
    pub(super) stays: Option<String>,
}

/// Does so until it is cancelled, which it may be at any moment: a change is one request.
pub(super) async fn keep(
    asker: Asker,
    admins: Admins,
    own: String,
    wanted: watch::Receiver<Wanted>,
    known: watch::Sender<Known>,
) {
    let keeper = Keeper { asker, admins, own };
    let mut seen = known.subscribe();
    let mut wanted = wanted;
    loop {
        let what = wanted.borrow_and_update().clone();
        let node = seen.borrow_and_update().own.clone();
        let (mut again, mut unmet) = (None, None);
        if let Some(node) = &node {
            let plan = owned::plan(node, &keeper.own, &what.node, what.plane.is_some());
            let done = keeper.bring(node, &plan, &what).await;
            again = done.as_ref().err().map(|it| keeper.pause(it));
            unmet = done.err().map(|it| cosi::report(&it)).or(plan.left);
        }
        known.send_if_modified(|known| {
            let news = known.unmet != unmet;
            known.unmet = unmet;
            news
        });
        // What was refused for an object is not tried again for the same one, however often that is told.
        let of = |own: &Own| (own.object.clone(), own.ready.clone());
        let before = node.as_ref().map(of);
        let other = seen.wait_for(|it| it.own.as_ref().map(of) != before);
        let changed = async {
            tokio::select! {
                other = other => other.map(drop).is_ok(),
                wanted = wanted.changed() => wanted.is_ok(),
            }
        };
        let going_on = match again {
            Some(again) => timeout(again, changed).await.unwrap_or(true),
            None => changed.await,
        };
        if !going_on {
            return;
        }
    }
}

struct Keeper {
    asker: Asker,
    admins: Admins,
    own: String,
}

impl Keeper {
    /// Makes the node what it should be. What is changed first makes another version of it, so that the cordon may be seen to when
    /// that is told.
    async fn bring(&self, node: &Own, plan: &Plan, what: &Wanted) -> Result<(), AskError> {
        let plane = what.plane.as_ref();
        if let Some(patch) = &plan.patch {
            self.send(patch, plane).await?;
            tracing::info!(node = self.own, "labels, annotations or taints changed");
        }
        // What is said of the boot before counts for nothing: the kubelet has yet to come up.
        if what.stays.is_none() || node.ready != what.stays {
            return Ok(());
        }
        if let Some(patch) = cordon::take_back(&node.object, &node.version) {
            self.send(&patch, plane).await?;
            tracing::info!(node = self.own, "own cordon taken back");
        }
        Ok(())
    }

    async fn send(
        &self,
        patch: &Value,
        plane: Option<&KubernetesTrustConfig>,
    ) -> Result<(), AskError> {
        // Kubelets may not change everything of their nodes, and audit records know the administrator as the node.
        let client = match plane {
            Some(_) => {
                let client = self.admins.client(plane, &self.own, Timestamp::now());
                client.map_err(AskError::Admin)?
            }
            None => self.asker.kubelet().await?,
        };
        let path = format!("/api/v1/nodes/{}", self.own);
        let merge = "application/merge-patch+json";
        client
            .send(Method::PATCH, &path, merge, Some(patch))
            .await?;
        Ok(())
    }

    /// How long after this the same is tried again.
    fn pause(&self, error: &AskError) -> Duration {
        match error {
            AskError::Client(error) if error.is_refusal() => REFUSED,
            _ => self.asker.again,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tokio::task::JoinSet;

    use super::*;
    use crate::kubernetes::client::fake::{Answer, serve};

    #[tokio::test]
    async fn a_refused_change_says_why_and_waits_for_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let server = serve(folder.path(), move |request| {
            heard.lock().unwrap().push(request.object.clone());
            match request.object.pointer("/metadata/labels/bad") {
                Some(_) => Answer::refused(403, "bad is not allowed"),
                None => Answer::of(json!({})),
            }
        })
        .await;
        let asker = Asker::of(folder.path().to_owned(), server.address);
        let with = |label: &str| Wanted {
            node: KubeletSpec {
                labels: vec![label.to_owned()],
                ..KubeletSpec::default()
            },
            ..Wanted::default()
        };
        let (order, wanted) = watch::channel(with("bad=1"));
        let known = watch::Sender::new(Known {
            own: Some(Own::default()),
            ..Known::default()
        });
        let mut seen = known.subscribe();
        let mut tasks = JoinSet::new();
        let admins = Admins::default();
        tasks.spawn(keep(asker, admins, "b".to_owned(), wanted, known.clone()));
        let refused = seen
            .wait_for(|it| it.unmet.is_some())
            .await
            .unwrap()
            .clone();
        let refused = refused.unmet.unwrap();
        assert!(refused.contains("bad is not allowed"), "{refused}");
        // What others do is no reason to ask again.
        known.send_modify(|it| drop(it.nodes.insert("a".to_owned(), Default::default())));
        order.send_replace(with("good=1"));
        seen.wait_for(|it| it.unmet.is_none()).await.unwrap();
        let asked = asked.lock().unwrap();
        let labels: Vec<&Value> = asked.iter().map(|it| &it["metadata"]["labels"]).collect();
        assert_eq!(labels, [&json!({"bad": "1"}), &json!({"good": "1"})]);
    }

    /// A node as the server has it, with a cordon of ours.
    fn cordoned(ready: &str) -> Own {
        Own {
            object: json!({
                "metadata": {"annotations": {(cordon::CORDONED): "me", (owned::MEMORY): "{}"}},
                "spec": {"unschedulable": true},
            }),
            version: "7".to_owned(),
            ready: Some(ready.to_owned()),
        }
    }

    #[tokio::test]
    async fn an_own_cordon_is_taken_back_when_the_node_is_ready_after_its_boot() {
        let folder = tempfile::tempdir().unwrap();
        let (heard, mut patches) = tokio::sync::mpsc::unbounded_channel();
        let server = serve(folder.path(), move |request| {
            heard.send(request.object).unwrap();
            Answer::of(json!({}))
        })
        .await;
        let asker = Asker::of(folder.path().to_owned(), server.address);
        let (order, wanted) = watch::channel(Wanted::default());
        let known = watch::Sender::new(Known {
            own: Some(cordoned("one")),
            ..Known::default()
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(keep(
            asker,
            Admins::default(),
            "b".to_owned(),
            wanted,
            known.clone(),
        ));
        // About to end, then on its next boot, of which nothing has been told yet.
        order.send_replace(Wanted {
            stays: Some("two".to_owned()),
            ..Wanted::default()
        });
        // A change of labels is seen to meanwhile, which shows that the cordon was looked at and left.
        order.send_modify(|it| it.node.labels = vec!["a=1".to_owned()]);
        let patch = patches.recv().await.unwrap();
        assert_eq!(patch["metadata"]["labels"]["a"], "1");
        let ready = |own: &mut Own| own.ready = Some("two".to_owned());
        order.send_modify(|it| it.node.labels.clear());
        known.send_modify(|it| it.own.as_mut().map(ready).unwrap());
        let patch = loop {
            let patch = patches.recv().await.unwrap();
            if patch.get("spec").is_some() {
                break patch;
            }
        };
        assert!(patch["spec"]["unschedulable"].is_null(), "{patch}");
        assert!(patch["metadata"]["annotations"][cordon::CORDONED].is_null());
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
    }
}
