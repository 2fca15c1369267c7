//! Shows the pods of the node.
//!
//! A kubelet may read the pods of its own node and no others, which is all that is asked for here. One task follows what the cluster
//! says; it ends with the controller, and cancelling it is safe: what it knows is where it was put. Of every object a few lines
//! are kept, and of pods that have ended a hundred: hundreds of evicted ones may pile up.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use futures_util::stream;
use resources::images::{CacheState, CachedImage};
use resources::kubernetes::{
    KUBELET, KUBERNETES, KubeletSpec, KubernetesSpec, PodPhase, PodStatus,
};
use resources::net::{HOSTNAME, HostnameSpec};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::ask::{AskError, Asker};
use super::known::Event;
use super::objects::{Kind, Objects};
use super::pod;

/// Of so many pods that have ended something is kept; the kubelet bounds the number of the others.
const ENDED: usize = 100;

/// Annotations alone may take 256 KiB of a pod, and an answer has 4 MiB at most.
pub(super) const PODS: Kind = Kind {
    path: "/api/v1/pods",
    page: 15,
};

/// What is known of them, by their ids.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known(BTreeMap<String, PodStatus>);

fn id(pod: &PodStatus) -> String {
    format!("{}/{}", pod.namespace, pod.name)
}

fn has_ended(pod: &PodStatus) -> bool {
    matches!(pod.phase, PodPhase::Succeeded | PodPhase::Failed)
}

impl Known {
    /// Notes how one is; says whether that is news.
    fn put(&mut self, object: &Value) -> bool {
        let Some(pod) = pod::read(object) else {
            return false;
        };
        let id = id(&pod);
        let others = self.0.iter().filter(|(other, _)| **other != id);
        if has_ended(&pod) && others.filter(|(_, it)| has_ended(it)).count() >= ENDED {
            return self.0.remove(&id).is_some();
        }
        let news = self.0.get(&id) != Some(&pod);
        self.0.insert(id, pod);
        news
    }

    /// The same for what has happened to one.
    fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::Is(object) => self.put(object),
            Event::Gone(object) => {
                let gone = pod::read(object).and_then(|it| self.0.remove(&id(&it)));
                gone.is_some()
            }
            Event::Still | Event::TooOld => false,
        }
    }
}

/// Follows what the cluster says of the pods of a node until it is cancelled.
async fn follow(asker: Asker, node: String, known: watch::Sender<Known>) {
    let again = asker.again;
    let pods = Objects { asker, kind: PODS };
    let selection = format!("&fieldSelector=spec.nodeName%3D{node}");
    let mut said = String::new();
    loop {
        let fault = match round(&pods, &selection, &known).await {
            Ok(()) => String::new(),
            Err(error) => cosi::report(&error),
        };
        // That nobody answers others say, again and again; here it is told once.
        if !fault.is_empty() && fault != said {
            tracing::info!(reason = fault, "the pods of the node may have changed");
        }
        said = fault;
        sleep(again).await;
    }
}

/// From a list to what cannot be gone on from.
async fn round(
    pods: &Objects,
    selection: &str,
    known: &watch::Sender<Known>,
) -> Result<(), AskError> {
    let mut listed = Known::default();
    let put = |object| {
        listed.put(&object);
    };
    let mut from = pods.list(selection, put).await?;
    known.send_if_modified(|known| {
        let news = *known != listed;
        *known = listed;
        news
    });
    let take = |event| {
        known.send_if_modified(|known| known.take(&event));
    };
    while let Some(version) = pods.watch(selection, from, take).await? {
        from = version;
        sleep(pods.asker.again).await;
    }
    Ok(())
}

/// Adds to the reason of a pod what is wrong with the node's own copies of its images: a registry that is asked after the node's own
/// knows nothing of that.
fn tell<'a>(pod: &mut PodStatus, cached: impl IntoIterator<Item = &'a CachedImage>) {
    let mut broken = cached.into_iter();
    let broken = broken.find(|it| it.state == CacheState::Broken);
    if let Some(CachedImage { problem, .. }) = broken.filter(|_| !pod.ready && !has_ended(pod)) {
        let damage = format!("; a copy of an image that came with the node is damaged: {problem}");
        pod.reason.push_str(&damage);
    }
}

/// The task for a node of this name; dropped, it ends.
#[derive(Debug)]
struct Running {
    name: String,
    tasks: JoinSet<()>,
}

/// The controller.
#[derive(Debug)]
pub struct Pods {
    asker: Asker,
    known: watch::Sender<Known>,
    running: Option<Running>,
}

cosi::declare! {
    Pods as "kubernetes.node.pods" {
        reads KubernetesSpec;
        reads KubeletSpec;
        reads HostnameSpec;
        // What is wrong with the node's own images, which may be why one cannot be pulled.
        reads CachedImage;
        writes PodStatus;
    }
}

impl Pods {
    /// Asks as the kubelet, whose files are in this folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            asker: Asker::new(folder),
            known: watch::Sender::default(),
            running: None,
        }
    }

    async fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.tasks.shutdown().await;
        }
        self.known.send_replace(Known::default());
    }

    async fn run(&mut self, name: &str) {
        if self.running.as_ref().is_some_and(|it| it.name == name) {
            return;
        }
        self.stop().await;
        let mut tasks = JoinSet::new();
        let (asker, known) = (self.asker.clone(), self.known.clone());
        tasks.spawn(follow(asker, name.to_owned(), known));
        let name = name.to_owned();
        self.running = Some(Running { name, tasks });
    }
}

