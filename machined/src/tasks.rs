//! Everything that runs at the same time, as branches of one future: when the machine goes down, all of it ends.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use resources::runtime::Condition;
use store::{Spec, Store};
use thiserror::Error;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::UnixListenerStream;

use crate::api::ServeError;
use crate::block::volume::apply::DEVICES;
use crate::config::source;
use crate::images::registry::Registry as Images;
use crate::kubernetes::balancer::Balancer;
use crate::kubernetes::kubelet::inhibit::{self, Ended, Inhibitors};
use crate::network::time::keep;
use crate::network::time::kernel::ThisMachine;
use crate::node::{End, LocalAccess, set_condition};
use crate::runtime::devices::{DeviceError, Devices, Loaded};
use crate::runtime::init_link::{InitLink, InitLinkError, Told};
use crate::runtime::journal::{self, Journal};
use crate::runtime::logs::Logs;
use crate::runtime::machine::Machine;
use crate::runtime::modules;
use crate::runtime::service::daemons;
use crate::runtime::stage::status::{REBOOT, SHUTDOWN};
use crate::start::Machined;

/// How long the API waits to learn what it is to be. Whoever calls meanwhile waits in the socket's queue, rather than be
/// taken for a stranger by a node that has not read its own config yet. Longer than its disk is looked for.
const ENDPOINT: Duration = Duration::from_secs(90);

/// How long services have to end, one after the other, before the machine does. When a signal asked init for the end, it gives this
/// process a minute: 35 seconds for pods to end, three for the API, and these.
const SERVICES: Duration = Duration::from_secs(10);

/// How long devices are left alone after following them broke.
const DEVICES_AGAIN: Duration = Duration::from_secs(10);

