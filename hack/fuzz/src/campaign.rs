//! Running the engine on targets, and telling what came of it.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result};
use fuzz::Target;

use crate::place;

/// The longest an input may take, in seconds: a parser that needs more of a few kilobytes is broken too.
const SLOW: u32 = 5;
/// The most memory the engine may use with all it keeps, in MiB.
const MEMORY: u32 = 1024;

/// What came of one target.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The target.
    pub(crate) name: &'static str,
    /// How many inputs were tried.
    tried: u64,
    /// How many edges of our code they reached.
    edges: u64,
    /// How many inputs are worth keeping, for what they reach.
    inputs: u64,
    /// What the engine said of the input that broke it.
    pub(crate) broken_by: Option<String>,
}

/// Runs every target for that long, as many at once as there are processors; a seed of 0 is another one every time.
pub(crate) fn run(
    engine: &Path,
    targets: &[&'static Target],
    seconds: u64,
    seed: u32,
) -> Result<Vec<Outcome>> {
    let waiting = Mutex::new(targets.iter());
    let next = || waiting.lock().map_or(None, |mut it| it.next().copied());
    let worker = || -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        while let Some(target) = next() {
            let outcome = try_one(engine, target, seconds, seed)?;
            say(&outcome);
            outcomes.push(outcome);
        }
        Ok(outcomes)
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let done = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        let join = |it: thread::ScopedJoinHandle<'_, _>| it.join().expect("a worker only waits");
        workers.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    let mut outcomes: Vec<_> = done.into_iter().flatten().collect();
    outcomes.sort_by_key(|outcome| outcome.name);
    Ok(outcomes)
}

fn try_one(engine: &Path, target: &'static Target, seconds: u64, seed: u32) -> Result<Outcome> {
    let folder = place::found(engine, target);
    let corpus = folder.join("corpus");
    fs::create_dir_all(&corpus).with_context(|| format!("creating {}", corpus.display()))?;
    let words = folder.join("words");
    fs::write(&words, dictionary(target))
        .with_context(|| format!("writing {}", words.display()))?;
    let log = folder.join("log");
    let file = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
    let also = file.try_clone().context("sharing the log")?;
    let status = Command::new(engine)
        .env(fuzz::TARGET_ENV, target.name)
        .arg(format!("-artifact_prefix={}/", folder.display()))
        .arg(format!("-dict={}", words.display()))
        .arg(format!("-max_len={}", target.longest))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-seed={seed}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-timeout={SLOW}"))
        .args(["-print_final_stats=1", "-use_value_profile=1"])
        .arg(corpus)
        .args(place::kept(target))
        .stdout(file)
        .stderr(also)
        .status()
        .with_context(|| format!("starting {}", engine.display()))?;
    let text = fs::read(&log).with_context(|| format!("reading {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    Ok(Outcome {
        name: target.name,
        tried: last_number(&text, "stat::number_of_executed_units:"),
        edges: last_number(&text, " cov:"),
        inputs: last_number(&text, " corp:"),
        broken_by: (!status.success()).then(|| complaint(&text, &log)),
    })
}

/// Where it broke, why, and on which input; a later run writes over the log.
fn complaint(text: &str, log: &Path) -> String {
    let lines: Vec<_> = text.lines().collect();
    let panic = lines.iter().position(|line| line.contains("panicked at"));
    let said = panic.map_or(&[][..], |at| lines.get(at..at + 2).unwrap_or_default());
    let telling = |line: &&&str| line.contains("libFuzzer: ") || line.contains("Test unit written");
    let rest = lines.iter().filter(telling);
    let told: Vec<_> = said
        .iter()
        .chain(rest)
        .map(|line| format!("  {line}\n"))
        .collect();
    format!("{}  log: {}", told.concat(), log.display())
}

/// The target's words in libFuzzer's form.
fn dictionary(target: &Target) -> String {
    let mut text = String::new();
    for word in target.words {
        let escaped = word.bytes().map(|byte| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(byte)),
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        });
        text.push_str(&format!("\"{}\"\n", escaped.collect::<String>()));
    }
    text
}

/// The number after the last `label`.
fn last_number(text: &str, label: &str) -> u64 {
    let after = text.rsplit_once(label).map_or("", |(_, after)| after);
    let digits: String = after
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap_or(0)
}

#[expect(
    clippy::print_stdout,
    reason = "the outcome is what this program prints"
)]
fn say(outcome: &Outcome) {
    let Outcome {
        name,
        tried,
        edges,
        inputs,
        broken_by,
    } = outcome;
    let verdict = match broken_by {
        None => "fine".to_owned(),
        Some(complaint) => format!("BROKEN\n{complaint}"),
    };
    println!("{name:<12} {tried:>10} tried {edges:>6} edges {inputs:>5} inputs  {verdict}");
}

/// The outcomes as Markdown.
pub(crate) fn table(seconds: u64, outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "# Fuzzing\n\n`cargo run --package garboard-fuzz -- --seconds {seconds}`, every target that long, with all \
         that earlier runs on the same machine had found.\n\n\
         | target | inputs tried | edges of our code | inputs kept | broken |\n|---|---:|---:|---:|---|\n"
    );
    for outcome in outcomes {
        let Outcome {
            name,
            tried,
            edges,
            inputs,
            broken_by,
        } = outcome;
        let broken = if broken_by.is_some() { "yes" } else { "no" };
        text.push_str(&format!(
            "| {name} | {tried} | {edges} | {inputs} | {broken} |\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_engines_last_words() {
        let log = "#2\tINITED cov: 9 ft: 9 corp: 1/1b\n#8\tDONE   cov: 12 ft: 30 corp: 7/99b\n\
                   stat::number_of_executed_units: 4711\n";
        assert_eq!(last_number(log, " cov:"), 12);
        assert_eq!(last_number(log, " corp:"), 7);
        assert_eq!(last_number(log, "stat::number_of_executed_units:"), 4711);
        assert_eq!(last_number("", " cov:"), 0);
    }

    #[test]
    fn a_complaint_names_cause_and_input() {
        let log = "#9 NEW\nthread '<unnamed>' panicked at a.rs:1:2:\nwhy\nstack backtrace:\n  0: x\n\
                   ==1== ERROR: libFuzzer: deadly signal\nartifact_prefix='t/'; Test unit written to t/crash-1\n";
        let complaint = complaint(log, Path::new("t/log"));
        for part in [
            "a.rs:1:2",
            "  why\n",
            "deadly signal",
            "t/crash-1",
            "log: t/log",
        ] {
            assert!(complaint.contains(part), "{complaint}");
        }
        assert!(!complaint.contains("0: x"), "{complaint}");
    }

    #[test]
    fn words_are_escaped() {
        let target = Target {
            name: "",
            run: |_| (),
            longest: 1,
            also: &[],
            words: &["a\"\\\n"],
        };
        assert_eq!(dictionary(&target), "\"a\\\"\\\\\\x0a\"\n");
    }
}
