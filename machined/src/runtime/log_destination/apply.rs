//! Keeps a task for every destination, and shows how it stands with them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ::config::LogUrl;
use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use futures_util::stream;
use resources::net::{HOSTNAME, HostnameSpec};
use resources::runtime::{LogDestinationSpec, LogDestinationState, LogDestinationStatus};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::cursor::Cursor;
use super::queue;
use super::read::Sources;
use super::task::{Pace, Parts, Task};
use crate::network::lookup::Lookup;
use crate::runtime::logs::Logs;

/// Where logs are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The kernel's.
    pub kernel: PathBuf,
    /// Those of services.
    pub logs: Logs,
    /// The folder that says how far each destination has been sent them.
    pub cursors: PathBuf,
}

impl Places {
    /// On a node, whose daemons keep what is theirs in `folder`.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            kernel: "/dev/kmsg".into(),
            logs: Logs::new(folder.join("logs")),
            cursors: folder.join("log-destinations"),
        }
    }

    fn cursor(&self, name: &str) -> PathBuf {
        self.cursors.join(format!("{name}.json"))
    }
}

/// A destination that is sent to. Dropping it ends its tasks.
#[derive(Debug)]
struct Running {
    spec: LogDestinationSpec,
    tasks: JoinSet<()>,
    reports: watch::Receiver<LogDestinationStatus>,
}

/// The controller.
#[derive(Debug)]
pub struct Apply {
    places: Places,
    lookup: Lookup,
    pace: Pace,
    /// How many bytes of lines may wait for each.
    most: usize,
    running: BTreeMap<String, Running>,
    /// What the node is called.
    node: watch::Sender<String>,
    /// Counts reports of all tasks.
    news: watch::Sender<u64>,
}

cosi::declare! {
    Apply as "runtime.log-destination.apply" {
        reads HostnameSpec;
        reads LogDestinationSpec;
        writes LogDestinationStatus;
    }
}

impl Apply {
    /// Sends these logs; names of hosts are looked up this way.
    #[must_use]
    pub fn new(places: Places, lookup: Lookup) -> Self {
        Self::with(places, lookup, Pace::default(), queue::MOST)
    }

    /// As patient as it is told, with as much waiting.
    pub(super) fn with(places: Places, lookup: Lookup, pace: Pace, most: usize) -> Self {
        Self {
            places,
            lookup,
            pace,
            most,
            running: BTreeMap::new(),
            node: watch::Sender::new(String::new()),
            news: watch::Sender::new(0),
        }
    }

    fn start(&self, name: &str, spec: &LogDestinationSpec) -> Running {
        let (report, reports) = watch::channel(LogDestinationStatus::default());
        let mut tasks = JoinSet::new();
        match spec.url.parse::<LogUrl>() {
            Ok(url) => {
                let task = self.task(name, spec, url, report);
                tasks.spawn(async move { task.0.run(task.1).await });
            }
            Err(error) => {
                report.send_replace(LogDestinationStatus {
                    state: LogDestinationState::Failed,
                    error: error.to_string(),
                    ..LogDestinationStatus::default()
                });
            }
        }
        tasks.spawn(forward(reports.clone(), self.news.clone()));
        Running {
            spec: spec.clone(),
            tasks,
            reports,
        }
    }

    fn task(
        &self,
        name: &str,
        spec: &LogDestinationSpec,
        url: LogUrl,
        report: watch::Sender<LogDestinationStatus>,
    ) -> (Task, Sources) {
        let cursor = Cursor::open(self.places.cursor(name), &spec.url);
        let kernel = spec.kernel.then_some(&*self.places.kernel);
        let services = spec.services.then(|| self.places.logs.clone());
        let sources = Sources::open(kernel, services, &cursor);
        let tags = spec.tags.iter().filter_map(|it| it.split_once('='));
        let task = Task::new(Parts {
            url,
            lookup: self.lookup.clone(),
            pace: self.pace,
            tags: tags
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            node: self.node.subscribe(),
            cursor,
            report,
            most: self.most,
        });
        (task, sources)
    }

    /// Ends what is no longer wanted, or wanted otherwise.
    async fn stop(&mut self, wanted: &BTreeMap<String, LogDestinationSpec>, proof: bool) {
        let stops = |(name, running): (&String, &Running)| match wanted.get(name) {
            Some(spec) => (running.spec != *spec).then(|| name.clone()),
            None => proof.then(|| name.clone()),
        };
        let names: Vec<String> = self.running.iter().filter_map(stops).collect();
        for name in names {
            // It writes down how far it came when it ends, and the next one goes on there.
            if let Some(mut running) = self.running.remove(&name) {
                running.tasks.shutdown().await;
            }
            if !wanted.contains_key(&name) {
                Cursor::forget(&self.places.cursor(&name));
            }
        }
    }
}

async fn forward(mut reports: watch::Receiver<LogDestinationStatus>, news: watch::Sender<u64>) {
    while reports.changed().await.is_ok() {
        news.send_modify(|it| *it = it.wrapping_add(1));
    }
}

impl Controller for Apply {
    fn sources(&mut self) -> Vec<Source> {
        let news = stream::unfold(self.news.subscribe(), |mut news| async move {
            news.changed().await.ok()?;
            Some(((), news))
        });
        vec![Box::pin(news)]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let wanted: BTreeMap<String, LogDestinationSpec> = cx
            .list::<LogDestinationSpec>()
            .iter()
            .map(|it| (it.id().to_string(), (*it.spec).clone()))
            .collect();
        let proof = cx.deletions_allowed();
        self.stop(&wanted, proof).await;
        let hostname = cx.get::<HostnameSpec>(HOSTNAME);
        if let Some(hostname) = &hostname {
            let name = &hostname.spec.hostname;
            self.node.send_if_modified(|it| {
                let other = it != name;
                it.clone_from(name);
                other
            });
        }
        // Lines without a name would be nobody's.
        if hostname.is_none() && self.running.is_empty() && !wanted.is_empty() {
            return Ok(Outcome::WaitingOn("the node's name".to_owned()));
        }
        for (name, spec) in &wanted {
            if !self.running.contains_key(name) {
                fs::create_dir_all(&self.places.cursors)?;
                let running = self.start(name, spec);
                self.running.insert(name.clone(), running);
            }
        }
        for old in cx.mine::<LogDestinationStatus>() {
            if proof && !self.running.contains_key(old.id()) {
                cx.remove::<LogDestinationStatus>(old.id());
            }
        }
        for (name, running) in &self.running {
            cx.put(name.clone(), running.reports.borrow().clone());
        }
        Ok(Outcome::Done)
    }
}
