//! The wire as a foreign client sees it: raw messages over TCP and a unix socket, no code of ours but the generated.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cosi::wire::proto::state_client::StateClient;
use cosi::wire::proto::{self, Resource};
use cosi::wire::{Client, ClientError, Grants, Open, Query, Server, unix};
use store::{Phase, Reference, Registry, Spec, Store};
use tokio::net::{TcpListener, UnixListener};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::common::{NOW, Number, Text, registry};

/// How a test reaches the server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Tcp,
    Unix,
}

pub(crate) const WAYS: [Way; 2] = [Way::Tcp, Way::Unix];

/// A server that knows no types of the tests, as a development server does.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) channel: Channel,
    _folder: tempfile::TempDir,
}

impl World {
    /// Each has an epoch of its own, as two lives of a process have.
    pub(crate) async fn new(way: Way) -> Self {
        static EPOCH: AtomicU64 = AtomicU64::new(1);
        let store = Store::new(EPOCH.fetch_add(1, Ordering::SeqCst));
        let server = Server::new(store.clone(), Arc::new(Registry::new()), Open).with_clock(NOW);
        Self::serve(way, store, server).await
    }

    pub(crate) async fn serve(way: Way, store: Store, server: Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let serving = tonic::transport::Server::builder().add_service(server.into_service());
        let channel = match way {
            Way::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(listener)));
                let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
                endpoint.connect().await.unwrap()
            }
            Way::Unix => {
                let path = folder.path().join("state.sock");
                let listener = UnixListener::bind(&path).unwrap();
                tokio::spawn(serving.serve_with_incoming(UnixListenerStream::new(listener)));
                unix(path)
            }
        };
        Self {
            store,
            channel,
            _folder: folder,
        }
    }

    pub(crate) fn raw(&self) -> StateClient<Channel> {
        StateClient::new(self.channel.clone())
    }
}

pub(crate) fn metadata(id: &str) -> proto::Metadata {
    proto::Metadata {
        namespace: "ns".into(),
        r#type: "Paths.foreign.example".into(),
        id: id.into(),
        version: "undefined".into(),
        phase: "running".into(),
        ..proto::Metadata::default()
    }
}

pub(crate) fn resource(id: &str, bytes: &[u8]) -> Resource {
    Resource {
        metadata: Some(metadata(id)),
        spec: Some(proto::Spec {
            proto_spec: bytes.to_vec(),
            yaml_spec: format!("raw: {id}\n"),
        }),
    }
}

pub(crate) async fn create(
    world: &World,
    resource: Resource,
    owner: &str,
) -> Result<Resource, Status> {
    let request = proto::CreateRequest {
        resource: Some(resource),
        options: Some(proto::CreateOptions {
            owner: owner.into(),
        }),
    };
    let answer = world.raw().create(request).await?;
    Ok(answer.into_inner().resource.unwrap())
}

pub(crate) async fn update(
    world: &World,
    resource: Resource,
    owner: &str,
    phase: Option<&str>,
) -> Result<Resource, Status> {
    let request = proto::UpdateRequest {
        new_resource: Some(resource),
        options: Some(proto::UpdateOptions {
            owner: owner.into(),
            expected_phase: phase.map(Into::into),
        }),
    };
    let answer = world.raw().update(request).await?;
    Ok(answer.into_inner().resource.unwrap())
}

pub(crate) async fn destroy(world: &World, id: &str, owner: &str) -> Result<(), Status> {
    let request = proto::DestroyRequest {
        namespace: "ns".into(),
        r#type: "Paths.foreign.example".into(),
        id: id.into(),
        options: Some(proto::DestroyOptions {
            owner: owner.into(),
        }),
    };
    world.raw().destroy(request).await.map(drop)
}

async fn get(world: &World, id: &str) -> Result<Resource, Status> {
    let request = proto::GetRequest {
        namespace: "ns".into(),
        r#type: "Paths.foreign.example".into(),
        id: id.into(),
        options: None,
    };
    Ok(world
        .raw()
        .get(request)
        .await?
        .into_inner()
        .resource
        .unwrap())
}

