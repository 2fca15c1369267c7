//! What a config costs a node that runs: one changed field until it is in force, and a thousand documents until they are
//! understood.
//!
//! All is asked over one connection that stays. What takes long is divided by what takes little on that same connection,
//! both in turns: host, network, encryption and the node's own scheduler are in both, and a busy host slows both. The node
//! has no disk, since what a host's disk takes for a flush says nothing about ours.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use api::v1alpha1::machine_service_client::MachineServiceClient;
use api::v1alpha1::{ApplyConfigRequest, VersionRequest};
use cosi::wire::{Client, Watch, WatchStream, WireEvent};
use e2e::{Agent, Lab, agent, places};
use provision::Medium;
use resources::runtime::{KernelParamState, KernelParamStatus};
use store::{Registry, Spec as _, Typed};
use tonic::transport::Channel;

use crate::caller;
use crate::row::{Row, Unit, median};

/// What most machines in a local cluster have.
const MEMORY: u32 = 512;

/// How often each is measured.
const TURNS: usize = 15;

/// Round trips per turn: their median is what the turn is divided by.
const ROUND_TRIPS: usize = 7;

/// The setting that is changed: nothing on the node goes by it, and the kernel takes any such number.
const SETTING: &str = "net.core.somaxconn";

/// Its values are this and what follows.
const FIRST_VALUE: usize = 5000;

/// The documents of the large and the small config.
const MANY: usize = 1000;
const FEW: usize = 100;

/// How long all of it may take where processors help.
const CONVERSATION: Duration = Duration::from_secs(120);

pub(crate) fn measure() -> Result<Vec<Row>> {
    let image = places::cloud()?;
    let lab = Lab::new(1)?.quiet();
    let mut vm = image.vm("config".parse()?, MEMORY, Medium::Direct, false)?;
    agent::equip(&lab, &mut vm)?;
    let mut node = lab.node(&image, vm)?;
    node.configure_with(&setting(FIRST_VALUE))?;
    let mut agent = Agent::meet(&lab, &node)?;
    let file = lab.home().join(format!("{}.yaml", node.name));
    let text = fs::read_to_string(file).context("reading the node's config")?;
    let base = text.replace(&setting(FIRST_VALUE), "");
    let limit = lab.patience(CONVERSATION);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().context("starting a runtime")?;
    let measured = async {
        let channel = caller::connect(&lab, &node).await?;
        let mut bench = Bench::new(channel, base);
        // First, while nothing large was there: what is freed is not always given back.
        let memory = bench.memory(&mut agent).await?;
        let mut rows = bench.one_field().await?;
        rows.extend(bench.documents().await?);
        rows.push(memory);
        Ok(rows)
    };
    let measured = runtime.block_on(async { tokio::time::timeout(limit, measured).await });
    measured.context("measuring configs takes too long")?
}

struct Bench {
    machine: MachineServiceClient<Channel>,
    state: Client,
    /// The node's config without what is measured.
    base: String,
}

impl Bench {
    fn new(channel: Channel, base: String) -> Self {
        Self {
            machine: MachineServiceClient::new(channel.clone()),
            state: Client::new(channel, Arc::new(Registry::new())),
            base,
        }
    }

    /// From the order until the kernel has the value and the node says so to who watches.
    async fn one_field(&mut self) -> Result<Vec<Row>> {
        let (mut applies, mut ratios, mut trips) = (Vec::new(), Vec::new(), Vec::new());
        let watch = Watch {
            id: Some(SETTING.to_owned()),
            ..Watch::default()
        };
        let kind = KernelParamStatus::DEFINITION;
        let mut watch = self.state.watch(kind.namespace, kind.ty, &watch).await?;
        for turn in 1..=TURNS {
            let trip = self.round_trip().await?;
            let value = FIRST_VALUE + turn;
            let documents = format!("{}{}", self.base, setting(value));
            let begin = Instant::now();
            self.apply(documents, false).await?;
            in_force(&mut watch, &value.to_string()).await?;
            let apply = begin.elapsed().as_secs_f64();
            applies.push(apply);
            ratios.push(apply / trip);
            trips.push(trip);
        }
        Ok(vec![
            Row::new("config.apply.ratio", Unit::Ratio, ratios),
            Row::new("config.apply", Unit::Seconds, applies),
            Row::new("config.round-trip", Unit::Seconds, trips),
        ])
    }

