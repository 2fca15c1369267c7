//! Asks every API server again and again how it is, and what it is, each in its own time.

use std::convert::Infallible;
use std::time::Duration;

use ::config::Host;
use ::config::skew::Release;
use futures_util::future::join_all;
use pki::{Identity, Trust};
use rustls_pki_types::ServerName;
use tokio::time::{Instant, sleep_until, timeout};

use super::backends::{Target, beside};
use super::health::{Health, State};
use super::pass::{DIAL, Shared};
use super::ready;

/// How long one is left alone that is well. Clients find out by themselves that a connection leads nowhere; this is for those that
/// answer, and should not be asked.
const LATER: Duration = Duration::from_secs(20);

/// And one that is not: it is tried last meanwhile, though it may be the nearest. One that has not said what it is keeps this node
/// from running anything newer.
const SOON: Duration = Duration::from_secs(5);

/// And the node's own one, which other programs of the node wait for, while there is none at all.
const NONE: Duration = Duration::from_secs(1);

/// Never ends.
pub(super) async fn run(shared: &Shared) -> Infallible {
    let mut changes = shared.backends.clone();
    loop {
        let backends = changes.borrow_and_update().clone();
        shared.health.send_if_modified(|health| {
            let before = health.clone();
            health.keep(&backends);
            *health != before
        });
        // One that takes its time holds up no other.
        let looks = join_all(backends.iter().map(|it| look_after(shared, &it.target)));
        tokio::select! {
            // Whoever says where to go is gone with everything else, or will say something else again.
            gone = changes.changed() => if gone.is_err() { std::future::pending::<()>().await },
            () = async {
                looks.await;
                std::future::pending().await
            } => {}
        }
    }
}

/// Asks one again and again.
async fn look_after(shared: &Shared, target: &Target) -> Infallible {
    let mut health = shared.health.subscribe();
    loop {
        let found = look(shared, target).await;
        let well = found.is_ok();
        shared.note(target, found);
        if well && let Some(release) = release(shared, target).await {
            shared.note_release(target, release);
        }
        let asked = Instant::now();
        loop {
            let pause = pause(&health.borrow_and_update(), target);
            tokio::select! {
                () = sleep_until(asked + pause) => break,
                // A connection may find out that it is not well.
                _ = health.changed() => {}
            }
        }
    }
}

/// How long one is left alone.
fn pause(health: &Health, target: &Target) -> Duration {
    let own = || *target == Target::from(beside());
    match health.of(target) {
        Some(State::Well) if health.release(target).is_some() => LATER,
        _ if own() && !health.any_is_well() => NONE,
        _ => SOON,
    }
}

/// The name by which one proves itself.
fn name(target: &Target) -> Result<ServerName<'static>, String> {
    match &target.host {
        Host::Address(address) => Ok(ServerName::IpAddress((*address).into())),
        Host::Name(name) => {
            let name = pki::tls::server_name(name.as_str());
            name.map_err(|error| error.to_string())
        }
    }
}

/// A file of the kubelet's; none as long as the node does not have it.
async fn file(shared: &Shared, name: &str) -> Option<String> {
    let text = tokio::fs::read_to_string(shared.kubelet.join(name)).await;
    text.ok()
}

/// What one is, asked with the node's own certificate: strangers are not told. Nothing when it does not say; it is asked again.
async fn release(shared: &Shared, target: &Target) -> Option<Release> {
    let asked = async {
        let authority = Trust::from_pem(&file(shared, "ca.crt").await?).ok()?;
        let own = file(shared, "client.pem").await?;
        let own = Identity::from_pem(&own, &own).ok()?;
        let stream = shared.reach(target).await.ok()?;
        ready::release(stream, name(target).ok()?, &authority, &own).await
    };
    timeout(DIAL, asked).await.ok()?
}

/// How one is; in words why not.
async fn look(shared: &Shared, target: &Target) -> Result<(), String> {
    let asked = async {
        let stream = shared.reach(target).await?;
        // Before the node has the cluster's authority nobody can prove himself: that it listens has to be enough.
        let authority = file(shared, "ca.crt").await;
        match authority.map(|text| Trust::from_pem(&text)) {
            Some(Ok(authority)) => ready::ask(stream, name(target)?, &authority).await,
            Some(Err(error)) => Err(cosi::report(&error)),
            None => Ok(()),
        }
    };
    timeout(DIAL, asked)
        .await
        .unwrap_or_else(|_| Err(format!("no answer in {} s", DIAL.as_secs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_not_well_is_asked_sooner_and_the_own_one_first() {
        let other = Target {
            host: "api.lab".parse().unwrap(),
            port: 6443,
        };
        let own = Target::from(beside());
        let mut health = Health::default();
        assert_eq!((pause(&health, &own), pause(&health, &other)), (NONE, SOON));
        for target in [&own, &other] {
            health.note(target, Err("refused".to_owned()));
        }
        assert_eq!((pause(&health, &own), pause(&health, &other)), (NONE, SOON));
        health.note(&other, Ok(()));
        assert_eq!(pause(&health, &other), SOON, "it has not said what it is");
        health.note_release(&other, "1.37.1".parse().unwrap());
        assert_eq!(
            (pause(&health, &own), pause(&health, &other)),
            (SOON, LATER)
        );
        health.note(&own, Ok(()));
        health.note_release(&own, "1.37.1".parse().unwrap());
        assert_eq!(pause(&health, &own), LATER);
    }
}
