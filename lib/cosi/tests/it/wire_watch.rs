//! Watches on the wire: the ready marker, contents, bookmarks, tails, filters, batches, and a reader that is slow.

use cosi::wire::proto::{self, Event, EventType, WatchOptions};
use tonic::{Code, Status, Streaming};

use crate::wire::{WAYS, World, create, destroy, resource, update};

/// A watch that was begun, its ready marker seen.
struct Watching(Streaming<proto::WatchResponse>);

impl Watching {
    async fn batch(&mut self) -> Vec<Event> {
        let next = tokio::time::timeout(std::time::Duration::from_secs(20), self.0.message());
        next.await.unwrap().unwrap().unwrap().event
    }

    async fn one(&mut self) -> Event {
        let mut batch = self.batch().await;
        assert_eq!(batch.len(), 1, "without aggregation, one event per message");
        batch.remove(0)
    }

    /// The next events, as `KIND id`.
    async fn told(&mut self, count: usize) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..count {
            told.push(line(&self.one().await));
        }
        told
    }
}

fn line(event: &Event) -> String {
    let resource = event.resource.as_ref().expect("a resource is never absent");
    assert!(resource.spec.is_some(), "a spec is never absent");
    let id = &resource.metadata.as_ref().unwrap().id;
    format!("{} {id}", event.event_type().as_str_name())
}

async fn begin(world: &World, request: proto::WatchRequest) -> Result<Watching, Status> {
    let mut stream = world.raw().watch(request).await?.into_inner();
    let ready = stream.message().await?.unwrap();
    assert!(
        ready.event.is_empty(),
        "the first message is the ready marker"
    );
    Ok(Watching(stream))
}

fn kind(options: WatchOptions) -> proto::WatchRequest {
    proto::WatchRequest {
        namespace: "ns".into(),
        r#type: "Paths.foreign.example".into(),
        id: None,
        options: Some(options),
        api_version: 1,
    }
}

fn one(id: &str, options: WatchOptions) -> proto::WatchRequest {
    proto::WatchRequest {
        id: Some(id.into()),
        ..kind(options)
    }
}

fn contents() -> WatchOptions {
    WatchOptions {
        bootstrap_contents: true,
        ..WatchOptions::default()
    }
}

fn after(bookmark: &[u8]) -> WatchOptions {
    WatchOptions {
        start_from_bookmark: Some(bookmark.to_vec()),
        ..WatchOptions::default()
    }
}

#[tokio::test]
async fn contents_then_changes() {
    for way in WAYS {
        let world = World::new(way).await;
        for id in ["b", "a"] {
            create(&world, resource(id, b"1"), "").await.unwrap();
        }
        let mut watch = begin(&world, kind(contents())).await.unwrap();
        assert_eq!(
            watch.told(3).await,
            ["CREATED a", "CREATED b", "BOOTSTRAPPED "]
        );
        let stored = create(&world, resource("c", b"1"), "").await.unwrap();
        assert_eq!(watch.told(1).await, ["CREATED c"]);
        update(&world, stored.clone(), "", None).await.unwrap();
        let updated = watch.one().await;
        assert_eq!(line(&updated), "UPDATED c");
        assert_eq!(
            updated.old,
            Some(stored),
            "the version before comes with it"
        );
        destroy(&world, "c", "").await.unwrap();
        assert_eq!(watch.told(1).await, ["DESTROYED c"]);
    }
}

#[tokio::test]
async fn old_clients_are_not_told_of_bootstrapped() {
    for way in WAYS {
        let world = World::new(way).await;
        create(&world, resource("a", b"1"), "").await.unwrap();
        let request = proto::WatchRequest {
            api_version: 0,
            ..kind(contents())
        };
        let mut watch = begin(&world, request).await.unwrap();
        assert_eq!(watch.told(1).await, ["CREATED a"]);
        create(&world, resource("b", b"1"), "").await.unwrap();
        assert_eq!(watch.told(1).await, ["CREATED b"]);
    }
}

#[tokio::test]
async fn one_resource_there_or_not() {
    for way in WAYS {
        let world = World::new(way).await;
        let mut watch = begin(&world, one("a", WatchOptions::default()))
            .await
            .unwrap();
        let first = watch.one().await;
        assert_eq!(line(&first), "DESTROYED a");
        let tombstone = first.resource.unwrap().metadata.unwrap();
        assert_eq!(
            (&*tombstone.version, &*tombstone.phase),
            ("undefined", "running")
        );
        create(&world, resource("b", b"1"), "").await.unwrap();
        create(&world, resource("a", b"1"), "").await.unwrap();
        assert_eq!(watch.told(1).await, ["CREATED a"]);
        let mut second = begin(&world, one("a", WatchOptions::default()))
            .await
            .unwrap();
        assert_eq!(second.told(1).await, ["CREATED a"]);
        let refused = begin(&world, one("a", contents())).await.err().unwrap();
        assert_eq!(refused.code(), Code::Unimplemented);
    }
}

