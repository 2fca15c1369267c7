//! Calls of `cosi.resource.State`, as any client may make them: a sequence against one store.

use std::sync::Arc;

use cosi::wire::proto::state_server::State;
use cosi::wire::{Open, Server, proto};
use futures_util::{FutureExt, StreamExt};
use prost::Message;
use store::Store;
use tonic::{Request, Status};

use super::bytes;
use super::spec::REGISTRY;

/// The most calls of one input: state builds up, but an input stays quick.
const CALLS: usize = 32;
/// The most answers that are taken from a stream.
const ANSWERS: usize = 64;

pub(super) fn run(mut data: &[u8]) {
    let store = Store::new(1);
    let server = Server::new(store.clone(), Arc::new(REGISTRY.clone()), Open);
    for _ in 0..CALLS {
        if data.is_empty() {
            break;
        }
        let method = bytes::first(&mut data) % 8;
        let message = bytes::piece(&mut data);
        call(&server, method, message);
    }
}

/// Makes one call and looks at its answers. No call may wait, except for someone else's write.
fn call(server: &Server, method: u8, message: &[u8]) {
    match method {
        0 => with(message, |it| one(server.get(it), |it| it.resource)),
        1 => with(message, |it| {
            let Some(Ok(answers)) = server.list(it).now_or_never() else {
                return;
            };
            let answers = answers
                .into_inner()
                .take(ANSWERS)
                .map(|it| it.map(|it| it.resource));
            resources(
                answers
                    .collect::<Vec<_>>()
                    .now_or_never()
                    .unwrap_or_default(),
            );
        }),
        2 => with(message, |it| one(server.create(it), |it| it.resource)),
        3 => with(message, |it| one(server.update(it), |it| it.resource)),
        4 => with(message, |it| one(server.destroy(it), |_| None)),
        5 => with(message, |it| one(server.teardown(it), |_| None)),
        // This one waits until nobody holds the resource, so it may not be done at once.
        6 => with(message, |it| {
            drop(server.teardown_and_destroy(it).now_or_never())
        }),
        _ => with(message, |it| {
            let Some(Ok(answers)) = server.watch(it).now_or_never() else {
                return;
            };
            let mut answers = answers.into_inner();
            for _ in 0..ANSWERS {
                let Some(Some(Ok(answer))) = answers.next().now_or_never() else {
                    return;
                };
                for event in answer.event {
                    resources([Ok(event.resource), Ok(event.old)]);
                }
            }
        }),
    }
}

fn with<M: Message + Default>(message: &[u8], call: impl FnOnce(Request<M>)) {
    if let Ok(message) = M::decode(message) {
        call(Request::new(message));
    }
}

/// A call that answers at once, with a resource or without.
fn one<A>(
    call: impl Future<Output = Result<tonic::Response<A>, Status>>,
    resource: impl FnOnce(A) -> Option<proto::Resource>,
) {
    let answer = call.now_or_never().expect("the call waits");
    resources([answer.map(|it| resource(it.into_inner()))]);
}

/// What the server tells of a resource is well formed, whoever wrote it.
fn resources(answers: impl IntoIterator<Item = Result<Option<proto::Resource>, Status>>) {
    for answer in answers {
        let resource = match answer {
            Ok(resource) => resource,
            Err(status) => {
                assert!(status.message().len() <= 64 << 10, "an endless refusal");
                continue;
            }
        };
        let Some(resource) = resource else { continue };
        let metadata = resource.metadata.as_ref().expect("a resource has metadata");
        assert!(resource.spec.is_some(), "clients rely on a spec");
        assert!(matches!(&*metadata.phase, "running" | "tearingDown"));
        assert!(metadata.version.parse::<u64>().is_ok() || metadata.version == "undefined");
        let nanos = metadata.created.as_ref().map(|it| it.nanos);
        assert!(nanos.is_some_and(|it| (0..1_000_000_000).contains(&it)));
    }
}
