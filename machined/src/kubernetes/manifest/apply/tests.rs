//! Against a server that answers as told.

use std::sync::{Arc, Mutex};

use pki::{Identity, Trust};
use serde_json::json;
use store::Resource;

use super::*;
use crate::kubernetes::client::fake::{Answer, Asked, serve};

fn manifest(id: &str, names: &[&str]) -> Typed<Manifest> {
    let object = |name: &&str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}).to_string()
    };
    let spec = Manifest {
        objects: names.iter().map(object).collect(),
        ..Manifest::default()
    };
    Typed::from_resource(&Resource::in_default(id, spec)).unwrap()
}

/// Goes through two manifests of three objects; `made` is what the server says to a new object of a name.
async fn round(
    made: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> (Vec<ManifestStatus>, End, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    let server = serve(folder.path(), move |request: Asked| {
        let name = request.object.pointer("/metadata/name");
        let name = name.and_then(Value::as_str).unwrap_or_default();
        if request.method != "POST" {
            let kinds = json!([{"name": "configmaps", "kind": "ConfigMap", "namespaced": true}]);
            return Answer::of(json!({"resources": kinds}));
        }
        heard.lock().unwrap().push(name.to_owned());
        made(name)
    })
    .await;
    let text = |name| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let own = Identity::from_pem(&text("client.pem"), &text("client.pem")).unwrap();
    let trust = Trust::from_pem(&text("ca.crt")).unwrap();
    let client = Client::new(server.address, &trust, &own).unwrap();
    let manifests = [manifest("a", &["a1", "a2"]), manifest("b", &["b1"])];
    let (statuses, end) = all(client, &manifests, &[]).await;
    let asked = asked.lock().unwrap().clone();
    (statuses, end, asked)
}

#[tokio::test]
async fn a_server_that_goes_away_is_asked_for_nothing_more() {
    let (statuses, end, asked) = round(|_| Answer::refused(503, "shutting down")).await;
    assert_eq!(asked, ["a1"]);
    assert_eq!(end, End::Cut);
    for status in statuses {
        assert_eq!(status.created, 0);
        assert!(status.reason.contains("shutting down"), "{}", status.reason);
    }
}

#[tokio::test]
async fn what_is_rejected_keeps_nothing_else_from_being_created() {
    let (statuses, end, asked) = round(|name| match name {
        "a1" => Answer::refused(422, "no such field"),
        _ => Answer::of(json!({})),
    })
    .await;
    assert_eq!(asked, ["a1", "a2", "b1"]);
    assert_eq!(end, End::Rejected);
    let created: Vec<_> = statuses.iter().map(|it| it.created).collect();
    assert_eq!(created, [1, 1]);
    assert!(
        statuses[0].reason.contains("no such field"),
        "{:?}",
        statuses[0]
    );
    assert_eq!(statuses[1].reason, "");
}

#[tokio::test]
async fn what_others_created_counts() {
    let (statuses, end, _) = round(|_| Answer::refused(409, "already exists")).await;
    assert_eq!(end, End::All);
    assert!(statuses.iter().all(|it| it.reason.is_empty()));
}
