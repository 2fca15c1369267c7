//! Whatever can be built is written as YAML that reads back the same; whatever bytes come in, the
//! reader answers.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod any;

use std::collections::BTreeSet;

use any::documents;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

proptest! {
    #[test]
    fn written_documents_read_back(documents in documents()) {
        let text = documents.to_yaml().unwrap();
        let again = config::parse("written", text.as_bytes())
            .unwrap_or_else(|it| panic!("{it}\n{text}"));
        prop_assert_eq!(&again, &documents);
        prop_assert_eq!(again.to_yaml().unwrap(), text);
    }

    #[test]
    fn a_redacted_config_shows_no_key_and_is_refused(documents in documents()) {
        let api = documents.api_trust().into_iter();
        let api = api.flat_map(|it| it.issuer.iter().chain(&it.serving));
        let plane = documents.kubernetes_trust().and_then(|it| it.control_plane.as_ref());
        let pairs = plane.into_iter().flat_map(|it| [&it.issuer, &it.aggregator, &it.etcd]);
        let clients = documents.registry_tls().filter_map(|it| it.client.as_ref());
        let keys = api.chain(pairs).chain(clients).map(|it| &it.key);
        let manifests = documents.kubernetes_manifests().filter_map(|it| it.inline.as_ref());
        let objects = manifests.flat_map(|it| it.objects());
        let keys: Vec<String> = keys
            .chain(plane.map(|it| &it.service_account_key))
            .map(|it| it.as_pem().lines().nth(1).unwrap().to_owned())
            .chain(plane.map(|it| it.encryption_key.as_base64().to_owned()))
            .chain(documents.join().map(|it| it.token.as_base64().to_owned()))
            .chain(objects.map(|it| it["data"]["a"].to_string()))
            .chain(documents.registry_auths().map(|it| it.password.reveal().to_owned()))
            .collect();
        let redacted = documents.redacted();
        let text = redacted.to_yaml().unwrap();
        prop_assert_eq!(keys.is_empty(), !text.contains(config::REDACTED));
        prop_assert!(!text.contains("PRIVATE KEY"));
        let debug = format!("{documents:?}");
        prop_assert!(!debug.contains("PRIVATE KEY"));
        let again = config::parse("redacted", text.as_bytes());
        prop_assert_eq!(keys.is_empty(), again.is_ok());
    }

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..256)) {
        let _answer = config::parse("bytes", &bytes);
    }

    #[test]
    fn any_damage_is_answered(
        documents in documents(),
        at in any::<prop::sample::Index>(),
        with in vec(prop_oneof!["[-:?,\\[\\]{}#&*!|>'\"%@` \n\t]", ".{1,3}"], 0..4),
    ) {
        let text = documents.to_yaml().unwrap();
        let cut = at.index(text.len());
        prop_assume!(text.is_char_boundary(cut));
        let (before, after) = text.split_at(cut);
        let _answer = config::parse("damaged", before.as_bytes());
        let _answer = config::parse("damaged", format!("{before}{}{after}", with.concat()).as_bytes());
    }
}

/// A kind that is in none of these documents is in none of these tests.
#[test]
fn any_document_may_be_of_every_kind() {
    let mut runner = TestRunner::deterministic();
    let mut missing: BTreeSet<&str> = config::Document::KINDS.iter().copied().collect();
    for _ in 0..1000 {
        let tree = documents().new_tree(&mut runner).unwrap();
        for document in tree.current().iter() {
            missing.remove(document.identity().kind);
        }
    }
    assert!(missing.is_empty(), "tests/any makes no {missing:?}");
}

#[test]
fn limits() {
    let huge = vec![b'#'; config::MAX_BYTES + 1];
    let error = config::parse("huge", &huge).unwrap_err().to_string();
    assert_eq!(
        error,
        "huge: a config has at most 1048576 bytes, and this one has more"
    );
}
