//! Names of time servers, by a name server that is slow, wrong or away.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use cosi::Runtime;
use jiff::Timestamp;
use resources::net::{MERGED, RESOLVERS, ResolverSpec, TIME, TimeServerSpec, TimeSpec};
use store::{Resource, Spec, Store, Transaction};

use super::config::Config;
use crate::network::lookup::Lookup;

/// What names lead to; a name that is not there leads nowhere.
type Zone = Arc<Mutex<BTreeMap<String, Vec<IpAddr>>>>;

fn lookup(zone: &Zone, asked: &Arc<Mutex<Vec<String>>>) -> Lookup {
    let (zone, asked) = (Arc::clone(zone), Arc::clone(asked));
    Lookup::new(move |name| {
        let (zone, asked) = (Arc::clone(&zone), Arc::clone(&asked));
        Box::pin(async move {
            asked.lock().unwrap().push(name.clone());
            let found = zone.lock().unwrap().get(&name).cloned();
            found.ok_or_else(|| "nobody knows".to_owned())
        })
    })
}

fn want(store: &Store, servers: &[&str], enabled: bool) {
    let spec = TimeSpec {
        servers: servers.iter().map(|&it| it.to_owned()).collect(),
        enabled,
        ..TimeSpec::default()
    };
    put(store, Resource::new(MERGED, TIME, spec));
}

fn put(store: &Store, resource: Resource) {
    let transaction = Transaction::owned("test").put(resource);
    store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
}

/// The addresses to ask, each with the name it has.
fn asked(store: &Store) -> Vec<(String, String)> {
    let snapshot = store.snapshot();
    let specs = snapshot.list_as::<TimeServerSpec>(TimeServerSpec::DEFINITION.namespace);
    specs
        .map(|it| (it.id().to_owned(), it.spec.server.clone()))
        .collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(id, name): &(&str, &str)| ((*id).to_owned(), (*name).to_owned());
    of.iter().map(owned).collect()
}

async fn until(store: &Store, wanted: &[(&str, &str)]) {
    let wanted = pairs(wanted);
    let what = format!("{wanted:?}");
    testkit::until(&what, || (asked(store) == wanted).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn names_lead_to_addresses_and_keep_leading_there() {
    let (zone, lookups) = (Zone::default(), Arc::default());
    let store = Store::new(1);
    let mut runtime = Runtime::new("machined", store.clone());
    runtime
        .register(Config::new(lookup(&zone, &lookups)))
        .unwrap();
    let testing = async {
        // An address needs nobody, and a name that leads nowhere holds nothing up.
        want(&store, &["10.0.0.1", "ntp.example.org"], true);
        until(&store, &[("10.0.0.1", "10.0.0.1")]).await;

        // It is asked for again until it leads somewhere; of many addresses four are taken, each once.
        let all = ["10.0.0.1", "fd00::1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];
        let all = all.map(|it| it.parse().unwrap()).to_vec();
        zone.lock()
            .unwrap()
            .insert("ntp.example.org".to_owned(), all);
        let found = [
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.2", "ntp.example.org"),
            ("10.0.0.3", "ntp.example.org"),
            ("fd00::1", "ntp.example.org"),
        ];
        until(&store, &found).await;

        // The name server goes away, and another comes that knows nothing: what was known stands.
        zone.lock().unwrap().clear();
        let before = lookups.lock().unwrap().len();
        put(
            &store,
            Resource::new(MERGED, RESOLVERS, ResolverSpec::default()),
        );
        testkit::until("another lookup", || {
            (lookups.lock().unwrap().len() > before + 1).then_some(())
        })
        .await;
        until(&store, &found).await;

        // One more name changes nothing for the others, and turned off nobody is asked.
        let other = vec!["10.0.0.9".parse().unwrap()];
        zone.lock().unwrap().insert("other".to_owned(), other);
        want(&store, &["ntp.example.org", "other"], true);
        until(
            &store,
            &[
                ("10.0.0.1", "ntp.example.org"),
                ("10.0.0.2", "ntp.example.org"),
                ("10.0.0.3", "ntp.example.org"),
                ("10.0.0.9", "other"),
                ("fd00::1", "ntp.example.org"),
            ],
        )
        .await;
        want(&store, &["ntp.example.org"], false);
        until(&store, &[]).await;
    };
    tokio::select! {
        _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
        () = testing => {}
    }
}