async fn list(world: &World, options: Option<proto::ListOptions>) -> Result<Vec<String>, Status> {
    let request = proto::ListRequest {
        namespace: "ns".into(),
        r#type: "Paths.foreign.example".into(),
        options,
    };
    let mut answers = world.raw().list(request).await?.into_inner();
    let mut ids = Vec::new();
    while let Some(answer) = answers.message().await? {
        ids.push(answer.resource.unwrap().metadata.unwrap().id);
    }
    Ok(ids)
}

fn version(resource: &Resource) -> &str {
    &resource.metadata.as_ref().unwrap().version
}

fn with(resource: &Resource, change: impl FnOnce(&mut proto::Metadata)) -> Resource {
    let mut resource = resource.clone();
    change(resource.metadata.as_mut().unwrap());
    resource
}

fn code<T: std::fmt::Debug>(result: Result<T, Status>) -> Code {
    result.unwrap_err().code()
}

#[tokio::test]
async fn unregistered_types_are_kept_verbatim() {
    for way in WAYS {
        let world = World::new(way).await;
        let created = create(&world, resource("a", &[0x96, 0x01]), "me")
            .await
            .unwrap();
        assert_eq!(version(&created), "1");
        let metadata = created.metadata.as_ref().unwrap();
        assert_eq!((&*metadata.owner, &*metadata.phase), ("me", "running"));
        let got = get(&world, "a").await.unwrap();
        assert_eq!(got, created);
        let spec = got.spec.unwrap();
        assert_eq!(spec.proto_spec, [0x96, 0x01]);
        assert_eq!(spec.yaml_spec, "raw: a\n");
    }
}

#[tokio::test]
async fn a_spec_is_never_absent() {
    for way in WAYS {
        let world = World::new(way).await;
        let mut bare = resource("a", &[]);
        bare.spec = None;
        assert!(create(&world, bare, "").await.unwrap().spec.is_some());
        assert!(get(&world, "a").await.unwrap().spec.is_some());
    }
}

#[tokio::test]
async fn lists_are_in_order_of_id_and_filtered() {
    for way in WAYS {
        let world = World::new(way).await;
        for id in ["b", "c", "a", "ab"] {
            let labelled = with(&resource(id, b"x"), |metadata| {
                metadata
                    .labels
                    .insert("size".into(), format!("{}k", id.len()));
            });
            create(&world, labelled, "").await.unwrap();
        }
        assert_eq!(list(&world, None).await.unwrap(), ["a", "ab", "b", "c"]);
        let ids = |regexp: &str| proto::ListOptions {
            id_query: Some(proto::IdQuery {
                regexp: regexp.into(),
            }),
            ..proto::ListOptions::default()
        };
        assert_eq!(list(&world, Some(ids("b"))).await.unwrap(), ["ab", "b"]);
        assert_eq!(
            code(list(&world, Some(ids("("))).await),
            Code::InvalidArgument
        );
        let term = |op: i32, value: &[&str], invert| proto::ListOptions {
            label_query: vec![proto::LabelQuery {
                terms: vec![proto::LabelTerm {
                    key: "size".into(),
                    op,
                    value: value.iter().map(|&value| value.into()).collect(),
                    invert,
                }],
            }],
            ..proto::ListOptions::default()
        };
        use proto::label_term::Operation::{Equal, Exists, LtNumeric, NotExists};
        let ask =
            async |op, value: &[&str], invert| list(&world, Some(term(op, value, invert))).await;
        assert_eq!(ask(Exists.into(), &[], false).await.unwrap().len(), 4);
        assert!(ask(NotExists.into(), &[], false).await.unwrap().is_empty());
        assert_eq!(ask(Equal.into(), &["2k"], false).await.unwrap(), ["ab"]);
        assert_eq!(
            ask(Equal.into(), &["2k"], true).await.unwrap(),
            ["a", "b", "c"]
        );
        assert_eq!(
            ask(LtNumeric.into(), &["2000"], false).await.unwrap(),
            ["a", "b", "c"]
        );
        // No value to compare with: nothing matches, nothing breaks.
        assert!(ask(Equal.into(), &[], false).await.unwrap().is_empty());
        assert_eq!(code(ask(99, &[], false).await), Code::Unimplemented);
    }
}

