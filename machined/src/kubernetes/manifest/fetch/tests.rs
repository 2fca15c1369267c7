//! Manifests behind URLs, by a server that is away, wrong or right.

use std::sync::Mutex;

use cosi::Runtime;
use jiff::Timestamp;
use resources::config::ACTIVE;
use store::{Resource, Transaction};

use super::*;

const OBJECT: &str =
    "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: hunter2}\n";

/// What URLs lead to; one that is not there leads nowhere.
type Web = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

fn way(web: &Web) -> Way {
    let web = Arc::clone(web);
    Way::new(move |url| {
        let found = web.lock().unwrap().get(&url).cloned();
        Box::pin(async move { found.ok_or_else(|| "nobody is there".to_owned()) })
    })
}

fn commit(store: &Store, resource: Resource) {
    let transaction = Transaction::owned("test").put(resource);
    store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
}

/// Makes this the config of a control plane: names, and what is said of each.
fn configure(store: &Store, manifests: &[(&str, &str)]) {
    let mut text = "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: a\n".to_owned();
    for (name, rest) in manifests {
        text.push_str(&format!(
            "---\napiVersion: garboard/v1alpha1\nkind: KubernetesManifest\nname: {name}\n{rest}\n"
        ));
    }
    let config = MachineConfig {
        text,
        ..MachineConfig::default()
    };
    commit(store, Resource::in_default(ACTIVE, config));
    let cluster = KubernetesSpec {
        control_plane: true,
        ..KubernetesSpec::default()
    };
    commit(store, Resource::in_default(KUBERNETES, cluster));
}

/// Ids, how many objects each has, and why not.
async fn until(store: &Store, wanted: &[(&str, usize, &str)]) {
    let fits = |manifest: &Manifest, count: usize, reason: &str| {
        let told = manifest.reason.contains(reason);
        manifest.objects.len() == count && told && manifest.reason.is_empty() == reason.is_empty()
    };
    let what = format!("{wanted:?}");
    testkit::until(&what, || {
        let snapshot = store.snapshot();
        let found = snapshot.list_as::<Manifest>(Manifest::DEFINITION.namespace);
        let found: Vec<_> = found.collect();
        let all = found
            .iter()
            .zip(wanted)
            .all(|(it, (id, count, reason))| it.id() == *id && fits(&it.spec, *count, reason));
        (all && found.len() == wanted.len()).then_some(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn manifests_are_fetched_until_they_are_there() {
    let web = Web::default();
    let store = Store::new(1);
    let mut runtime = Runtime::new("machined", store.clone());
    runtime.register(Fetch::new(way(&web))).unwrap();
    let put = |url: &str, text: &str| {
        let url = format!("https://example.org/{url}");
        web.lock().unwrap().insert(url, text.as_bytes().to_vec());
    };
    let testing = async {
        put("good", OBJECT);
        put(
            "bad",
            "apiVersion: v1\nkind: Secret\nmetadata: {namespace: hunter2}\n",
        );
        let sum = HEXLOWER.encode(digest(&SHA256, OBJECT.as_bytes()).as_ref());
        let sum = format!("url: https://example.org/later\nsha256: {sum}");
        configure(
            &store,
            &[
                ("bad", "url: https://example.org/bad"),
                ("good", "url: https://example.org/good"),
            ],
        );
        until(
            &store,
            &[
                (
                    "config-bad",
                    0,
                    "document 1 of the text (line 1) has no `metadata.name`",
                ),
                ("config-good", 1, ""),
            ],
        )
        .await;

        // One that is away, then another one, then the right one.
        configure(&store, &[("sum", &sum)]);
        until(&store, &[("config-sum", 0, "nobody is there")]).await;
        put("later", "other");
        until(&store, &[("config-sum", 0, "not the one of the config")]).await;
        put("later", OBJECT);
        until(&store, &[("config-sum", 1, "")]).await;

        // What was fetched is not fetched again while the config says the same of it.
        put("later", "other");
        configure(
            &store,
            &[("good", "url: https://example.org/good"), ("sum", &sum)],
        );
        until(&store, &[("config-good", 1, ""), ("config-sum", 1, "")]).await;
        configure(&store, &[("sum", "url: https://example.org/later")]);
        until(&store, &[("config-sum", 0, "is no map")]).await;

        // A worker creates nothing.
        let worker = KubernetesSpec::default();
        commit(&store, Resource::in_default(KUBERNETES, worker));
        until(&store, &[]).await;
    };
    tokio::select! {
        _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
        () = testing => {}
    }
}

#[test]
fn nothing_is_made_of_what_is_no_manifest_and_no_message_repeats_it() {
    let objects = read(OBJECT.as_bytes().to_vec(), None).unwrap();
    assert!(objects[0].contains("hunter2"), "{objects:?}");
    for bad in [&b"\xffhunter2"[..], b"hunter2", b"a: *hunter2"] {
        let said = cosi::report(&read(bad.to_vec(), None).unwrap_err());
        assert!(!said.contains("hunter2"), "{said}");
    }
    let error = read(OBJECT.as_bytes().to_vec(), Some("0")).unwrap_err();
    assert!(matches!(error, ReadError::Sum(_)), "{error}");
}