impl Controller for Pods {
    fn sources(&mut self) -> Vec<Source> {
        let news = stream::unfold(self.known.subscribe(), |mut known| async move {
            known.changed().await.ok()?;
            Some(((), known))
        });
        vec![Box::pin(news)]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let of_cluster = cx.get::<KubernetesSpec>(KUBERNETES).is_some();
        if !of_cluster || cx.get::<KubeletSpec>(KUBELET).is_none() {
            self.stop().await;
            cx.replace::<PodStatus>();
            return Ok(Outcome::Done);
        }
        let Some(name) = cx.get::<HostnameSpec>(HOSTNAME) else {
            return Ok(Outcome::WaitingOn("the node's name".to_owned()));
        };
        self.run(&name.spec.hostname).await;
        let known = self.known.borrow().clone();
        cx.replace::<PodStatus>();
        for (id, mut pod) in known.0 {
            let cached = |image: &String| cx.get::<CachedImage>(image);
            let cached: Vec<_> = pod.images.iter().filter_map(cached).collect();
            tell(&mut pod, cached.iter().map(|it| &*it.spec));
            cx.put(id, pod);
        }
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;
    use crate::kubernetes::client::fake::{Answer, serve};

    fn object(name: &str, phase: &str) -> Value {
        json!({
            "metadata": {"namespace": "n", "name": name, "resourceVersion": "7"},
            "status": {"phase": phase},
        })
    }

    fn said(kind: &str, object: Value) -> Value {
        json!({"type": kind, "object": object})
    }

    fn names(pods: &Known) -> Vec<&str> {
        pods.0.keys().map(String::as_str).collect()
    }

    #[tokio::test]
    async fn the_pods_of_the_own_node_are_asked_for_and_followed() {
        let folder = tempfile::tempdir().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let server = serve(folder.path(), move |request| {
            let mut asked = heard.lock().unwrap();
            asked.push(request.path);
            match asked.len() {
                1 => Answer::of(json!({
                    "metadata": {"resourceVersion": "3", "continue": "x"},
                    "items": [object("a", "Running"), object("b", "Pending")],
                })),
                2 => Answer::of(json!({
                    "metadata": {"resourceVersion": "3"},
                    "items": [object("c", "Running")],
                })),
                3 => Answer::watch(
                    vec![
                        said("DELETED", object("a", "Running")),
                        said("MODIFIED", object("b", "Running")),
                    ],
                    true,
                ),
                _ => Answer::refused(500, "that was all"),
            }
        })
        .await;
        let asker = Asker::of(folder.path().to_owned(), server.address);
        let known = watch::Sender::new(Known::default());
        let mut seen = known.subscribe();
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(asker, "cp-1".to_owned(), known));
        let runs = |pods: &Known| pods.0.get("n/b").map(|it| it.phase) == Some(PodPhase::Running);
        let known = seen.wait_for(runs).await.unwrap().clone();
        assert_eq!(names(&known), ["n/b", "n/c"]);
        let asked = asked.lock().unwrap();
        // Without this a kubelet is refused.
        let own = "fieldSelector=spec.nodeName%3Dcp-1";
        assert!(asked.iter().all(|it| it.contains(own)), "{asked:?}");
        assert!(asked[2].contains("resourceVersion=3"), "{asked:?}");
    }

    #[test]
    fn damaged_images_are_told_of_pods_that_are_not_ready() {
        let whole = CachedImage::default();
        let broken = CachedImage {
            state: CacheState::Broken,
            problem: "sha256:e3b0: it is missing".to_owned(),
            ..CachedImage::default()
        };
        let told = |ready, phase, cached: &[&CachedImage]| {
            let mut pod = PodStatus {
                ready,
                phase,
                reason: "c: ErrImagePull".to_owned(),
                ..PodStatus::default()
            };
            tell(&mut pod, cached.iter().copied());
            pod.reason
        };
        let (pending, failed) = (PodPhase::Pending, PodPhase::Failed);
        let said = told(false, pending, &[&whole, &broken]);
        let ends = "ErrImagePull; a copy of an image that came with the node is damaged: sha256:e3b0: it is missing";
        assert!(said.ends_with(ends), "{said}");
        for same in [
            told(false, pending, &[&whole]),
            told(true, PodPhase::Running, &[&broken]),
            told(false, failed, &[&broken]),
        ] {
            assert_eq!(same, "c: ErrImagePull");
        }
    }

    #[test]
    fn pods_that_have_ended_are_bounded() {
        let mut pods = Known::default();
        for number in 0..ENDED + 20 {
            pods.put(&object(&format!("job-{number:03}"), "Failed"));
        }
        assert_eq!(pods.0.len(), ENDED);
        assert!(pods.put(&object("runs", "Running")));
        assert!(!pods.put(&object("runs", "Running")), "no news");
        assert_eq!(pods.0.len(), ENDED + 1);
        // One too many by the time it ends is gone, and one that was kept changes.
        assert!(pods.put(&object("runs", "Succeeded")));
        assert!(!pods.0.contains_key("n/runs"));
        assert!(pods.put(&object("job-000", "Succeeded")));
        assert!(pods.take(&Event::Gone(object("job-001", "Failed"))));
        assert!(!pods.take(&Event::Gone(object("job-001", "Failed"))));
        assert_eq!(pods.0.len(), ENDED - 1);
    }
}
