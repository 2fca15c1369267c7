//! Against a server that knows a node and some pods.

use std::future::pending;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::*;
use crate::kubernetes::client::fake::{Answer, Asked, Fake, serve};

const NODE: &str = "/api/v1/nodes/w-1";
const ME: Leaving<'static> = Leaving {
    node: "w-1",
    by: "me",
};

/// What the server knows, and was asked to change.
#[derive(Debug, Default)]
struct Cluster {
    /// The own node; null when there is none.
    node: Value,
    /// The names of pods of somebody's, of which some were asked to end.
    pods: Vec<(String, bool)>,
    /// The pod that a budget keeps.
    kept: Option<String>,
    evicted: Vec<Value>,
    patches: Vec<Value>,
    /// Answers to patches before one is taken.
    conflicts: u32,
}

impl Cluster {
    fn of(pods: &[&str]) -> Self {
        Self {
            node: json!({"metadata": {"resourceVersion": "7"}}),
            pods: pods.iter().map(|it| ((*it).to_owned(), false)).collect(),
            ..Self::default()
        }
    }

    fn answer(&mut self, asked: &Asked) -> Answer {
        let path = asked.path.as_str();
        match asked.method.as_str() {
            "GET" if path == NODE && self.node.is_null() => Answer::refused(404, "no such node"),
            "GET" if path == NODE => Answer::of(self.node.clone()),
            "PATCH" if path == NODE && self.conflicts > 0 => {
                self.conflicts -= 1;
                Answer::refused(409, "somebody was faster")
            }
            "PATCH" if path == NODE => {
                self.patches.push(asked.object.clone());
                Answer::of(json!({}))
            }
            "GET" => self.list(path),
            _ => self.evict(path, &asked.object),
        }
    }

    /// One in each part; those that were asked to end have ended when they are asked for the next time.
    fn list(&mut self, path: &str) -> Answer {
        assert!(path.contains("fieldSelector=spec.nodeName%3Dw-1"), "{path}");
        let from = path.split("continue=").nth(1);
        let from: usize = from.map_or(0, |it| it.parse().unwrap());
        if from == 0 {
            self.pods.retain(|(_, ends)| !ends);
        }
        let items: Vec<_> = self.pods.iter().skip(from).take(1).map(object).collect();
        let more = (from + 1 < self.pods.len()).then(|| (from + 1).to_string());
        let metadata = json!({"resourceVersion": "9", "continue": more});
        Answer::of(json!({"metadata": metadata, "items": items}))
    }

    fn evict(&mut self, path: &str, eviction: &Value) -> Answer {
        let name = eviction["metadata"]["name"].as_str().unwrap().to_owned();
        assert_eq!(
            path,
            format!("/api/v1/namespaces/default/pods/{name}/eviction")
        );
        if self.kept.as_ref() == Some(&name) {
            return Answer::refused(429, "the budget web needs 2 healthy pods");
        }
        self.evicted.push(name.clone().into());
        match self.pods.iter_mut().find(|it| it.0 == name) {
            Some(pod) => {
                pod.1 = true;
                Answer::of(json!({"status": "Success"}))
            }
            None => Answer::refused(404, "no such pod"),
        }
    }
}

fn object(pod: &(String, bool)) -> Value {
    let owner = json!([{"kind": "ReplicaSet", "name": "web", "controller": true}]);
    json!({"metadata": {"namespace": "default", "name": pod.0, "uid": "u", "ownerReferences": owner}})
}

async fn served(
    folder: &std::path::Path,
    cluster: Cluster,
) -> (Fake, Drainer, Arc<Mutex<Cluster>>) {
    let cluster = Arc::new(Mutex::new(cluster));
    let answers = Arc::clone(&cluster);
    let server = serve(folder, move |asked| answers.lock().unwrap().answer(&asked)).await;
    let drainer = drainer(folder, server.address);
    (server, drainer, cluster)
}

/// One that does not wait, and does not give up what has answered.
fn drainer(folder: &std::path::Path, server: std::net::SocketAddr) -> Drainer {
    Drainer {
        asker: Asker::of(folder.to_owned(), server),
        pace: Pace {
            round: Duration::from_millis(1),
            first: Duration::ZERO,
            later: Duration::from_secs(86_400),
        },
    }
}

