//! A service that writes as fast as it can, one caller who follows its log, and one who asked for it and does not read.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::machine_service_client::MachineServiceClient;
use machined::runtime::logs::{KEEP, Logs};
use pki::Role;
use tokio::time::timeout;
use tonic::Streaming;

use super::fixture::{Cluster, DEADLINE, Served, dial, serve};

/// What is written between two cuts: a second's worth, and about as much as is kept.
const LINES: usize = 10_000;
const SECONDS: usize = 20;

/// Holes have the size of whole pages, and the file has an end.
const ROUNDING: u64 = 2 * 4096;

fn line(number: usize) -> String {
    format!(
        "{number:08} GET /healthz 200 from 10.1.2.3 in 0.4 ms, agent kube-probe/1.36, upstream none, cached\n"
    )
}

/// Its number, unless it is two halves of lines: those on both sides of what was cut.
fn number(text: &str) -> Option<usize> {
    let number = text.get(..8)?.parse().ok()?;
    (format!("{text}\n") == line(number)).then_some(number)
}

/// The lines of a log as they come.
struct Following {
    answers: Streaming<v1::LogsResponse>,
    partial: Vec<u8>,
    bytes: usize,
    last: Option<usize>,
    /// How often a line was not the one after the last.
    gaps: usize,
}

impl Following {
    async fn begin(served: &Served, cluster: &Cluster) -> Self {
        let channel = dial(served.address, cluster.client(Role::Reader)).await;
        let request = v1::LogsRequest {
            service: "busy".to_owned(),
            follow: true,
            ..Default::default()
        };
        let mut machine = MachineServiceClient::new(channel.unwrap());
        Self {
            answers: machine.logs(request).await.unwrap().into_inner(),
            partial: Vec::new(),
            bytes: 0,
            last: None,
            gaps: 0,
        }
    }

    async fn read_to(&mut self, wanted: usize) {
        while self.last != Some(wanted) {
            let answer = timeout(DEADLINE, self.answers.message()).await;
            let data = answer.expect("lines come").unwrap().unwrap().data;
            self.bytes += data.len();
            self.partial.extend(data);
            let whole = self.partial.iter().rposition(|byte| *byte == b'\n');
            let rest = self.partial.split_off(whole.map_or(0, |at| at + 1));
            let text = String::from_utf8(std::mem::replace(&mut self.partial, rest)).unwrap();
            for number in text.lines().filter_map(number) {
                if self.last.map_or(0, |last| last + 1) != number {
                    assert!(self.last < Some(number), "lines come in order");
                    self.gaps += 1;
                }
                self.last = Some(number);
            }
        }
    }
}

/// The memory a log takes where it lies in memory.
fn held(file: &Path) -> u64 {
    fs::metadata(file).unwrap().blocks() * 512
}

#[tokio::test]
async fn ten_thousand_lines_a_second_and_one_who_does_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("busy.log");
    let mut writer = File::options().create(true).append(true).open(&file);
    let writer = writer.as_mut().unwrap();
    let logs = Logs::new(folder.path().to_owned());
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    served.node.follow(logs.clone());
    let mut deaf = Following::begin(&served, &cluster).await;
    let mut reader = Following::begin(&served, &cluster).await;

    let mut written = 0;
    for second in 0..SECONDS {
        let numbers = second * LINES..(second + 1) * LINES;
        let text: String = numbers.map(line).collect();
        written += text.len();
        writer.write_all(text.as_bytes()).unwrap();
        reader.read_to((second + 1) * LINES - 1).await;
        logs.cut().unwrap();
        assert!(held(&file) <= KEEP + ROUNDING, "{} bytes", held(&file));
    }
    assert_eq!((reader.gaps, reader.bytes), (0, written));

    // Whoever wakes up late gets the little that was on its way, and then what is kept.
    deaf.read_to(SECONDS * LINES - 1).await;
    assert!(deaf.gaps > 0, "it missed what was cut meanwhile");
    assert!(
        deaf.bytes < written / 4,
        "{} of {written} bytes waited for it",
        deaf.bytes
    );
}
