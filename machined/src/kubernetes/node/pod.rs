//! A `Pod` of Kubernetes, as far as whoever looks after the node cares. Pure.

use resources::kubernetes::{PodPhase, PodStatus};
use serde_json::Value;

/// The longest reason, in characters: a line or two. Programs may put whole pages of what they wrote last there.
const REASON: usize = 300;

/// So many images are told of a pod; others of the many containers that one may have are for kubectl.
const IMAGES: usize = 16;

/// What an object says; nothing of one without a name, which is none.
#[must_use]
pub(super) fn read(object: &Value) -> Option<PodStatus> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (namespace, name) = (text("/metadata/namespace")?, text("/metadata/name")?);
    let phase = match text("/status/phase").unwrap_or_default() {
        "Pending" => PodPhase::Pending,
        "Running" => PodPhase::Running,
        "Succeeded" => PodPhase::Succeeded,
        "Failed" => PodPhase::Failed,
        _ => PodPhase::Unknown,
    };
    let ready = is_ready(object);
    let reason = if text("/metadata/deletionTimestamp").is_some() {
        "it is about to go".to_owned()
    } else if ready {
        String::new()
    } else if phase == PodPhase::Succeeded {
        "it has ended well".to_owned()
    } else {
        reason(object)
    };
    Some(PodStatus {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        phase,
        ready,
        restarts: restarts(object),
        reason: reason.chars().take(REASON).collect(),
        images: images(object),
        owner: owner(object).unwrap_or_default(),
    })
}

fn list<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    let list = object.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default()
}

fn is_ready(object: &Value) -> bool {
    let mut conditions = list(object, "/status/conditions");
    conditions.any(|it| text(it, "/type") == "Ready" && text(it, "/status") == "True")
}

/// The states of all containers, those that run first and to their end before the others.
fn containers(object: &Value) -> impl Iterator<Item = &Value> {
    let before = list(object, "/status/initContainerStatuses");
    before.chain(list(object, "/status/containerStatuses"))
}

fn restarts(object: &Value) -> u32 {
    let each = containers(object).filter_map(|it| it.get("restartCount")?.as_u64());
    u32::try_from(each.sum::<u64>()).unwrap_or(u32::MAX)
}

fn images(object: &Value) -> Vec<String> {
    let all = list(object, "/spec/initContainers").chain(list(object, "/spec/containers"));
    let images = all.map(|it| text(it, "/image").to_owned());
    images.take(IMAGES).collect()
}

fn owner(object: &Value) -> Option<String> {
    let mut owners = list(object, "/metadata/ownerReferences");
    let owner = owners.find(|it| it.get("controller").and_then(Value::as_bool) == Some(true))?;
    Some(format!("{}/{}", text(owner, "/kind"), text(owner, "/name")))
}

/// Why it is not ready: what is said of all of it, or of the first container that something is said of.
fn reason(object: &Value) -> String {
    let status = object.get("status").unwrap_or(&Value::Null);
    let said = said(status);
    if !said.is_empty() {
        return said;
    }
    let told = containers(object).find_map(container);
    told.unwrap_or_else(|| "its node has not said yet how it is".to_owned())
}

/// The reason and the message that stand beside each other.
fn said(value: &Value) -> String {
    match (text(value, "/reason"), text(value, "/message").trim()) {
        (reason, "") => reason.to_owned(),
        ("", message) => message.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

/// What keeps a container from what it is for; nothing for one that is ready, or was to end and has.
fn container(status: &Value) -> Option<String> {
    let name = text(status, "/name");
    if let Some(waiting) = status.pointer("/state/waiting") {
        let last = status.pointer("/lastState/terminated").map(ended);
        let last = last.map(|it| format!(" ({it})")).unwrap_or_default();
        return Some(format!("{name}: {}{last}", said(waiting)));
    }
    if let Some(terminated) = status.pointer("/state/terminated") {
        let well = terminated.get("exitCode").and_then(Value::as_i64) == Some(0);
        return (!well).then(|| format!("{name}: {}", ended(terminated)));
    }
    let ready = status.get("ready").and_then(Value::as_bool) == Some(true);
    (!ready).then(|| format!("{name}: it runs and is not ready"))
}

/// How one ended.
fn ended(terminated: &Value) -> String {
    let code = terminated.get("exitCode").and_then(Value::as_i64);
    let code = code.map_or_else(|| "?".to_owned(), |it| it.to_string());
    let said = said(terminated);
    let separator = if said.is_empty() { "" } else { ": " };
    format!("ended with {code}{separator}{said}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: &Value) -> PodStatus {
        let object = json!({
            "metadata": {
                "namespace": "kube-system",
                "name": "a",
                "ownerReferences": [
                    {"kind": "Other", "name": "x"},
                    {"kind": "DaemonSet", "name": "kube-proxy", "controller": true},
                ],
            },
            "spec": {"initContainers": [{"image": "i:1"}], "containers": [{"image": "c:1"}]},
            "status": status,
        });
        read(&object).unwrap()
    }

    #[test]
    fn one_that_is_ready_has_no_reason() {
        let ready = pod(&json!({
            "phase": "Running",
            "conditions": [{"type": "PodScheduled", "status": "False"}, {"type": "Ready", "status": "True"}],
            "initContainerStatuses": [{"name": "i", "restartCount": 2}],
            "containerStatuses": [{"name": "c", "restartCount": 3, "ready": true}],
        }));
        let wanted = PodStatus {
            namespace: "kube-system".to_owned(),
            name: "a".to_owned(),
            phase: PodPhase::Running,
            ready: true,
            restarts: 5,
            reason: String::new(),
            images: vec!["i:1".to_owned(), "c:1".to_owned()],
            owner: "DaemonSet/kube-proxy".to_owned(),
        };
        assert_eq!(ready, wanted);
        let done = pod(&json!({"phase": "Succeeded"}));
        assert_eq!((done.ready, &*done.reason), (false, "it has ended well"));
    }

    #[test]
    fn why_one_is_not_ready_is_what_the_first_container_says() {
        let done = json!({"name": "i", "state": {"terminated": {"exitCode": 0}}});
        let of = |container: Value| {
            let status = json!({
                "phase": "Running",
                "initContainerStatuses": [done],
                "containerStatuses": [container],
            });
            pod(&status).reason
        };
        let waiting = json!({
            "name": "c",
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        });
        assert_eq!(
            of(waiting),
            "c: CrashLoopBackOff: back-off 10s (ended with 137: OOMKilled)"
        );
        let ended =
            json!({"name": "c", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}});
        assert_eq!(of(ended), "c: ended with 1: Error");
        let runs = json!({"name": "c", "ready": false, "state": {"running": {}}});
        assert_eq!(of(runs), "c: it runs and is not ready");
        assert_eq!(
            pod(&json!({"phase": "Pending"})).reason,
            "its node has not said yet how it is"
        );
    }

    #[test]
    fn what_is_said_of_all_of_it_comes_first_and_is_cut() {
        let evicted = pod(&json!({
            "phase": "Failed",
            "reason": "Evicted",
            "message": "ä".repeat(1000),
            "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 137}}}],
        }));
        assert!(evicted.reason.starts_with("Evicted: ää"));
        assert_eq!(evicted.reason.chars().count(), REASON);
        let goes = json!({"metadata": {"namespace": "n", "name": "a", "deletionTimestamp": "2026-11-22T09:00:00Z"}});
        assert_eq!(read(&goes).unwrap().reason, "it is about to go");
        assert_eq!(read(&json!({"metadata": {"name": "a"}})), None);
    }
}