#[tokio::test]
async fn the_node_is_cordoned_and_all_pods_go() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, drainer, cluster) = served(folder.path(), Cluster::of(&["a", "b", "c"])).await;
    let told = Mutex::new(Vec::new());
    let tell = |progress: &Progress| told.lock().unwrap().push(progress.clone());
    let drained = drainer.drain(ME, pending(), tell).await;
    assert_eq!(drained, Drained::All);
    let told = told.into_inner().unwrap();
    let waits = ["default/a: ends", "default/b: ends", "default/c: ends"];
    assert_eq!(told.first().unwrap().waits, waits);
    assert!(told.iter().all(|it| it.cordoned));
    assert!(told.last().unwrap().waits.is_empty());
    let cluster = cluster.lock().unwrap();
    assert_eq!(cluster.evicted, ["a", "b", "c"]);
    let [patch] = cluster.patches.as_slice() else {
        panic!("{:?}", cluster.patches)
    };
    assert_eq!(patch["spec"]["unschedulable"], true);
    assert_eq!(patch["metadata"]["annotations"]["garboard/cordoned"], "me");
}

#[tokio::test]
async fn a_budget_is_told_and_asked_again_until_time_is_up() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster {
        kept: Some("b".to_owned()),
        ..Cluster::of(&["a", "b"])
    };
    let (_server, drainer, cluster) = served(folder.path(), cluster).await;
    let (told, mut seen) = watch::channel(Progress::default());
    let tell = |progress: &Progress| drop(told.send_replace(progress.clone()));
    let is_kept = |it: &Progress| it.waits == ["default/b: the budget web needs 2 healthy pods"];
    let over = async { drop(seen.wait_for(is_kept).await.unwrap()) };
    assert_eq!(drainer.drain(ME, over, tell).await, Drained::Late);
    // Somebody has made another one well.
    cluster.lock().unwrap().kept = None;
    let drained = drainer.drain(ME, pending(), |_| {}).await;
    assert_eq!(drained, Drained::All);
    assert_eq!(cluster.lock().unwrap().evicted, ["a", "b"]);
}

#[tokio::test]
async fn a_change_that_another_one_was_faster_than_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster {
        conflicts: 1,
        ..Cluster::of(&[])
    };
    let (_server, mut drainer, cluster) = served(folder.path(), cluster).await;
    drainer.pace.first = Duration::from_secs(86_400);
    let drained = drainer.drain(ME, pending(), |_| {}).await;
    assert_eq!(drained, Drained::All);
    assert_eq!(cluster.lock().unwrap().patches.len(), 1);
}

#[tokio::test]
async fn a_persons_cordon_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster {
        node: json!({"metadata": {"resourceVersion": "7"}, "spec": {"unschedulable": true}}),
        ..Cluster::of(&["a"])
    };
    let (_server, drainer, cluster) = served(folder.path(), cluster).await;
    let tell = |progress: &Progress| assert!(!progress.cordoned);
    assert_eq!(drainer.drain(ME, pending(), tell).await, Drained::All);
    let cluster = cluster.lock().unwrap();
    assert!(cluster.patches.is_empty());
    assert_eq!(cluster.evicted, ["a"]);
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_or_know_the_node_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let unknown = Cluster {
        node: Value::Null,
        ..Cluster::default()
    };
    let (server, drainer, _) = served(folder.path(), unknown).await;
    let drained = drainer.drain(ME, pending(), |_| {}).await;
    assert_eq!(drained, Drained::Unknown);
    drop(server);
    let drained = drainer.drain(ME, pending(), |_| {}).await;
    assert!(matches!(drained, Drained::Not(_)), "{drained:?}");
    // A kubelet that has no certificate yet is known to nobody.
    let empty = tempfile::tempdir().unwrap();
    let drainer = super::tests::drainer(empty.path(), ([127, 0, 0, 1], 1).into());
    let drained = drainer.drain(ME, pending(), |_| {}).await;
    assert_eq!(drained, Drained::Unknown);
}
