//! Where images are fetched from: the real containerd with the settings of the image, told by the real controllers, and registries that ask
//! for what the config is about.
//!
//! All of it is in namespaces of the test's own. `GARBOARD_CONTAINERD` names a folder with containerd's programs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the whole program is a test; the lints' exception for tests does not see its helpers"
)]

mod lab;
mod node;

use lab::{Asks, Lab, PASSWORD, USER};
use node::Node;

/// The image, in a registry that there is none of.
const IMAGE: &str = "registry.example.org/lab/thing:1";

fn mirror(endpoint: &str) -> String {
    format!(
        "kind: RegistryMirror\nname: registry.example.org\nendpoints: [{endpoint}]\nskipFallback: true"
    )
}

fn auth(place: &str, password: &str) -> String {
    let password = password.replace('\'', "''");
    format!("kind: RegistryAuth\nname: {place}\nusername: {USER}\npassword: '{password}'")
}

/// PEM as the value of a field.
fn block(field: &str, depth: usize, pem: &str) -> String {
    let indent = "  ".repeat(depth);
    let lines = pem.lines().map(|line| format!("\n{indent}  {line}"));
    format!("\n{indent}{field}: |{}", lines.collect::<String>())
}

fn tls(place: &str, fields: &str) -> String {
    format!("kind: RegistryTls\nname: {place}{fields}")
}

#[test]
fn a_registry_that_asks_for_a_password_is_given_it() {
    testkit::isolated(
        "a_registry_that_asks_for_a_password_is_given_it",
        async || {
            let lab = Lab::start(Asks::Password).await;
            let node = Node::start().await;
            let place = lab.place();
            let mirror = mirror(&format!("{{url: 'https://{place}'}}"));
            let ca = tls(&place, &block("ca", 0, lab.ca()));
            node.live(async {
                node.configure(&[&mirror]).await;
                node.refuses(IMAGE, "certificate signed by unknown authority")
                    .await;

                node.configure(&[&mirror, &ca]).await;
                node.refuses(IMAGE, "no basic auth credentials").await;
                node.configure(&[&mirror, &ca, &auth(&place, "wrong")])
                    .await;
                node.refuses(IMAGE, "no basic auth credentials").await;

                node.configure(&[&mirror, &ca, &auth(&place, PASSWORD)])
                    .await;
                assert_eq!(node.fetches(IMAGE).await, lab.digest());
                let asked = lab.asked();
                let first = asked.last().unwrap();
                assert!(first.starts_with("/v2/lab/thing/"), "{asked:?}");
                let tag = "/v2/lab/thing/manifests/1?ns=registry.example.org";
                assert!(asked.iter().any(|it| it == tag), "{asked:?}");

                // What is not in the config any more is not known any more.
                node.configure(&[&mirror, &ca]).await;
                node.refuses(IMAGE, "no basic auth credentials").await;
            })
            .await;
        },
    );
}

#[test]
fn authorities_of_all_are_believed_and_paths_kept() {
    testkit::isolated(
        "authorities_of_all_are_believed_and_paths_kept",
        async || {
            let lab = Lab::start(Asks::Nothing).await;
            let node = Node::start().await;
            let roots = format!(
                "kind: TrustedRoots\nname: lab{}",
                block("certificates", 0, lab.ca())
            );
            let place = lab.place();
            let below = mirror(&format!(
                "{{url: 'https://{place}/of/others', overridePath: true}}"
            ));
            let blind = tls(&place, "\ninsecureSkipVerify: true");
            let any = format!(
                "kind: RegistryMirror\nname: '*'\nendpoints: [{{url: 'http://127.0.0.1:1'}}, {{url: 'https://{place}'}}]"
            );
            node.live(async {
                node.configure(&[&below, &roots]).await;
                node.fetches(IMAGE).await;
                let asked = lab.asked();
                let path = "/of/others/lab/thing/manifests/1?ns=registry.example.org";
                assert!(asked.iter().any(|it| it == path), "{asked:?}");

                node.configure(&[&below]).await;
                node.refuses(IMAGE, "certificate signed by unknown authority")
                    .await;
                node.configure(&[&below, &blind]).await;
                node.fetches(IMAGE).await;

                // Of every registry, and the first does not answer.
                node.configure(&[&any, &roots]).await;
                node.fetches("other.example.org:5000/lab/thing:1").await;
                assert!(
                    lab.asked()
                        .iter()
                        .any(|it| it.ends_with("?ns=other.example.org%3A5000"))
                );
            })
            .await;
        },
    );
}

#[test]
fn a_registry_that_asks_for_a_certificate_is_shown_it() {
    testkit::isolated(
        "a_registry_that_asks_for_a_certificate_is_shown_it",
        async || {
            let lab = Lab::start(Asks::Certificate).await;
            let node = Node::start().await;
            let place = lab.place();
            let mirror = mirror(&format!("{{url: 'https://{place}'}}"));
            let ca = block("ca", 0, lab.ca());
            let (certificate, key) = lab.client();
            let client = format!(
                "\nclient:{}{}",
                block("certificate", 1, &certificate),
                block("key", 1, &key)
            );
            node.live(async {
                node.configure(&[&mirror, &tls(&place, &ca)]).await;
                node.refuses(IMAGE, "failed to do request").await;
                node.configure(&[&mirror, &tls(&place, &format!("{ca}{client}"))])
                    .await;
                node.fetches(IMAGE).await;
            })
            .await;
        },
    );
}

/// The node's own registry has answered before that it has no such image, which is the less of the two.
#[test]
fn a_registry_that_does_not_answer_is_told_so() {
    testkit::isolated("a_registry_that_does_not_answer_is_told_so", async || {
        let node = Node::start().await;
        let nobody = mirror("{url: 'https://127.0.0.1:1'}");
        let none = mirror("");
        node.live(async {
            node.configure(&[&nobody]).await;
            node.refuses(IMAGE, "127.0.0.1:1: connect: connection refused")
                .await;
            // There is no name server.
            node.configure(&[]).await;
            node.refuses(IMAGE, "dial tcp: lookup registry.example.org")
                .await;
            node.configure(&[&none]).await;
            node.refuses(IMAGE, "registry.example.org/lab/thing:1: not found")
                .await;
        })
        .await;
    });
}
