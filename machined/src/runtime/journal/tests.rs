use std::cell::Cell;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::boots::Boot;
use super::copy::PART;
use super::segments;
use super::task::Journal;
use super::{JournalError, Previous};
use crate::runtime::logs::{KEEP, Logs};

/// A machine with a disk that outlasts its boots.
struct Machine {
    folder: tempfile::TempDir,
    boots: u64,
}

/// One boot of it, with logs in memory.
struct Run<'a> {
    machine: &'a Machine,
    ring: tempfile::TempDir,
    logs: Logs,
    journal: Journal,
    ticks: Cell<u32>,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("pstore")).expect("a folder");
        Self { folder, boots: 0 }
    }

    fn disk(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn boots(&mut self) -> Run<'_> {
        self.boots += 1;
        let ring = tempfile::tempdir().expect("a folder");
        let logs = Logs::new(ring.path().to_owned());
        let journal = self.journal();
        Run {
            machine: self,
            ring,
            logs,
            journal,
            ticks: Cell::new(0),
        }
    }

    fn journal(&self) -> Journal {
        let boot = Boot {
            id: format!("boot-{}", self.boots),
            began: Some(Timestamp::from_second(1000).expect("a time")),
            pstore: self.folder.path().join("pstore"),
            watchdog: self.folder.path().join("bootstatus"),
        };
        Journal::new(boot, &self.folder.path().join("no-kmsg"))
    }
}

impl Run<'_> {
    fn say(&self, service: &str, text: &str) {
        let path = self.ring.path().join(format!("{service}.log"));
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.expect("a log")
            .write_all(text.as_bytes())
            .expect("said");
    }

    fn tick(&self) -> Result<Vec<resources::runtime::Reboot>, JournalError> {
        // Each long after the one before, so that the disk is made to keep it.
        self.ticks.set(self.ticks.get() + 1);
        let later = Instant::now() + Duration::from_secs(60) * self.ticks.get();
        let now = (Timestamp::now(), later);
        let boots = self
            .journal
            .tick(Some(self.machine.disk()), &self.logs, now);
        self.logs.cut().expect("cut");
        boots.map(Option::unwrap_or_default)
    }

    /// As if the daemon had been killed and started again.
    fn dies(&mut self) {
        self.journal = self.machine.journal();
    }

    /// What is on disk of a log.
    fn kept(&self, number: u64, name: &str) -> Vec<(u64, String)> {
        let place = self.machine.disk().join(number.to_string());
        let parts = segments::all(&place).expect("parts");
        let parts = parts.into_iter().filter(|part| part.name == name);
        parts
            .map(|part| {
                let text = fs::read_to_string(place.join(part.file())).expect("text");
                (part.start, text)
            })
            .collect()
    }

    fn previous(&self, name: &str) -> String {
        let mut previous = self.journal.previous(name).expect("the boot before");
        let mut text = Vec::new();
        while let Some(chunk) = previous.next_chunk().expect("read") {
            text.extend(chunk);
        }
        String::from_utf8(text).expect("text")
    }
}

#[test]
fn lines_are_copied_once_however_often_the_daemon_dies() {
    let mut machine = Machine::new();
    let mut run = machine.boots();
    let mut said = String::new();
    for number in 0..20 {
        let line = format!("line {number}\n");
        run.say("web", &line);
        said.push_str(&line);
        if number % 3 == 0 {
            run.dies();
        }
        if number % 2 == 0 {
            run.tick().expect("copied");
        }
    }
    run.tick().expect("copied");
    assert_eq!(run.kept(1, "web"), [(0, said)]);
}

#[test]
fn a_copy_that_was_cut_short_is_gone_on_with_where_it_ends() {
    let mut machine = Machine::new();
    let mut run = machine.boots();
    run.say("web", "one\ntwo\nthree\n");
    run.tick().expect("copied");
    // Killed within a write, or all that was left of it after a full disk: any length will do.
    for length in 0..14 {
        let file = run.machine.disk().join("1").join(segments::file("web", 0));
        let file = OpenOptions::new().write(true).open(file).expect("the copy");
        file.set_len(length).expect("cut");
        run.dies();
        run.tick().expect("copied");
        assert_eq!(run.kept(1, "web"), [(0, "one\ntwo\nthree\n".to_owned())]);
    }
}

#[test]
fn a_disk_that_comes_late_or_takes_nothing_costs_the_logs_in_memory_nothing() {
    let mut machine = Machine::new();
    let run = machine.boots();
    let line = format!("{}\n", "x".repeat(1023));
    // A file where the folder should be: every write fails.
    fs::write(run.machine.disk(), "").expect("a file");
    for _ in 0..3 {
        (0..1500).for_each(|_| run.say("loud", &line));
        assert!(run.tick().is_err());
    }
    let in_memory = |run: &Run<'_>| {
        let path = run.ring.path().join("loud.log");
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(path).expect("the log").blocks() * 512
    };
    assert!(in_memory(&run) <= KEEP + 4096, "{}", in_memory(&run));
    fs::remove_file(run.machine.disk()).expect("removed");
    run.say("loud", "at last\n");
    run.tick().expect("copied");
    let kept = run.kept(1, "loud");
    let [(start, text)] = kept.as_slice() else {
        panic!("{} parts", kept.len());
    };
    // What memory had lost by then is lost, and nothing else.
    assert_eq!(*start + text.len() as u64, 4500 * 1024 + 8);
    assert!(text.ends_with("at last\n") && text.len() as u64 >= KEEP);
}