    /// Documents until the node says what they would change: read, checked, and held against what runs.
    async fn documents(&mut self) -> Result<Vec<Row>> {
        let (few, many) = (config(&self.base, FEW), config(&self.base, MANY));
        let (mut times, mut ratios) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let few = self.dry_run(&few).await?;
            let many = self.dry_run(&many).await?;
            ratios.push(per_document(many, few));
            times.push(many);
        }
        Ok(vec![
            Row::new("config.documents.ratio", Unit::Ratio, ratios),
            Row::new("config.documents", Unit::Seconds, times),
        ])
    }

    /// What machined's memory came to while it looked at many documents, beyond what it had.
    async fn memory(&mut self, agent: &mut Agent) -> Result<Row> {
        let process = agent.ask_one("pid machined")?;
        let mut status = || agent.ask(&format!("read /proc/{process}/status"));
        let before = kibibytes(&status()?, "VmRSS:").context("the memory of machined")?;
        let many = config(&self.base, MANY);
        self.dry_run(&many).await?;
        let peak = kibibytes(&status()?, "VmHWM:").context("the most memory of machined")?;
        let each = f64::from(peak.saturating_sub(before)) / documents(MANY);
        Ok(Row::new(
            "config.documents.memory",
            Unit::Kibibytes,
            vec![each],
        ))
    }

    async fn round_trip(&mut self) -> Result<f64> {
        let mut trips = Vec::new();
        for _ in 0..ROUND_TRIPS {
            let begin = Instant::now();
            self.machine.version(VersionRequest {}).await?;
            trips.push(begin.elapsed().as_secs_f64());
        }
        Ok(median(&trips))
    }

    async fn dry_run(&mut self, text: &str) -> Result<f64> {
        let begin = Instant::now();
        self.apply(text.to_owned(), true).await?;
        Ok(begin.elapsed().as_secs_f64())
    }

    async fn apply(&mut self, text: String, dry_run: bool) -> Result<()> {
        let request = ApplyConfigRequest {
            documents: text.into_bytes(),
            dry_run,
            ..Default::default()
        };
        self.machine.apply_config(request).await?;
        Ok(())
    }
}

/// Waits until the node says that the kernel has this value.
async fn in_force(watch: &mut WatchStream, value: &str) -> Result<()> {
    while let Some(told) = watch.next().await? {
        let (WireEvent::Created(now) | WireEvent::Updated { new: now, .. }) = told.event else {
            continue;
        };
        let status =
            Typed::<KernelParamStatus>::from_resource(&now).context("a setting's status")?;
        if status.spec.state == KernelParamState::Applied && status.spec.value == value {
            return Ok(());
        }
    }
    bail!("the node has ended the watch")
}

fn setting(value: usize) -> String {
    format!("---\napiVersion: garboard/v1alpha1\nkind: Sysctl\nname: {SETTING}\nvalue: {value}\n")
}

/// A config of so many documents, its own included.
fn config(base: &str, count: usize) -> String {
    let own = base.matches("apiVersion:").count();
    let mut text = base.to_owned();
    for number in 0..count.saturating_sub(own) {
        let (third, fourth) = (number / 250, number % 250 + 1);
        write!(
            text,
            "---\napiVersion: garboard/v1alpha1\nkind: StaticHost\nname: host-{number}.example.org\n\
             addresses: [10.1.{third}.{fourth}, \"fd00::{third}:{fourth}\"]\naliases: [host-{number}]\n"
        )
        .expect("text takes everything");
    }
    text
}

/// How a document of the large config costs more than one of the small.
fn per_document(many: f64, few: f64) -> f64 {
    (many / documents(MANY)) / (few / documents(FEW))
}

fn documents(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A number of a process's `status`.
fn kibibytes(status: &[String], field: &str) -> Option<u32> {
    let line = status.iter().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: node\n";

    #[test]
    fn a_config_has_as_many_documents_as_were_asked_for_and_is_right() {
        for count in [FEW, MANY] {
            let text = config(BASE, count);
            let documents = ::config::check("bench", text.as_bytes()).unwrap();
            assert_eq!(documents.iter().count(), count);
        }
        let text = format!("{BASE}{}", setting(FIRST_VALUE));
        ::config::check("bench", text.as_bytes()).unwrap();
    }

    #[test]
    fn ten_times_the_documents_in_ten_times_the_time_is_one() {
        assert!((per_document(3.0, 0.3) - 1.0).abs() < 1e-9);
        assert!((per_document(6.0, 0.3) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn reads_a_processs_status() {
        let status = [
            "VmHWM:\t   12345 kB".to_owned(),
            "VmRSS:\t 99 kB".to_owned(),
        ];
        assert_eq!(kibibytes(&status, "VmHWM:"), Some(12345));
        assert_eq!(kibibytes(&status, "VmRSS:"), Some(99));
        assert_eq!(kibibytes(&status, "VmSwap:"), None);
    }
}
