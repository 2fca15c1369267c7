//! Inputs that are small or allowed and would cost a naive parser the machine: each ends soon, with an answer.
//!
//! "Soon" is measured against a harmless text of one MiB in the same run, in the processor's time: other work on the
//! machine changes neither.

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

const MIB: usize = 1024 * 1024;

/// How much dearer than the harmless text an input of its size may be. What goes off takes thousands of times as long.
const SOON: u32 = 20;

/// What some work gives, and what it took of this thread's processor time.
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux"));
    let began = now();
    let made = work();
    (made, now() - began)
}

/// What a harmless text of one MiB takes.
fn yardstick() -> Duration {
    static MEASURED: LazyLock<Duration> = LazyLock::new(|| {
        let text = filled("a: [", "x, ");
        timed(|| config::parse("harmless", text.as_bytes()).is_err()).1
    });
    *MEASURED
}

fn answered(name: &str, text: &[u8]) -> String {
    let parsed = || match config::parse(name, text) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string(),
    };
    let (answer, took) = timed(parsed);
    assert_soon(name, took);
    assert!(
        answer.len() <= 64 * MIB,
        "{name}: {} bytes of answer",
        answer.len()
    );
    answer
}

fn assert_soon(what: &str, took: Duration) {
    let limit = yardstick() * SOON;
    assert!(took < limit, "{what} took {took:?} of {limit:?}");
}

fn filled(head: &str, piece: &str) -> String {
    head.to_owned() + &piece.repeat((MIB - head.len()) / piece.len())
}

const HEAD: &str = "apiVersion: garboard/v1alpha1\nkind: Resolver\nservers: ";

#[test]
fn an_anchor_bomb_is_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..60 {
        let below = vec![format!("*a{}", level - 1); 9].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{below}]").expect("writing to a string");
    }
    let answer = answered("bomb", bomb.as_bytes());
    assert!(answer.contains("expand to more than"), "{answer}");
}

#[test]
fn a_mebibyte_of_anything_is_answered_soon() {
    for (name, head, piece) in [
        ("deep flow", HEAD, "["),
        ("deep block", HEAD, "- "),
        ("flow items", &format!("{HEAD}["), "1.1.1.1, "),
        ("aliases", "a: &a [x]\nb: [", "*a,"),
        ("anchors", "a: [", "&a x,"),
        ("keys", "", "a: b\n"),
        ("documents", "", "---\n"),
        ("wrong documents", "", "--- {a: b}\n"),
        ("unclosed quote", "a: \"", "x\n"),
        ("escapes", "a: \"", "\\u2029"),
        ("comment", "#", "#"),
        ("one long line", "a: ", "x"),
        ("one long key", "", "k"),
        ("block scalar", "a: |\n", " x\n"),
        ("folded scalar", "a: >\n", " x\n\n"),
        ("spaces", "a:", " "),
        ("question marks", "", "? "),
        ("tags", "a: ", "!!str "),
        ("colons", "", ":"),
        ("newlines", "", "\n"),
    ] {
        let text = filled(head, piece);
        let answer = answered(name, text.as_bytes());
        assert!(!answer.is_empty(), "{name} was taken");
    }
}

#[test]
fn many_keys_and_many_names_are_answered_soon() {
    let mut keys = String::from("apiVersion: garboard/v1alpha1\nkind: Hostname\n");
    let mut links = String::new();
    for number in 0..40_000 {
        writeln!(keys, "hostnam{number}: x").expect("writing to a string");
    }
    for number in 0..1_000 {
        let head = "apiVersion: garboard/v1alpha1\nkind: Link\n";
        writeln!(
            links,
            "---\n{head}name: eth{number}\naddresses: [10.0.{}.{}/8]",
            number / 250,
            number % 250
        )
        .expect("writing to a string");
    }
    assert!(answered("keys", keys.as_bytes()).contains("unknown field"));
    assert_eq!(answered("links", links.as_bytes()), "");
    let (checked, took) = timed(|| config::check("links", links.as_bytes()));
    checked.expect("a thousand links are a config");
    assert_soon("a thousand links", took);
}

#[test]
fn what_is_not_text_is_answered_soon() {
    for (name, byte) in [
        ("zeros", 0_u8),
        ("ones", 0xff),
        ("continuations", 0x80),
        ("escapes", 0x1b),
    ] {
        assert!(!answered(name, &vec![byte; MIB]).is_empty());
    }
    let mut late = vec![b'\n'; MIB - 1];
    late.push(0xff);
    assert!(answered("late", &late).contains("not UTF-8"));
    let huge = answered("huge", &vec![b'#'; 64 * MIB]);
    assert!(huge.contains("at most"), "{huge}");
}