#[test]
fn a_log_is_cut_into_parts_and_the_first_of_them_go() {
    let mut machine = Machine::new();
    let run = machine.boots();
    let lines = format!("{}\n", "y".repeat(1023)).repeat(1024);
    // Sixteen megabytes are kept of one log, or less where the disk is small.
    for _ in 0..40 {
        run.say("loud", &lines);
        run.tick().expect("copied");
    }
    let kept = run.kept(1, "loud");
    let bytes: usize = kept.iter().map(|(_, text)| text.len()).sum();
    assert!(bytes as u64 <= (16 << 20) + PART, "{bytes}");
    assert!(kept[0].0 > 0);
    for two in kept.windows(2) {
        assert_eq!(two[0].0 + two[0].1.len() as u64, two[1].0, "a hole");
    }
    let (start, text) = kept.last().expect("the end");
    assert_eq!(*start + text.len() as u64, 40 << 20);
}

#[test]
fn how_a_boot_ended_is_told_by_the_next_one() {
    let mut machine = Machine::new();
    let run = machine.boots();
    run.say("web", "first boot\n");
    let boots = run.tick().expect("copied");
    assert_eq!((boots.len(), boots[0].reason.as_str()), (1, "runs now"));
    assert!(matches!(
        run.journal.previous("web"),
        Err(JournalError::NoFormer)
    ));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let runtime = runtime.expect("a runtime");
    run.say("web", "last words\n");
    runtime.block_on(
        run.journal
            .end("restarted by admin".to_owned(), run.logs.clone()),
    );

    let run = machine.boots();
    let boots = run.tick().expect("copied");
    assert!(boots[0].clean && boots[0].ended.is_some());
    assert_eq!(boots[0].reason, "restarted by admin");
    assert_eq!(run.previous("web"), "first boot\nlast words\n");
    let tail = run
        .journal
        .previous("web")
        .expect("it")
        .tail(1)
        .expect("read");
    assert_eq!(tail, b"last words\n");
    let unknown = run.journal.previous("db").expect_err("none").to_string();
    assert_eq!(unknown, "boot 1 has no log of \"db\"; there are: web");

    // The power was cut.
    let run = machine.boots();
    let boots = run.tick().expect("copied");
    assert!(
        !boots[1].clean && boots[1].reason.contains("power was cut"),
        "{boots:?}"
    );

    // The watchdog.
    fs::write(machine.folder.path().join("bootstatus"), "32\n").expect("written");
    let run = machine.boots();
    let boots = run.tick().expect("copied");
    assert!(boots[2].reason.contains("watchdog"), "{boots:?}");

    // The kernel fell over; what it left is there, and not told twice.
    let left = machine.folder.path().join("pstore/dmesg-efi-1");
    fs::write(
        &left,
        "Panic#1 Part1\n<0>[  9.1] Kernel panic - not syncing: x\n",
    )
    .expect("written");
    let run = machine.boots();
    let boots = run.tick().expect("copied");
    assert_eq!(
        boots[3].reason,
        "the kernel fell over: Kernel panic - not syncing: x"
    );
    assert!(run.previous("panic").contains("not syncing"));
    assert!(!left.exists());
}

#[test]
fn a_beginning_that_was_cut_short_is_begun_again() {
    let mut machine = Machine::new();
    machine.boots().tick().expect("copied");
    // Its folder without the file that makes it one, and the one that was being made.
    for half in ["2", "new"] {
        fs::create_dir(machine.disk().join(half)).expect("a folder");
    }
    fs::write(machine.disk().join("new/boot.json"), "{").expect("half a file");
    let run = machine.boots();
    let boots = run.tick().expect("copied");
    let numbers: Vec<_> = boots.iter().map(|boot| boot.number).collect();
    assert_eq!(numbers, [1, 2]);
    assert!(!machine.disk().join("new").exists());
}

#[test]
fn boots_are_forgotten_after_a_while_and_their_logs_before() {
    let mut machine = Machine::new();
    for _ in 0..25 {
        let run = machine.boots();
        run.say("web", "hello\n");
        run.tick().expect("copied");
    }
    let run = machine.boots();
    let boots = run.tick().expect("copied");
    assert!(boots.len() <= 21, "{}", boots.len());
    assert_eq!(boots.last().expect("this one").number, 26);
    let with_logs = boots
        .iter()
        .filter(|boot| !run.kept(boot.number, "web").is_empty());
    let with_logs: Vec<_> = with_logs.map(|boot| boot.number).collect();
    assert_eq!(with_logs, [23, 24, 25]);
    let previous = Previous::open(&run.machine.disk(), 26, "web");
    assert!(previous.is_ok());
}
