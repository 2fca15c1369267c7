//! The text, and the page about it.

use std::path::Path;
use std::time::Duration;

use cosi::ControllerCounts;
use jiff::Timestamp;
use resources::runtime::Version;

use super::super::calls;
use super::super::processes::Use;
use super::*;

/// A bit of everything.
fn sample() -> String {
    let facts = Facts {
        version: Version {
            version: "1.2.3".to_owned(),
            ..Version::default()
        },
        uptime: Duration::from_millis(1500),
        booted: Timestamp::from_second(1_790_000_000).unwrap(),
        stage: Some("running".to_owned()),
        processes: vec![Use {
            name: "init".to_owned(),
            cpu: Duration::from_millis(250),
            resident: 4096,
            proportional: Some(2048),
        }],
        restarts: vec![("machined".to_owned(), 2)],
        kinds: vec![(
            "runtime".to_owned(),
            "Stages.runtime.garboard".to_owned(),
            1,
        )],
        commits: 9,
        watches: 3,
        controllers: vec![ControllerCounts {
            name: "runtime.stage.status",
            runs: 8,
            failures: 1,
            waiting: 2,
        }],
        failing: vec![("networkd".to_owned(), "network.link.apply".to_owned(), true)],
        config: Some((7, Timestamp::from_second(1_790_000_100).unwrap())),
    };
    text(facts, &calls::sample()).unwrap()
}

#[test]
fn every_number_is_told_in_its_unit() {
    let text = sample();
    for line in [
        "garboard_boot_time_seconds 1790000000",
        "garboard_uptime_seconds 1.5",
        "garboard_stage{stage=\"running\"} 1",
        "garboard_config_generation 7",
        "garboard_config_time_seconds 1790000100",
        "garboard_process_cpu_seconds_total{process=\"init\"} 0.25",
        "garboard_process_resident_memory_bytes{process=\"init\"} 4096",
        "garboard_process_proportional_memory_bytes{process=\"init\"} 2048",
        "garboard_service_restarts_total{service=\"machined\"} 2",
        "garboard_store_resources{namespace=\"runtime\",type=\"Stages.runtime.garboard\"} 1",
        "garboard_store_commits_total 9",
        "garboard_store_watches 3",
        "garboard_controller_runs_total{controller=\"runtime.stage.status\"} 8",
        "garboard_controller_failures_total{controller=\"runtime.stage.status\"} 1",
        "garboard_controller_queue{controller=\"runtime.stage.status\"} 2",
        "garboard_controller_failing{runtime=\"networkd\",controller=\"network.link.apply\"} 1",
        "garboard_api_calls_total{method=\"/metrics\",code=\"Ok\"} 1",
    ] {
        assert!(
            text.lines().any(|it| it == line),
            "{line} is not in\n{text}"
        );
    }
    let build = text
        .lines()
        .find(|line| line.starts_with("garboard_build_info{"));
    assert!(build.unwrap().contains("version=\"1.2.3\""), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn a_node_that_knows_nothing_yet_tells_what_it_can() {
    let text = text(Facts::default(), &Calls::default()).unwrap();
    assert!(text.contains("garboard_uptime_seconds 0"), "{text}");
    assert!(!text.contains("garboard_stage"), "{text}");
    assert!(!text.contains("garboard_config"), "{text}");
}

/// One row for each family of the text.
fn rows(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let about = |keyword: &str, name: &str| {
        let start = format!("# {keyword} {name} ");
        lines.iter().find_map(|line| line.strip_prefix(&start))
    };
    let families = lines.iter().filter_map(|line| line.strip_prefix("# HELP "));
    let mut rows = String::new();
    for (name, help) in families.filter_map(|line| line.split_once(' ')) {
        let sample = lines.iter().find(|line| line.starts_with(name)).unwrap();
        let (sample, labels) = sample.split_once('{').unwrap_or_else(|| {
            let (name, _) = sample.split_once(' ').unwrap();
            (name, "")
        });
        let labels: Vec<String> = labels
            .split("\",")
            .filter_map(|label| label.split_once("=\""))
            .map(|(label, _)| format!("`{label}`"))
            .collect();
        let kind = about("TYPE", name).unwrap();
        rows.push_str(&format!(
            "| `{sample}` | {kind} | {} | {} |\n",
            labels.join(", "),
            help.trim_end_matches('.')
        ));
    }
    rows
}

const INTRODUCTION: &str = "# Metrics

Generated from what the node tells (`machined/src/metrics/exposition.rs`); a test holds this page to it.

Every running node answers `GET /metrics` on its API port, 50000, in [OpenMetrics](https://openmetrics.io)' text format, over HTTP/2 or
HTTP/1.1. It takes the same mutual TLS as every call: a client certificate with the role reader, operator or admin. Each scrape
leaves an audit record, as every call does. In maintenance mode there are no metrics.

`osctl gen crt --name monitoring --role reader --file monitoring.yaml` issues the certificate. The fields `ca`, `certificate` and `key` of
the file are what Prometheus wants as files:

```yaml
scrape_configs:
  - job_name: garboard
    scheme: https
    tls_config:
      ca_file: ca.crt
      cert_file: monitoring.crt
      key_file: monitoring.key
    static_configs:
      - targets: [node-1:50000]
```

A target is a name or an address in the node's certificate. Counters of the state, the controllers and the API begin anew when machined
is started again; `garboard_service_restarts_total` says how often that was.

| metric | type | labels | meaning |
|---|---|---|---|
";

#[test]
fn the_generated_page_is_the_published_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let page = format!("{INTRODUCTION}{}", rows(&sample()));
    if std::env::var_os("GARBOARD_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == page,
        "docs/metrics.md is behind; `cargo xtask gen` writes it"
    );
}
