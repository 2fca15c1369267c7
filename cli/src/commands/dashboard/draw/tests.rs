use std::path::PathBuf;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;

const BEGIN: &str = "<!-- A test draws what follows; cargo xtask gen draws it anew -->\n";
const END: &str = "<!-- The test drew this. -->\n";

/// The picture as text, on a terminal of this size.
fn picture(dashboard: &Dashboard, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let now = "2026-11-21T16:30:12Z".parse().unwrap();
    terminal.draw(|frame| draw(frame, dashboard, now)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y: u16| {
        let cells = (0..width).filter_map(|x| buffer.cell((x, y)));
        let text: String = cells.map(ratatui::buffer::Cell::symbol).collect();
        text.trim_end().to_owned()
    };
    (0..height).map(|y| line(y) + "\n").collect()
}

fn service(id: &str, restarts: u32, well: bool) -> Service {
    let (state, health) = if well {
        ("running", "healthy")
    } else {
        ("restarting", "unhealthy")
    };
    Service {
        id: id.to_owned(),
        state: state.to_owned(),
        health: health.to_owned(),
        restarts,
        well,
    }
}

fn facts(name: &str) -> Facts {
    const MIB: u64 = 1 << 20;
    let process = |(pid, command, mib, millis): (u32, &str, u64, u64)| Process {
        pid,
        command: command.to_owned(),
        resident_bytes: mib * MIB,
        cpu: Duration::from_millis(millis),
    };
    Facts {
        hostname: name.to_owned(),
        stage: "running".to_owned(),
        version: "0.1.0".to_owned(),
        kernel: "6.12.107+deb13-cloud-amd64".to_owned(),
        memory_bytes: 973 * MIB,
        available_bytes: 861 * MIB,
        cpu: Duration::from_secs(3),
        addresses: vec!["10.0.2.15/24".to_owned()],
        services: vec![service("machined", 0, true), service("networkd", 1, true)],
        processes: [
            (73, "machined", 14, 1710),
            (74, "networkd", 9, 640),
            (1, "init", 1, 330),
        ]
        .map(process)
        .to_vec(),
        events: [
            "stage       machined          booting",
            "address     eth0              10.0.2.15/24",
            "stage       machined          running",
            "service     networkd          running again after a crash",
        ]
        .map(|event| format!("2026-11-21T16:12:40Z  {event}"))
        .to_vec(),
        waits_for: Vec::new(),
    }
}

/// Two nodes, one of them silent.
fn usual() -> Dashboard {
    let mut dashboard = Dashboard::new(["cp-1", "cp-2"].map(str::to_owned));
    let began = Instant::now();
    let later = Facts {
        cpu: Duration::from_millis(3060),
        ..facts("cp-1")
    };
    dashboard.hear(0, Ok(facts("cp-1")), began);
    dashboard.hear(0, Ok(later), began + Duration::from_secs(2));
    let error = "connecting to 10.0.0.6:50000: connection refused (nothing listens there)";
    dashboard.hear(1, Err(error.to_owned()), began);
    dashboard
}

#[test]
fn generated_picture_of_the_readme_is_what_is_drawn() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page
        .split_once(BEGIN)
        .expect("the marker before the picture");
    let (shown, after) = rest.split_once(END).expect("the marker after the picture");
    let drawn = format!("```text\n{}```\n", picture(&usual(), WIDTH, HEIGHT));
    if std::env::var_os("GARBOARD_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{drawn}{END}{after}")).unwrap();
    } else {
        assert_eq!(shown, drawn);
    }
}

#[test]
fn the_one_that_is_silent_says_why() {
    let mut dashboard = usual();
    dashboard.step(super::super::model::Step::Next);
    let drawn = picture(&dashboard, WIDTH, HEIGHT);
    assert!(drawn.contains("connection refused"), "{drawn}");
    assert!(drawn.contains("2 nodes, 1 silent"), "{drawn}");
    assert!(
        !drawn.contains("machined"),
        "nothing is known of it: {drawn}"
    );
}

#[test]
fn trouble_comes_first_and_is_counted() {
    let mut dashboard = Dashboard::new(["a".to_owned()]);
    let mut said = facts("a");
    said.services = (0..20)
        .map(|n| service(&format!("s{n}"), n, n != 13))
        .collect();
    said.waits_for = vec!["network: no address yet".to_owned()];
    dashboard.hear(0, Ok(said), Instant::now());
    let drawn = picture(&dashboard, WIDTH, HEIGHT);
    let first = drawn.lines().find(|line| line.contains("restart")).unwrap();
    assert!(first.starts_with("s13 "), "{drawn}");
    assert!(drawn.contains("19 of 20"), "{drawn}");
    assert!(
        drawn.contains("waits for network: no address yet"),
        "{drawn}"
    );
}

#[test]
fn any_terminal_and_any_number_of_nodes_can_be_drawn() {
    let mut many = Dashboard::new((0..100).map(|number| format!("node-{number}")));
    many.hear(99, Ok(facts("\u{1b}[2J")), Instant::now());
    many.step(super::super::model::Step::Previous);
    for (width, height) in [(0, 0), (1, 1), (79, 24), (80, 23), (80, 24), (300, 100)] {
        let drawn = picture(&many, width, height);
        assert!(!drawn.contains('\u{1b}'));
        let fits = width >= WIDTH && height >= HEIGHT;
        assert_eq!(
            drawn.contains("> node-99"),
            fits,
            "{width}x{height}:\n{drawn}"
        );
    }
    picture(&Dashboard::new([]), 80, 24);
    assert!(picture(&many, 60, 24).contains("needs 80 and 24"));
}
