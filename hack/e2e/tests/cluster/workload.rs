//! What runs in the cluster, and who asks it all the time.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::Numbered;
use e2e::kubectl::{is_rolled_out, text};
use provision::Deadline;
use serde_json::Value;

use crate::machines::{Machines, NODES};

/// Two pods behind a service and one that asks them; two more that keep connections; ports of the nodes that lead to both.
const MANIFESTS: [&str; 2] = [
    include_str!("../../manifests/echo.yaml"),
    include_str!("../../manifests/outside.yaml"),
];
const PROBE: &str = concat!("garboard.internal/probe:", env!("CARGO_PKG_VERSION"));

/// The ports of the second manifest.
const STREAM: u16 = 30007;
pub(crate) const ECHO: u16 = 30080;

/// What has to be rolled out.
pub(crate) const SETS: [&str; 2] = ["deployment/echo", "deployment/stream"];

/// Asks from within, by the service's name, and what comes back. A pod of a set asks, since one that nobody made is not started
/// again with its node.
pub(crate) const ASK: &str =
    "exec deployment/stream -- /usr/bin/probe get http://echo.default.svc.cluster.local/";
pub(crate) const ANSWER: &str = "\"host\":\"echo-";

/// How late a line or an answer may be that is not lost.
const LATE: Duration = Duration::from_secs(30);

/// How many connections stay open by each node.
const EACH: usize = 2;

/// Connections from outside that stay open, and where new ones are made.
pub(crate) struct Workload {
    streams: Vec<Numbered>,
    doors: Vec<SocketAddr>,
    late: Duration,
}

impl Workload {
    /// Starts it; it answers from within and from outside.
    pub(crate) fn start(machines: &mut Machines<'_>) -> Result<Self> {
        let kubectl = &machines.kubectl;
        kubectl.takes_pods("default")?;
        for manifest in MANIFESTS {
            // What the manifest only wishes, so that it also works on one node.
            let manifest = manifest.replace("ScheduleAnyway", "DoNotSchedule");
            kubectl.apply(&manifest.replace("PROBE", PROBE))?;
        }
        for set in SETS {
            kubectl.until(&format!("get {set}"), is_rolled_out)?;
        }
        for app in ["echo", "stream"] {
            on_both_nodes(&kubectl.json(&format!("get pods --selector app={app}"))?)?;
        }
        kubectl.prints(ASK, |it| it.contains(ANSWER))?;
        let late = machines.lab.patience(LATE);
        let (doors, streams) = (machines.forward(ECHO)?, machines.forward(STREAM)?);
        for door in &doors {
            comes_to_answer(*door, Deadline::after(late))?;
        }
        let open = |it: &SocketAddr| {
            let opened = (0..EACH).map(|_| opens(*it, late));
            opened.collect::<Result<Vec<_>>>()
        };
        let streams: Vec<_> = streams.iter().map(open).collect::<Result<_>>()?;
        Ok(Self {
            streams: streams.into_iter().flatten().collect(),
            doors,
            late,
        })
    }

    /// All connections go on, and new ones are answered at the first try.
    pub(crate) fn goes_on(&mut self) -> Result<()> {
        for stream in &mut self.streams {
            stream.round_trip()?;
        }
        for door in &self.doors {
            answers(*door, self.late).with_context(|| format!("a new connection to {door}"))?;
        }
        Ok(())
    }
}

/// A connection that carries lines. QEMU takes it before the port of the node leads anywhere, and then closes it.
fn opens(address: SocketAddr, late: Duration) -> Result<Numbered> {
    let opened = Deadline::after(late).until(|| {
        let mut stream = Numbered::open(address, late).ok()?;
        stream.round_trip().is_ok().then_some(stream)
    });
    opened.with_context(|| format!("nobody sends lines back at {address}"))
}

/// Waits until the service answers there.
pub(crate) fn comes_to_answer(address: SocketAddr, deadline: Deadline) -> Result<()> {
    let mut last = None;
    let answered = deadline.until(|| {
        let answer = answers(address, deadline.limit());
        last = answer.as_ref().err().map(|it| format!("{it:#}"));
        answer.ok()
    });
    answered.with_context(|| format!("nobody answers at {address}: {last:?}"))
}

/// Asks the service once.
fn answers(address: SocketAddr, late: Duration) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(late))?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.contains(ANSWER), "{answer:?}");
    Ok(())
}

/// Each replica is on a node of its own.
fn on_both_nodes(pods: &Value) -> Result<()> {
    let pods = pods.pointer("/items").and_then(Value::as_array);
    let pods = pods.context("a list of pods")?;
    let mut nodes: Vec<_> = pods.iter().map(|it| text(it, "/spec/nodeName")).collect();
    nodes.sort_unstable();
    ensure!(nodes == NODES, "they are on {nodes:?}");
    Ok(())
}