#[tokio::test]
async fn bookmarks_resume_and_are_refused() {
    for way in WAYS {
        let world = World::new(way).await;
        let options = WatchOptions {
            bootstrap_bookmark: true,
            ..WatchOptions::default()
        };
        let mut watch = begin(&world, kind(options)).await.unwrap();
        let noop = watch.one().await;
        assert_eq!(line(&noop), "NOOP ");
        for id in ["a", "b", "c"] {
            create(&world, resource(id, b"1"), "").await.unwrap();
        }
        let first = watch.one().await;
        let mut resumed = begin(&world, kind(after(first.bookmark()))).await.unwrap();
        assert_eq!(resumed.told(2).await, ["CREATED b", "CREATED c"]);
        let mut all = begin(&world, kind(after(noop.bookmark()))).await.unwrap();
        assert_eq!(all.told(3).await, ["CREATED a", "CREATED b", "CREATED c"]);
        // Another life, another kind, no bookmark at all.
        let restarted = World::new(way).await;
        let good = first.bookmark();
        for (world, bytes) in [
            (&world, &b"nonsense"[..]),
            (&world, &[]),
            (&restarted, good),
        ] {
            let refused = begin(world, kind(after(bytes))).await.err().unwrap();
            assert_eq!(refused.code(), Code::FailedPrecondition);
        }
        let both = WatchOptions {
            bootstrap_contents: true,
            ..after(first.bookmark())
        };
        assert!(begin(&world, kind(both)).await.is_err());
    }
}

#[tokio::test]
async fn tails_tell_the_last_events() {
    for way in WAYS {
        let world = World::new(way).await;
        for id in ["a", "b", "c"] {
            create(&world, resource(id, b"1"), "").await.unwrap();
        }
        destroy(&world, "a", "").await.unwrap();
        let tail = |count| WatchOptions {
            tail_events: count,
            ..WatchOptions::default()
        };
        let mut watch = begin(&world, kind(tail(2))).await.unwrap();
        assert_eq!(watch.told(2).await, ["CREATED c", "DESTROYED a"]);
        let mut single = begin(&world, one("a", tail(5))).await.unwrap();
        assert_eq!(single.told(2).await, ["CREATED a", "DESTROYED a"]);
    }
}

#[tokio::test]
async fn filters_turn_leaving_into_destruction() {
    for way in WAYS {
        let world = World::new(way).await;
        let options = WatchOptions {
            label_query: vec![proto::LabelQuery {
                terms: vec![proto::LabelTerm {
                    key: "on".into(),
                    ..proto::LabelTerm::default()
                }],
            }],
            ..WatchOptions::default()
        };
        let mut watch = begin(&world, kind(options)).await.unwrap();
        let stored = create(&world, resource("a", b"1"), "").await.unwrap();
        let mut on = stored.clone();
        on.metadata
            .as_mut()
            .unwrap()
            .labels
            .insert("on".into(), String::new());
        let on = update(&world, on, "", None).await.unwrap();
        assert_eq!(watch.told(1).await, ["CREATED a"]);
        let on = update(&world, on, "", None).await.unwrap();
        assert_eq!(watch.told(1).await, ["UPDATED a"]);
        let mut off = on;
        off.metadata.as_mut().unwrap().labels.clear();
        update(&world, off, "", None).await.unwrap();
        assert_eq!(watch.told(1).await, ["DESTROYED a"]);
    }
}

#[tokio::test]
async fn aggregated_watches_come_in_batches_below_the_limit() {
    for way in WAYS {
        let world = World::new(way).await;
        // 6 MiB in all: more than a client takes in one message.
        let big = vec![7; 64 * 1024];
        for id in 0..96 {
            create(&world, resource(&format!("r{id:02}"), &big), "")
                .await
                .unwrap();
        }
        let options = WatchOptions {
            aggregated: true,
            ..contents()
        };
        let mut watch = begin(&world, kind(options)).await.unwrap();
        let (mut told, mut batches) = (Vec::new(), 0);
        while told.last().is_none_or(|last| last != "BOOTSTRAPPED ") {
            told.extend(watch.batch().await.iter().map(line));
            batches += 1;
        }
        assert_eq!(told.len(), 97);
        assert!(batches < 97, "several events per message");
        assert!(told[..96].is_sorted());
    }
}

#[tokio::test]
async fn a_slow_reader_misses_nothing() {
    for way in WAYS {
        let world = World::new(way).await;
        let mut watch = begin(&world, kind(WatchOptions::default())).await.unwrap();
        // Far beyond queue and flow control windows, while nothing is read.
        let writer = async {
            for round in 0..20_000_u32 {
                let id = format!("r{}", round % 50);
                let spec = store::RawSpec {
                    proto: vec![7; 4096],
                    yaml: round.to_string(),
                    sensitive: false,
                };
                let resource = store::Resource {
                    metadata: store::Metadata::new("ns", "Paths.foreign.example", &*id),
                    spec: store::ErasedSpec::raw(spec),
                };
                let put = store::Transaction::new("test").put(resource);
                world.store.commit(put, crate::common::NOW).unwrap();
            }
        };
        writer.await;
        let mut last = std::collections::BTreeMap::new();
        let newest = |last: &std::collections::BTreeMap<String, u32>| {
            last.len() == 50 && last.values().all(|round| *round >= 19_950)
        };
        let mut events = 0;
        while !newest(&last) {
            let event = watch.one().await;
            assert_ne!(event.event_type(), EventType::Errored);
            let resource = event.resource.unwrap();
            let round: u32 = resource.spec.unwrap().yaml_spec.parse().unwrap();
            let id = resource.metadata.unwrap().id;
            let before = last.insert(id, round);
            assert!(before.is_none_or(|before| before < round), "in order");
            events += 1;
        }
        assert!(events < 20_000, "intermediate versions were folded");
    }
}

#[tokio::test]
async fn unknown_kinds_are_empty_not_errors() {
    for way in WAYS {
        let world = World::new(way).await;
        let mut watch = begin(&world, kind(contents())).await.unwrap();
        assert_eq!(watch.told(1).await, ["BOOTSTRAPPED "]);
        assert_eq!(
            world.store.snapshot().kinds().count(),
            0,
            "reading makes no kinds"
        );
    }
}
