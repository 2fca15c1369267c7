//! Keeps one client per wanted link, and turns what they hold into statuses and specs.
//!
//! A client is only stopped when its spec is there and says so, or when absence is proof (D13). Until then also the outputs of an
//! earlier life of this process stay as they are.

use std::collections::BTreeMap;

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use futures_util::stream;
use netlink::Link;
use resources::net::{
    AddressSpec, Dhcp4Lease, Dhcp4Spec, HostnameSpec, LAYERED, LinkName, ResolverSpec, RouteSpec,
    TimeSpec,
};
use store::{Spec, Typed};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client::Client;
use super::lease::Lease;
use super::message::Mac;
use super::outputs::{Outputs, PREFIX, outputs};
use super::port::Port;
use super::task::{self, Order, Report, since_boot};
use crate::kernel::{Failures, Kernel};

/// A client that runs.
#[derive(Debug)]
struct Running {
    index: u32,
    mac: Mac,
    metric: u32,
    orders: watch::Sender<Order>,
    reports: watch::Receiver<Report>,
}

/// The controller.
#[derive(Debug)]
pub struct Dhcp4Apply {
    kernel: Kernel,
    running: BTreeMap<LinkName, Running>,
    /// Every client's task; dropped with the controller, which ends them without giving a lease back.
    tasks: JoinSet<()>,
    /// Counts reports of all clients.
    news: watch::Sender<u64>,
}

cosi::declare! {
    Dhcp4Apply as "network.dhcp4.apply" {
        reads Dhcp4Spec;
        writes Dhcp4Lease;
        shares AddressSpec: LAYERED;
        shares RouteSpec: LAYERED;
        shares ResolverSpec: LAYERED;
        shares HostnameSpec: LAYERED;
        shares TimeSpec: LAYERED;
    }
}

impl Dhcp4Apply {
    /// Without any client.
    #[must_use]
    pub fn new(kernel: Kernel) -> Self {
        Self {
            kernel,
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
            news: watch::Sender::new(0),
        }
    }

    /// Starts, tells and stops clients; what could not be started is noted.
    fn tend(
        &mut self,
        wanted: &[Dhcp4Spec],
        links: &[Link],
        kept: &[Typed<Dhcp4Lease>],
        proof: bool,
    ) -> Failures {
        let mut failures = Failures::default();
        let on = |name: &LinkName| wanted.iter().find(|s| s.link == *name);
        self.running.retain(|name, running| {
            let link = links
                .iter()
                .find(|l| l.index == running.index && l.name == name.as_str());
            let same = link.is_some_and(|l| mac(l) == Some(running.mac));
            let unwanted = on(name).map_or(proof, |s| !s.enabled);
            if unwanted {
                running.orders.send_replace(Order::Stop);
            }
            same && !unwanted
        });
        for spec in wanted.iter().filter(|s| s.enabled) {
            let Some(link) = links.iter().find(|l| l.name == spec.link.as_str()) else {
                failures.wait(format!("link {} for DHCP", spec.link));
                continue;
            };
            if let Err(error) = self.ensure(spec, link, kept) {
                failures.fail(cosi::report(&error));
            }
        }
        failures
    }

    fn ensure(
        &mut self,
        spec: &Dhcp4Spec,
        link: &Link,
        kept: &[Typed<Dhcp4Lease>],
    ) -> Result<(), super::port::PortError> {
        let order = Order::Run {
            carrier: link.up && link.carrier,
        };
        if let Some(running) = self.running.get_mut(&spec.link) {
            running.metric = spec.route_metric();
            running
                .orders
                .send_if_modified(|old| std::mem::replace(old, order) != order);
            return Ok(());
        }
        let Some(mac) = mac(link) else { return Ok(()) };
        let port = Port::open(&spec.link, link.index)?;
        let kept = kept.iter().find(|k| *k.metadata.id == *spec.link.as_str());
        let remembered = kept.and_then(|k| Lease::from_resource(&k.spec, since_boot()));
        let client = Client::new(mac, remembered);
        let (reporter, reports) = watch::channel(Report::of(&client));
        let (orders, mut listener) = watch::channel(order);
        // The first order counts as news to the client.
        listener.mark_changed();
        self.tasks.spawn(task::run(
            spec.link.clone(),
            client,
            port,
            listener,
            reporter,
        ));
        self.tasks
            .spawn(forward(reports.clone(), self.news.clone()));
        let metric = spec.route_metric();
        let running = Running {
            index: link.index,
            mac,
            metric,
            orders,
            reports,
        };
        self.running.insert(spec.link.clone(), running);
        Ok(())
    }

    /// Writes what every client holds, and takes back what nobody stands for any more.
    fn publish(&self, cx: &mut Cx<'_, Self>, proof: bool) {
        let mut all = Outputs::default();
        let mut leases: Vec<(String, Dhcp4Lease)> = Vec::new();
        for (link, running) in &self.running {
            let report = running.reports.borrow();
            leases.push((link.to_string(), report.status.clone()));
            if let Some(lease) = &report.lease {
                all.append(outputs(link, running.metric, lease));
            }
        }
        let gone = |id: &str| proof || link_of(id).is_some_and(|l| self.running.contains_key(l));
        write(cx, leases, gone);
        write(cx, all.addresses, gone);
        write(cx, all.routes, gone);
        write(cx, all.resolvers, gone);
        write(cx, all.hostname, gone);
        write(cx, all.time, gone);
    }
}

/// Puts what is wanted of one type; of what was written before, what may go goes.
fn write<S: Spec>(
    cx: &mut Cx<'_, Dhcp4Apply>,
    wanted: Vec<(String, S)>,
    gone: impl Fn(&str) -> bool,
) where
    Dhcp4Apply: cosi::Writes<S>,
{
    for old in cx.mine::<S>() {
        let id = &*old.metadata.id;
        if gone(id) && !wanted.iter().any(|(w, _)| w == id) {
            cx.remove::<S>(id);
        }
    }
    for (id, spec) in wanted {
        cx.put(id, spec);
    }
}

/// The link an output's id is about: `operator/dhcp4/<link>/...`, or the link alone.
fn link_of(id: &str) -> Option<&str> {
    id.strip_prefix(PREFIX).unwrap_or(id).split('/').next()
}

fn mac(link: &Link) -> Option<Mac> {
    link.is_ethernet()
        .then(|| link.address.as_slice().try_into().ok())
        .flatten()
}

async fn forward(mut reports: watch::Receiver<Report>, news: watch::Sender<u64>) {
    while reports.changed().await.is_ok() {
        news.send_modify(|n| *n = n.wrapping_add(1));
    }
}

impl Controller for Dhcp4Apply {
    fn sources(&mut self) -> Vec<Source> {
        let news = stream::unfold(self.news.subscribe(), |mut news| async move {
            news.changed().await.ok()?;
            Some(((), news))
        });
        vec![self.kernel.links(), Box::pin(news)]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let links = self.kernel.netlink().links().await?;
        let wanted: Vec<_> = cx
            .list::<Dhcp4Spec>()
            .iter()
            .map(|s| (*s.spec).clone())
            .collect();
        let (kept, proof) = (cx.mine::<Dhcp4Lease>(), cx.deletions_allowed());
        // Ended tasks are only counted out here; what they had to say is in their reports.
        while self.tasks.try_join_next().is_some() {}
        let failures = self.tend(&wanted, &links, &kept, proof);
        self.publish(cx, proof);
        failures.outcome()
    }
}