/// A part that the node cannot do without has ended. init starts the daemon again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The API.
    #[error("the API")]
    Api(#[source] ServeError),
    /// The API ended though nobody asked it to.
    #[error("the API ended by itself")]
    ApiEnded,
    /// The state's socket.
    #[error("the state's socket")]
    State(#[source] io::Error),
    /// The link to init.
    #[error("the link to init")]
    Init(#[source] InitLinkError),
    /// The controllers and all else.
    #[error("the controllers ended by themselves")]
    Ended,
}

/// Runs the daemon until the machine goes down, or until init waits for this process to end.
///
/// # Errors
/// A part that the node cannot do without has ended.
pub async fn serve(machined: Machined) -> Result<(), Fault> {
    let Machined {
        store,
        registry,
        machine,
        logs,
        controllers,
        mut init,
        sockets,
        api,
        head,
        sources,
        orders,
        end,
        mut endpoint,
        pairing: (kept, shown),
        no_services,
        journal,
        images,
        balancer,
        inhibitors,
        ..
    } = machined;
    let state =
        cosi::wire::Server::new(store.clone(), registry, LocalAccess::default()).into_service();
    init.ready().map_err(Fault::Init)?;
    let api = async {
        let known = timeout(ENDPOINT, endpoint.changed());
        tokio::select! {
            known = known => if known.is_err() {
                tracing::error!("the API begins without knowing its config");
            },
            () = ended(end.subscribe()) => {}
        }
        let served = api.serve(sockets.api, ended(end.subscribe())).await;
        last_things(&store, no_services, &journal, &logs).await;
        served
    };
    let rest = async {
        tokio::join!(
            head.run(orders),
            controllers.run(std::future::pending()),
            devices(&store, &machine),
            journal::task::run(journal.clone(), logs.clone(), store.clone()),
            kept.follow(shown),
            source::follow(&store, sources.as_ref()),
            Box::pin(serve_images(images, sockets.images)),
            Box::pin(balance(balancer, sockets.kubernetes)),
            Box::pin(inhibit(&inhibitors)),
        )
    };
    // The API ends when the machine or this process is to end and its calls have had time to; nothing else ends by
    // itself.
    tokio::select! {
        served = api => served.map_err(Fault::Api)?,
        served = local_state(sockets.state, state) => return Err(Fault::State(served)),
        _ = rest => return Err(Fault::Ended),
        error = lifeline(&mut init, &store, &end, &inhibitors) => return Err(Fault::Init(error)),
    }
    let ended = *end.borrow();
    part(ended, init).await
}

/// The last act of this process.
async fn part(ended: Option<End>, init: InitLink) -> Result<(), Fault> {
    match ended {
        None => Err(Fault::ApiEnded),
        Some(End::Daemon) => {
            tracing::info!("ending");
            Ok(())
        }
        Some(End::Machine(down)) => {
            tracing::info!(?down, "going down");
            init.go_down(down).map_err(Fault::Init)?;
            // Stay until init ends us: a daemon that ends by itself is one that crashed.
            std::future::pending().await
        }
    }
}

/// Waits until an end is ordered.
async fn ended(mut end: watch::Receiver<Option<End>>) {
    // The sender outlives this wait, so there is no error to act on.
    drop(end.wait_for(Option::is_some).await);
}

/// Why the machine ends, if it is that and not this process alone.
fn goes_down(store: &Store) -> Option<String> {
    let snapshot = store.snapshot();
    let ends = [(REBOOT, "started again"), (SHUTDOWN, "switched off")];
    ends.iter().find_map(|(id, how)| {
        let condition = snapshot.get_as::<Condition>(Condition::DEFINITION.namespace, id);
        let condition = condition.filter(|condition| condition.spec.met)?;
        Some(format!("{how}: {}", condition.spec.message))
    })
}

/// What is left to do before the machine ends: services end in their order, those that are left by init, and the reason is
/// noted.
async fn last_things(
    store: &Store,
    mut none: watch::Receiver<bool>,
    journal: &Journal,
    logs: &Logs,
) {
    let Some(why) = goes_down(store) else { return };
    match timeout(SERVICES, none.wait_for(|none| *none)).await {
        Ok(_) => tracing::info!("all services have ended"),
        Err(_) => tracing::warn!("some services have not ended in time"),
    }
    keep::last(store, ThisMachine).await;
    journal.end(why, logs.clone()).await;
}

/// Keeps the line to init, for as long as there is one.
async fn lifeline(
    init: &mut InitLink,
    store: &Store,
    end: &watch::Sender<Option<End>>,
    inhibitors: &Inhibitors,
) -> InitLinkError {
    let mut pods = None;
    loop {
        let told = tokio::select! {
            biased;
            () = ended_pods(&mut pods) => {
                pods = None;
                go_by_init(store, end);
                continue;
            }
            told = init.next() => told,
        };
        match told {
            Ok(Told::Child(child)) => {
                if let Err(error) = daemons::record(store, child, Timestamp::now()) {
                    tracing::error!("recording a service: {}", cosi::report(&error));
                }
            }
            Ok(Told::Shutdown) => {
                tracing::info!("init asks for the end");
                // There is no time for pods to go elsewhere.
                pods = Some(Box::pin(inhibitors.end_pods(false)));
            }
            Err(error) => return error,
        }
    }
}

/// Waits until pods have ended; for ever when nobody asked for it.
async fn ended_pods<F: Future<Output = Ended> + Unpin>(pods: &mut Option<F>) {
    match pods {
        Some(pods) => tracing::info!(ended = ?pods.await, "pods asked to end"),
        None => std::future::pending().await,
    }
}

/// Ends this process, as init asks. Whether the machine then starts again is for init to know; it waits for us to end.
fn go_by_init(store: &Store, end: &watch::Sender<Option<End>>) {
    let told = set_condition(store, SHUTDOWN, true, "asked by init", Timestamp::now());
    if let Err(error) = told {
        tracing::error!("telling the stage: {}", cosi::report(&error));
    }
    end.send_if_modified(|end| end.is_none() && end.replace(End::Daemon).is_none());
}

/// Tells the kubelet of the end; never ends itself.
async fn inhibit(inhibitors: &Inhibitors) {
    let error = match inhibit::listen(inhibit::SOCKET.as_ref()).and_then(UnixListener::from_std) {
        Ok(listener) => inhibitors.serve(listener).await,
        Err(error) => error,
    };
    tracing::error!(%error, "pods are not ended in order before the machine is");
    std::future::pending().await
}

/// Serves the state to daemons on this node; why it does no longer.
async fn local_state(
    listener: std::os::unix::net::UnixListener,
    state: cosi::wire::Service,
) -> io::Error {
    let served = async {
        listener.set_nonblocking(true)?;
        let incoming = UnixListenerStream::new(UnixListener::from_std(listener)?);
        let serve = tonic::transport::Server::builder()
            .add_service(state)
            .serve_with_incoming(incoming);
        serve.await.map_err(io::Error::other)
    };
    match served.await {
        Ok(()) => io::Error::other("nobody connects any more"),
        Err(error) => error,
    }
}

/// Serves images to programs on this node, whatever its config; never ends.
async fn serve_images(images: Images, listener: Option<std::net::TcpListener>) {
    if let Some(listener) = listener {
        let error = images.serve(listener).await;
        tracing::error!(%error, "no images are served any more");
    }
    std::future::pending().await
}

/// Passes connections of this node's programs on to API servers; never ends.
async fn balance(balancer: Balancer, listener: Option<std::net::TcpListener>) {
    if let Some(listener) = listener {
        let error = balancer.serve(listener).await;
        tracing::error!(%error, "no connections to the Kubernetes API are passed on any more");
    }
    std::future::pending().await
}

/// Loads drivers for what is there and for what appears.
async fn devices(store: &Store, machine: &Machine) {
    loop {
        let followed = async {
            let devices = Devices::open(&machine.modules(), &machine.command_line)?;
            note(store, &devices.coldplug().await?);
            let done = "every device of the start has been given its driver";
            if let Err(error) = set_condition(store, DEVICES, true, done, Timestamp::now()) {
                tracing::error!("{}", cosi::report(&error));
            }
            loop {
                note(store, &devices.next().await?);
            }
        };
        let Err(error): Result<Infallible, DeviceError> = followed.await;
        tracing::error!("following devices: {}", cosi::report(&error));
        sleep(DEVICES_AGAIN).await;
    }
}

fn note(store: &Store, loaded: &Loaded) {
    if !loaded.modules.is_empty() {
        tracing::info!(modules = loaded.modules.join(" "), "drivers loaded");
    }
    for failure in &loaded.failures {
        if failure.is_no_device() {
            tracing::debug!("driver: {}", cosi::report(failure));
        } else {
            tracing::warn!("driver: {}", cosi::report(failure));
        }
    }
    if let Err(error) = modules::record(store, Timestamp::now()) {
        tracing::error!("{}", cosi::report(&error));
    }
}

#[cfg(test)]
mod tests {
    use sys::link::{FromInit, pair};

    use super::*;
    use crate::runtime::init_link::Down;

    /// Lets init say something and go; what was ordered by then, and whether the stage was told.
    async fn after(said: &FromInit, before: Option<End>) -> (Option<End>, bool) {
        let (theirs, ours) = pair().expect("a link");
        let store = Store::new(1);
        let end = watch::Sender::new(before);
        let mut init = InitLink::new(ours).expect("a runtime");
        theirs.send(said, None).expect("sent");
        drop(theirs);
        let lost = timeout(
            Duration::from_secs(10),
            lifeline(&mut init, &store, &end, &Inhibitors::default()),
        )
        .await;
        lost.expect("a lost init ends it");
        let namespace = Condition::DEFINITION.namespace;
        let told = store.snapshot().get_as::<Condition>(namespace, SHUTDOWN);
        let ordered = *end.borrow();
        (ordered, told.is_some_and(|condition| condition.spec.met))
    }

    #[tokio::test]
    async fn init_is_answered_by_an_end_and_nothing_that_was_ordered_is_undone() {
        assert_eq!(
            after(&FromInit::Shutdown, None).await,
            (Some(End::Daemon), true)
        );
        let reboot = Some(End::Machine(Down::Reboot));
        assert_eq!(after(&FromInit::Shutdown, reboot).await.0, reboot);
    }
}
