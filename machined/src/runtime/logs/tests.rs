//! Logs that are read while they grow and are cut.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use tokio::time::timeout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

fn folder_with(text: &str) -> (tempfile::TempDir, Logs) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("networkd.log"), text).expect("a log");
    let logs = Logs::new(folder.path().to_owned());
    (folder, logs)
}

fn read(logs: &Logs, lines: Option<u32>) -> String {
    let mut reader = logs.open("networkd", lines).expect("opened");
    let mut all = Vec::new();
    while let Some(chunk) = reader.next_ready().expect("read") {
        assert!(chunk.len() as u64 <= CHUNK);
        all.extend(chunk);
    }
    String::from_utf8(all).expect("text")
}

#[test]
fn the_tail_is_whole_lines() {
    let long = "x".repeat(3 * 64 * 1024);
    for (text, lines, expected) in [
        ("a\nb\nc\n", 2, "b\nc\n"),
        ("a\nb", 1, "b"),
        ("a\n", 9, "a\n"),
        ("", 3, ""),
        ("a\nb\n", 0, ""),
        ("\n\n", 1, "\n"),
        (
            &format!("a\n{long}\n{long}\n"),
            2,
            &format!("{long}\n{long}\n"),
        ),
    ] {
        let (_folder, logs) = folder_with(text);
        assert_eq!(
            read(&logs, Some(lines)),
            expected,
            "{} bytes, {lines}",
            text.len()
        );
        assert_eq!(read(&logs, None), text);
    }
}

#[test]
fn an_unknown_service_is_told_the_known_ones() {
    let (_folder, logs) = folder_with("");
    let error = logs.open("kubelet", None).expect_err("unknown");
    assert!(error.to_string().contains("there are: networkd"), "{error}");
}

fn numbered(range: std::ops::Range<u32>) -> String {
    range.map(|number| format!("line {number:06}\n")).collect()
}

#[test]
fn a_cut_gives_memory_back_and_leaves_whole_lines() {
    let text = numbered(0..100_000);
    let (folder, logs) = folder_with(&text);
    let path = folder.path().join("networkd.log");
    let before = fs::metadata(&path).expect("there").blocks();
    cut(&path, 64 * 1024).expect("cut");
    let after = fs::metadata(&path).expect("there").blocks();
    assert!(
        after * 512 <= 64 * 1024 + 2 * PAGE && after < before,
        "{before} blocks, then {after}"
    );

    let left = read(&logs, None);
    assert!(
        text.ends_with(&left) && left.starts_with("line "),
        "{:?}",
        left.get(..20)
    );
    assert!(left.len() > 60 * 1024, "{}", left.len());
    assert_eq!(read(&logs, Some(3)), numbered(99_997..100_000));
    assert_eq!(read(&logs, Some(u32::MAX)), left);
    cut(&path, 64 * 1024).expect("cut again");
    assert_eq!(read(&logs, None), left);
}

#[tokio::test]
async fn a_follower_sees_every_line_across_a_cut() {
    let (folder, logs) = folder_with("old\n");
    let path = folder.path().join("networkd.log");
    let mut follower = logs
        .open("networkd", Some(0))
        .expect("opened")
        .follow()
        .expect("a follower");
    let mut writer = OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("a writer");
    let text = numbered(0..20_000);
    let mut seen = String::new();
    for (part, lines) in text.as_bytes().chunks(32 * 1024).enumerate() {
        writer.write_all(lines).expect("written");
        while seen.len() < part * 32 * 1024 + lines.len() {
            let chunk = timeout(PATIENCE, follower.next())
                .await
                .expect("in time")
                .expect("read");
            seen.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
        cut(&path, 8 * 1024).expect("cut");
    }
    assert_eq!(seen, text);
}

#[tokio::test]
async fn a_follower_that_lags_behind_a_cut_goes_on_with_a_whole_line() {
    let (folder, logs) = folder_with(&numbered(0..100));
    let path = folder.path().join("networkd.log");
    let mut follower = logs
        .open("networkd", None)
        .expect("opened")
        .follow()
        .expect("a follower");
    let mut writer = OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("a writer");
    writer
        .write_all(numbered(100..10_000).as_bytes())
        .expect("written");
    cut(&path, 16 * 1024).expect("cut");
    let chunk = timeout(PATIENCE, follower.next())
        .await
        .expect("in time")
        .expect("read");
    assert!(chunk.starts_with(b"line "), "{chunk:?}");
    assert!(chunk.ends_with(b"line 009999\n"), "{chunk:?}");
}
