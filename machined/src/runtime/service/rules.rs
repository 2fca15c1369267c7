//! What a service should be, checked: what is here can be started and planned with.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use aws_lc_rs::digest;
use caps::Capability;
use data_encoding::HEXLOWER;
use nix::sys::signal::Signal;
use resources::runtime::{ServiceRestart, ServiceSpec};
use serde::{Deserialize, Serialize};
use store::ErasedSpec;
use thiserror::Error;

use super::container::spec::{Container, ContainerError};
use super::health::{Check, CheckError};

/// What a service has for its end before it is killed, unless it says otherwise.
pub(super) const STOP: Duration = Duration::from_secs(10);

/// The longest name: what fits a DNS label, and all that is made of it.
const MAX_NAME: usize = 63;

/// The service that pulls and unpacks the images of others.
pub(super) const CONTAINERD: &str = "containerd";

/// The daemons that init keeps running; no service can be called like them.
pub(super) const DAEMONS: [&str; 3] = ["init", "machined", "networkd"];

/// A service's name: 1 to 63 small letters, digits and `-`, none of them `-` first. It is the name of files and folders.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// A text is no name for a service.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// It cannot be the name of a file.
    #[error(
        "{0:?} is no name of a service; it has 1 to 63 small letters, digits and `-`, and begins with none of the last"
    )]
    Form(String),
    /// It is taken.
    #[error("{0} is the name of a part of the system, which init keeps running; choose another")]
    Taken(String),
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(plain);
        if !fits || text.starts_with('-') {
            return Err(NameError::Form(text.to_owned()));
        }
        if DAEMONS.contains(&text) {
            return Err(NameError::Taken(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl Name {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a service cannot be as it is described.
#[derive(Debug, Error)]
pub(super) enum ServiceError {
    #[error("program {0:?} is no path from the root")]
    Program(String),
    #[error("its container")]
    Container(#[source] ContainerError),
    #[error("{0:?} in the environment is not NAME=VALUE")]
    Environment(String),
    #[error("a text of it holds a zero byte")]
    Zero,
    #[error(
        "there is no capability {0}; they are called like CAP_NET_ADMIN, and `all` stands alone"
    )]
    Capability(String),
    #[error("cpuWeight is {0}, and has to be 1 to 10000")]
    CpuWeight(u32),
    #[error("oomScoreAdj is {0}, and has to be -1000 to 1000")]
    OomScore(i32),
    #[error("there is no signal {0:?}; they are called like SIGTERM")]
    Signal(String),
    #[error("what it is started after")]
    Name(#[source] NameError),
    #[error("its check")]
    Check(#[source] CheckError),
}

/// What a plan is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// The hash of what its process is. When this changes the service has to be started again; for all else not.
    pub(super) identity: String,
    /// Services that are started before it, where there are any.
    pub(super) after: BTreeSet<Name>,
    /// Services that must run before it.
    pub(super) needs: BTreeSet<Name>,
    /// Conditions that must be met before it.
    pub(super) conditions: BTreeSet<String>,
    /// The image that it is started from.
    pub(super) image: Option<String>,
    /// Whether somebody looks after its health.
    pub(super) checked: bool,
    /// What becomes of it when it ends by itself.
    pub(super) restart: ServiceRestart,
    /// What it has for its end before it is killed.
    pub(super) stop_after: Duration,
}

impl Rules {
    /// All that is started before it.
    pub(super) fn before_it(&self) -> impl Iterator<Item = &Name> {
        self.after.union(&self.needs)
    }
}

/// What the kernel holds a service to, as its files have it: name and content.
pub(super) type Limits = Vec<(&'static str, String)>;

/// A service that can be started.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) rules: Rules,
    /// Empty: what its image has for it.
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    /// Absent: it is of the node's own root.
    pub(super) container: Option<Container>,
    /// Absent: root, as machined is; in a container who its image has.
    pub(super) user: Option<(u32, u32, Vec<u32>)>,
    /// Absent: all that machined has.
    pub(super) capabilities: Option<u64>,
    pub(super) oom_score_adj: i32,
    pub(super) limits: Limits,
    pub(super) check: Option<Check>,
    pub(super) stop_signal: Signal,
}

impl Service {
    pub(super) fn of(spec: &ServiceSpec) -> Result<Self, ServiceError> {
        let texts = [&spec.program].into_iter();
        let mut texts = texts.chain(&spec.args).chain(&spec.environment);
        if texts.any(|text| text.contains('\0')) {
            return Err(ServiceError::Zero);
        }
        let container = Container::of(spec).map_err(ServiceError::Container)?;
        let of_image = container.is_some() && spec.program.is_empty();
        if !of_image && !spec.program.starts_with('/') {
            return Err(ServiceError::Program(spec.program.clone()));
        }
        let oom_score_adj = spec.oom_score_adj.unwrap_or_default();
        if !(-1000..=1000).contains(&oom_score_adj) {
            return Err(ServiceError::OomScore(oom_score_adj));
        }
        let user = (spec.uid, spec.gid, spec.groups.clone());
        let check = spec.check.as_ref().map(Check::of).transpose();
        Ok(Self {
            rules: rules(spec)?,
            program: PathBuf::from(&spec.program),
            args: spec.args.clone(),
            environment: environment(&spec.environment)?,
            container,
            user: (user != (0, 0, Vec::new())).then_some(user),
            capabilities: capabilities(&spec.capabilities)?,
            oom_score_adj,
            limits: limits(spec)?,
            check: check.map_err(ServiceError::Check)?,
            stop_signal: signal(&spec.stop_signal)?,
        })
    }
}

fn rules(spec: &ServiceSpec) -> Result<Rules, ServiceError> {
    let names = |texts: &[String]| {
        let names = texts.iter().map(|text| text.parse::<Name>());
        names.collect::<Result<BTreeSet<_>, _>>()
    };
    let mut needs = names(&spec.needs).map_err(ServiceError::Name)?;
    if !spec.image.is_empty() {
        // For its start alone: what is needed may end and be started again under those that need it.
        needs.insert(CONTAINERD.parse().map_err(ServiceError::Name)?);
    }
    Ok(Rules {
        identity: identity(spec),
        after: names(&spec.after).map_err(ServiceError::Name)?,
        needs,
        conditions: spec.conditions.iter().cloned().collect(),
        image: (!spec.image.is_empty()).then(|| spec.image.clone()),
        checked: spec.check.is_some(),
        restart: spec.restart,
        stop_after: spec
            .stop_seconds
            .map_or(STOP, |seconds| Duration::from_secs(seconds.into())),
    })
}

/// The hash of what cannot be changed in a process that runs.
fn identity(spec: &ServiceSpec) -> String {
    let process = ServiceSpec {
        program: spec.program.clone(),
        args: spec.args.clone(),
        environment: spec.environment.clone(),
        uid: spec.uid,
        gid: spec.gid,
        groups: spec.groups.clone(),
        capabilities: spec.capabilities.clone(),
        oom_score_adj: spec.oom_score_adj,
        image: spec.image.clone(),
        mounts: spec.mounts.clone(),
        ..ServiceSpec::default()
    };
    let bytes = ErasedSpec::new(process);
    HEXLOWER.encode(digest::digest(&digest::SHA256, bytes.proto()).as_ref())
}

fn environment(lines: &[String]) -> Result<Vec<(String, String)>, ServiceError> {
    let pairs = lines.iter().map(|line| match line.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(ServiceError::Environment(line.clone())),
    });
    pairs.collect()
}

fn capabilities(names: &[String]) -> Result<Option<u64>, ServiceError> {
    if names == ["all"] {
        return Ok(None);
    }
    let mut kept = 0;
    for name in names {
        let found = Capability::from_str(name);
        let found = found.map_err(|_| ServiceError::Capability(name.clone()))?;
        kept |= found.bitmask();
    }
    Ok(Some(kept))
}

fn limits(spec: &ServiceSpec) -> Result<Limits, ServiceError> {
    if let Some(weight) = spec
        .cpu_weight
        .filter(|weight| !(1..=10_000).contains(weight))
    {
        return Err(ServiceError::CpuWeight(weight));
    }
    let or_max = |limit: Option<u64>| limit.map_or("max".to_owned(), |limit| limit.to_string());
    // Every one is written, also when it is the kernel's own, which it may not have been before.
    Ok(vec![
        ("memory.max", or_max(spec.memory_max)),
        ("memory.high", or_max(spec.memory_high)),
        (
            "memory.min",
            spec.memory_min.unwrap_or_default().to_string(),
        ),
        ("cpu.weight", spec.cpu_weight.unwrap_or(100).to_string()),
        ("pids.max", or_max(spec.pids_max.map(u64::from))),
    ])
}

fn signal(name: &str) -> Result<Signal, ServiceError> {
    if name.is_empty() {
        return Ok(Signal::SIGTERM);
    }
    Signal::from_str(name).map_err(|_| ServiceError::Signal(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ServiceSpec {
        ServiceSpec {
            program: "/usr/bin/thing".into(),
            ..ServiceSpec::default()
        }
    }

    #[test]
    fn a_name_can_be_that_of_a_file_and_is_nobody_elses() {
        for good in ["a", "containerd", "pod-runtime-2"] {
            assert_eq!(good.parse::<Name>().expect("a name").as_str(), good);
        }
        let long = "a".repeat(64);
        for bad in ["", "-a", "a/b", "..", "A", "a.b", "machined", "init", &long] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_what_its_process_is_makes_another_one_of_it() {
        let same = ServiceSpec {
            memory_max: Some(1),
            cpu_weight: Some(7),
            restart: ServiceRestart::Never,
            after: vec!["b".into()],
            stop_seconds: Some(1),
            ..spec()
        };
        let identity = |spec: &ServiceSpec| Service::of(spec).expect("a service").rules.identity;
        assert_eq!(identity(&same), identity(&spec()));
        let others = [
            ServiceSpec {
                args: vec!["x".into()],
                ..spec()
            },
            ServiceSpec { uid: 1, ..spec() },
            ServiceSpec {
                image: "registry.k8s.io/pause:3.10".into(),
                ..spec()
            },
            ServiceSpec {
                capabilities: vec!["all".into()],
                ..spec()
            },
        ];
        for other in others {
            assert_ne!(identity(&other), identity(&spec()), "{other:?}");
        }
    }

    #[test]
    fn what_cannot_be_started_is_refused_with_the_reason() {
        let bad = |change: &dyn Fn(&mut ServiceSpec), words: &str| {
            let mut spec = spec();
            change(&mut spec);
            let error = Service::of(&spec).expect_err(words);
            assert!(cosi::report(&error).contains(words), "{error}");
        };
        bad(&|it| it.program = "thing".into(), "no path from the root");
        bad(&|it| it.args = vec!["a\0b".into()], "zero byte");
        bad(&|it| it.environment = vec!["=x".into()], "NAME=VALUE");
        bad(&|it| it.capabilities = vec!["CAP_FLY".into()], "CAP_FLY");
        bad(&|it| it.cpu_weight = Some(0), "1 to 10000");
        bad(&|it| it.oom_score_adj = Some(1001), "-1000 to 1000");
        bad(&|it| it.stop_signal = "SIGFOO".into(), "SIGFOO");
        bad(&|it| it.needs = vec!["../x".into()], "no name of a service");
        bad(
            &|it| it.check = Some(resources::runtime::ServiceCheck::default()),
            "its check",
        );
    }

    #[test]
    fn a_service_from_an_image_needs_containerd_and_may_leave_its_program_to_it() {
        let mut from_image = ServiceSpec {
            image: "registry.k8s.io/pause:3.10".into(),
            ..ServiceSpec::default()
        };
        let service = Service::of(&from_image).expect("a service");
        let needs: Vec<_> = service.rules.needs.iter().map(Name::as_str).collect();
        assert_eq!(needs, [CONTAINERD]);
        from_image.program = "pause".into();
        Service::of(&from_image).expect_err("no path");
        from_image.image.clear();
        from_image.program.clear();
        Service::of(&from_image).expect_err("no program at all");
    }

    #[test]
    fn capabilities_are_those_named_and_no_others() {
        let of = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            capabilities(&names).expect("known")
        };
        // CAP_NET_ADMIN is 12 and CAP_CHOWN 0 (linux/capability.h).
        assert_eq!(of(&["CAP_NET_ADMIN", "CAP_CHOWN"]), Some(1 << 12 | 1));
        assert_eq!(of(&[]), Some(0));
        assert_eq!(of(&["all"]), None);
    }
}
