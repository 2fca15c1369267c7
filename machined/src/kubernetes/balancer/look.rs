//! Asks every API server again and again how it is.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::join_all;
use pki::Trust;
use rustls_pki_types::ServerName;
use tokio::time::{sleep, timeout};

use super::backends::Target;
use super::pass::{DIAL, Shared};
use super::ready;

/// How long all are left alone while they are well. Clients find out by themselves that a connection leads nowhere; this is for
/// those that answer, and should not be asked.
const LATER: Duration = Duration::from_secs(20);

/// And while one is not: that one is tried last meanwhile, though it may be the nearest.
const SOON: Duration = Duration::from_secs(5);

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
        let looks = backends.iter().map(|backend| async {
            let found = look(shared, &backend.target).await;
            shared.note(&backend.target, found);
        });
        join_all(looks).await;
        let well = shared.health.borrow().all_well(&backends);
        let changed = changes.changed();
        tokio::select! {
            // Whoever says where to go is gone with everything else, or will say something else again.
            gone = changed => if gone.is_err() { std::future::pending::<()>().await },
            () = sleep(if well { LATER } else { SOON }) => {}
        }
    }
}

/// How one is; in words why not.
async fn look(shared: &Shared, target: &Target) -> Result<(), String> {
    let name = match target {
        Target::Address(address) => Ok(ServerName::IpAddress(address.ip().into())),
        Target::Name(name, _) => pki::tls::server_name(name).map_err(|error| error.to_string()),
    };
    let asked = async {
        let stream = shared.reach(target).await?;
        // Before the node has the cluster's authority nobody can prove himself: that it listens has to be enough.
        let authority = tokio::fs::read_to_string(&shared.authority).await;
        match authority.map(|text| Trust::from_pem(&text)) {
            Ok(Ok(authority)) => ready::ask(stream, name?, &authority).await,
            Ok(Err(error)) => Err(cosi::report(&error)),
            Err(_) => Ok(()),
        }
    };
    timeout(DIAL, asked)
        .await
        .unwrap_or_else(|_| Err(format!("no answer in {} s", DIAL.as_secs())))
}
