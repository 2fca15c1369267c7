//! The numbers as text: every family with its name, meaning and unit. Pure.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::calls::Calls;
use super::facts::Facts;

/// What every name begins with.
const PREFIX: &str = "garboard";

type Labels = Vec<(&'static str, String)>;

/// What a family is called, what it says, and in what unit.
type About = (&'static str, &'static str, Option<Unit>);

/// Everything, in OpenMetrics' text format.
///
/// # Errors
/// Only what formatting itself reports.
pub(super) fn text(facts: Facts, calls: &Calls) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix(PREFIX);
    let version = &facts.version;
    let build = Info::new(vec![
        ("version", version.version.clone()),
        ("kernel", version.kernel.clone()),
        ("architecture", version.architecture.clone()),
        ("root_hash", version.root_hash.clone()),
    ]);
    registry.register("build", "What runs here", build);
    registry.register_collector(Box::new(facts));
    let about = "Finished calls of the API, by how they ended; `other` is no method of ours";
    registry.register("api_calls", about, calls.family());
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

impl Collector for Facts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.machine(&mut encoder)?;
        self.processes(&mut encoder)?;
        self.store(&mut encoder)?;
        self.controllers(&mut encoder)
    }
}

impl Facts {
    fn machine(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let about = (
            "boot_time",
            "When the kernel started, since 1970",
            seconds(),
        );
        one(encoder, about, ConstGauge::new(self.booted.as_second()))?;
        let about = (
            "uptime",
            "Since the kernel started, sleep included",
            seconds(),
        );
        one(encoder, about, ConstGauge::new(self.uptime.as_secs_f64()))?;
        let about = ("stage", "How far the node is: one sample, always 1", None);
        let stages = self.stage.iter();
        let stages = stages.map(|stage| (vec![("stage", stage.clone())], ConstGauge::new(1)));
        each(encoder, about, stages)?;
        let Some((generation, taken)) = &self.config else {
            return Ok(());
        };
        let about = ("config_generation", "The number of the config", None);
        one(encoder, about, ConstGauge::new(*generation))?;
        let about = (
            "config_time",
            "When the config was applied, by the node's clock, since 1970",
            seconds(),
        );
        one(encoder, about, ConstGauge::new(taken.as_second()))
    }

    fn processes(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let label = |name: &str| vec![("process", name.to_owned())];
        let used = || self.processes.iter();
        let about = ("process_cpu", "Processor time used", seconds());
        let samples = used().map(|it| (label(&it.name), ConstCounter::new(it.cpu.as_secs_f64())));
        each(encoder, about, samples)?;
        let about = (
            "process_resident_memory",
            "Memory in RAM, shared pages whole",
            bytes(),
        );
        let samples = used().map(|it| (label(&it.name), ConstGauge::new(it.resident)));
        each(encoder, about, samples)?;
        let about = (
            "process_proportional_memory",
            "Memory in RAM, shared pages divided by those who share them",
            bytes(),
        );
        let samples =
            used().filter_map(|it| Some((label(&it.name), ConstGauge::new(it.proportional?))));
        each(encoder, about, samples)?;
        let about = (
            "service_restarts",
            "How often a daemon or service was started again",
            None,
        );
        let samples = self.restarts.iter().map(|(name, restarts)| {
            let label = vec![("service", name.clone())];
            (label, ConstCounter::new(*restarts))
        });
        each(encoder, about, samples)
    }

    fn store(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let about = ("store_resources", "Resources there are", None);
        let samples = self.kinds.iter().map(|(namespace, ty, count)| {
            let labels = vec![("namespace", namespace.clone()), ("type", ty.clone())];
            (labels, ConstGauge::new(*count))
        });
        each(encoder, about, samples)?;
        let about = (
            "store_commits",
            "Commits since machined was started last",
            None,
        );
        one(encoder, about, ConstCounter::new(self.commits))?;
        let about = ("store_watches", "Those who watch the state", None);
        one(encoder, about, ConstGauge::new(self.watches))
    }

    fn controllers(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let label = |name: &str| vec![("controller", name.to_owned())];
        let counts = || self.controllers.iter();
        let about = (
            "controller_runs",
            "Runs that have ended, of machined's controllers",
            None,
        );
        let samples = counts().map(|it| (label(it.name), ConstCounter::new(it.runs)));
        each(encoder, about, samples)?;
        let about = ("controller_failures", "Runs that have failed", None);
        let samples = counts().map(|it| (label(it.name), ConstCounter::new(it.failures)));
        each(encoder, about, samples)?;
        let about = (
            "controller_queue",
            "Changes that wait for the next run",
            None,
        );
        let samples = counts().map(|it| (label(it.name), ConstGauge::new(it.waiting)));
        each(encoder, about, samples)?;
        let about = (
            "controller_failing",
            "Whether the last run failed, of networkd's controllers too",
            None,
        );
        let samples = self.failing.iter().map(|(runtime, name, failed)| {
            let labels = vec![("runtime", runtime.clone()), ("controller", name.clone())];
            (labels, ConstGauge::new(i64::from(*failed)))
        });
        each(encoder, about, samples)
    }
}

fn seconds() -> Option<Unit> {
    Some(Unit::Seconds)
}

fn bytes() -> Option<Unit> {
    Some(Unit::Bytes)
}

/// A family of one sample without labels.
fn one(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, unit): About,
    metric: impl EncodeMetric,
) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, unit.as_ref(), metric.metric_type())?)
}

/// A family with a sample for each set of labels; nothing at all without any.
fn each<M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, unit): About,
    samples: impl Iterator<Item = (Labels, M)>,
) -> fmt::Result {
    let mut samples = samples.peekable();
    let Some((_, first)) = samples.peek() else {
        return Ok(());
    };
    let kind = first.metric_type();
    let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), kind)?;
    for (labels, metric) in samples {
        metric.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