#[tokio::test]
async fn create_and_update_say_what_was_stored() {
    for way in WAYS {
        let world = World::new(way).await;
        let first = create(&world, resource("a", b"1"), "").await.unwrap();
        let second = update(&world, first.clone(), "", Some("running"))
            .await
            .unwrap();
        assert_eq!(
            version(&second),
            "2",
            "an identical update is a version too"
        );
        assert_eq!(
            second.metadata.as_ref().unwrap().created,
            first.metadata.as_ref().unwrap().created
        );
        destroy(&world, "a", "").await.unwrap();
        let again = create(&world, resource("a", b"1"), "").await.unwrap();
        assert_ne!(version(&again), "1", "a version never comes twice");
    }
}

#[tokio::test]
async fn options_may_be_absent() {
    for way in WAYS {
        let world = World::new(way).await;
        let mut client = world.raw();
        let create = proto::CreateRequest {
            resource: Some(resource("a", b"1")),
            options: None,
        };
        let created = client.create(create).await.unwrap().into_inner().resource;
        let update = proto::UpdateRequest {
            new_resource: created,
            options: None,
        };
        client.update(update).await.unwrap();
        let (namespace, ty, id) = ("ns".into(), "Paths.foreign.example".into(), "a".into());
        let destroy = proto::DestroyRequest {
            namespace,
            r#type: ty,
            id,
            options: None,
        };
        client.destroy(destroy).await.unwrap();
    }
}

#[tokio::test]
async fn refusals_have_the_codes_clients_rely_on() {
    for way in WAYS {
        let world = World::new(way).await;
        assert_eq!(code(get(&world, "a").await), Code::NotFound);
        assert_eq!(code(destroy(&world, "a", "").await), Code::NotFound);
        let absent = update(
            &world,
            with(&resource("a", b""), |m| m.version = "1".into()),
            "",
            None,
        );
        assert_eq!(code(absent.await), Code::NotFound);

        let stored = create(&world, resource("a", b"1"), "me").await.unwrap();
        let twice = create(&world, resource("a", b"1"), "me").await;
        assert_eq!(code(twice), Code::AlreadyExists);
        let foreign = update(&world, stored.clone(), "you", None).await;
        assert_eq!(code(foreign), Code::PermissionDenied);
        let stale = with(&stored, |m| m.version = "7".into());
        let stale = update(&world, stale, "me", None).await;
        assert_eq!(code(stale), Code::FailedPrecondition);
        let phase = update(&world, stored.clone(), "me", Some("tearingDown")).await;
        assert_eq!(code(phase), Code::InvalidArgument);
        assert_eq!(
            code(destroy(&world, "a", "you").await),
            Code::PermissionDenied
        );

        let held = with(&stored, |m| m.finalizers.push("holder".into()));
        let held = update(&world, held, "me", None).await.unwrap();
        assert_eq!(
            code(destroy(&world, "a", "me").await),
            Code::FailedPrecondition
        );
        let freed = with(&held, |m| m.finalizers.clear());
        update(&world, freed, "me", None).await.unwrap();
        destroy(&world, "a", "me").await.unwrap();

        let odd = with(&resource("b", b""), |m| m.version = "seven".into());
        let refused = create(&world, odd, "").await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains("/b"), "{refused}");
        let mut nothing = resource("b", b"");
        nothing.metadata = None;
        assert_eq!(
            code(create(&world, nothing, "").await),
            Code::InvalidArgument
        );
    }
}

#[tokio::test]
async fn foreign_clients_may_hold_what_is_on_its_way_out() {
    for way in WAYS {
        let world = World::new(way).await;
        let stored = create(&world, resource("a", b"1"), "me").await.unwrap();
        let leaving = with(&stored, |m| m.phase = "tearingDown".into());
        let leaving = update(&world, leaving, "me", Some("running"))
            .await
            .unwrap();
        let held = with(&leaving, |m| m.finalizers.push("late".into()));
        let held = update(&world, held, "me", None).await.unwrap();
        assert_eq!(held.metadata.unwrap().finalizers, ["late"]);
    }
}

#[tokio::test]
async fn teardown_waits_for_who_holds() {
    for way in WAYS {
        let world = World::new(way).await;
        let client = Client::new(world.channel.clone(), Arc::new(Registry::new()));
        let held = with(&resource("a", b"1"), |m| m.finalizers.push("holder".into()));
        create(&world, held, "me").await.unwrap();
        let reference = Reference::new("ns", "Paths.foreign.example", "a");
        assert!(matches!(
            client.teardown(&reference, "you").await,
            Err(ClientError::Owner { .. })
        ));
        assert!(!client.teardown(&reference, "me").await.unwrap());
        let waiting = tokio::spawn({
            let (client, reference) = (client.clone(), reference.clone());
            async move { client.teardown_and_destroy(&reference, "me").await }
        });
        let leaving = client.get(&reference).await.unwrap();
        assert_eq!(leaving.metadata.phase, Phase::TearingDown);
        let mut freed = leaving.clone();
        freed.metadata.finalizers = store::Finalizers::default();
        client.update(&freed, "me", None).await.unwrap();
        waiting.await.unwrap().unwrap();
        assert!(matches!(
            client.get(&reference).await,
            Err(ClientError::NotFound(_))
        ));
        assert!(matches!(
            client.teardown_and_destroy(&reference, "me").await,
            Err(ClientError::NotFound(_))
        ));
    }
}

#[tokio::test]
async fn the_client_speaks_in_types() {
    for way in WAYS {
        let store = Store::new(1);
        let server = Server::new(store.clone(), registry(), Open);
        let world = World::serve(way, store, server).await;
        let client = Client::new(world.channel.clone(), registry());
        let number = store::Resource::in_default("a", Number { value: 7 }).with_label("k", "v");
        let created = client.create(&number, "me").await.unwrap();
        assert_eq!(created.spec::<Number>(), Some(&Number { value: 7 }));
        assert!(matches!(
            client.create(&number, "me").await,
            Err(ClientError::Exists(_))
        ));
        let got = client.get_as::<Number>("in", "a").await.unwrap();
        assert_eq!(got.spec.value, 7);
        let query = Query {
            labels: vec![store::LabelQuery::equal("k", "w")],
            ids: None,
        };
        let none = client
            .list("in", Number::DEFINITION.ty, &query)
            .await
            .unwrap();
        assert!(none.is_empty());
        assert_eq!(client.list_as::<Number>("in").await.unwrap().len(), 1);
        let foreign = client.update(&created, "you", Some(Phase::Running)).await;
        assert!(matches!(foreign, Err(ClientError::Owner { .. })));
        let phase = client
            .update(&created, "me", Some(Phase::TearingDown))
            .await;
        assert!(matches!(phase, Err(ClientError::Phase { .. })));
        client
            .update(&created, "me", Some(Phase::Running))
            .await
            .unwrap();
        let stale = client.update(&created, "me", Some(Phase::Running)).await;
        assert!(matches!(stale, Err(ClientError::Conflict { .. })));
        // A client that does not know the type sees its YAML.
        let foreign = Client::new(world.channel.clone(), Arc::new(Registry::new()));
        let reference = Reference::new("in", Number::DEFINITION.ty, "a");
        let raw = foreign.get(&reference).await.unwrap();
        assert_eq!(raw.spec.yaml().unwrap().trim(), "value: 7");
        client.destroy(&reference, "me").await.unwrap();
    }
}

#[tokio::test]
async fn a_peer_does_only_what_it_was_granted() {
    for way in WAYS {
        let store = Store::new(1);
        let node = cosi::Node::of::<crate::controllers::Spell>();
        let grants = Grants::of_runtime("hands", &[node]);
        let server = Server::new(store.clone(), registry(), grants);
        let world = World::serve(way, store, server).await;
        let client = Client::new(world.channel.clone(), registry());
        let text = store::Resource::in_default("a", Text::default());
        client.create(&text, "test.spell").await.unwrap();
        assert_eq!(client.list_as::<Text>("out").await.unwrap().len(), 1);
        assert!(client.list_as::<Number>("in").await.unwrap().is_empty());
        for owner in ["", "other"] {
            let refused = client.create(&text, owner).await;
            assert!(
                matches!(refused, Err(ClientError::Owner { .. })),
                "{owner:?}"
            );
        }
        let number = store::Resource::in_default("a", Number::default());
        let refused = client.create(&number, "test.spell").await;
        assert!(matches!(refused, Err(ClientError::Owner { .. })));
        assert!(client.list_as::<Number>("out").await.is_err());
        assert!(client.destroy(&text.reference(), "other").await.is_err());
        client
            .destroy(&text.reference(), "test.spell")
            .await
            .unwrap();
    }
}
