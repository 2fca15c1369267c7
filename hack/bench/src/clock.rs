//! A machine's clock, read off its console.
//!
//! Every line of the kernel's log carries the machine's time, and is heard here a little later. The smallest delay of
//! many lines is as good as none, so it gives the distance between the two clocks. The kernel stamps lines with a
//! clock that begins a little before the one programs read; init's line `stage 2 at N` shows both at one moment.

use std::time::Duration;

/// What a machine said, and when it was heard: time since a moment before the machine was started.
pub(crate) type Heard = (Duration, String);

/// Moments of a boot on the listener's clock, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moments {
    /// PID 1's first instruction.
    pub(crate) began: f64,
    /// The first instruction of init in the verified root.
    pub(crate) root: f64,
    /// machined said that it does its work.
    pub(crate) ready: f64,
}

/// The moments; `None` when the lines do not tell all of them.
pub(crate) fn moments(heard: &[Heard]) -> Option<Moments> {
    let stamped = || {
        let stamped = |(at, line): &'_ Heard| Some((at.as_secs_f64(), stamp(line)?));
        heard
            .iter()
            .filter_map(move |it| Some((stamped(it)?, &*it.1)))
            // Others write on the same wire, and a stamp may be broken by them: none is from the future.
            .filter(|((at, stamp), _)| stamp <= at)
    };
    let distance = stamped()
        .map(|((at, stamp), _)| at - stamp)
        .reduce(f64::min)?;
    let second = |((_, stamp), line)| Some((stamp, told(line, "stage 2 at ")?));
    let (root, own) = stamped().find_map(second)?;
    let ready = stamped().find(|(_, line)| line.ends_with("init: machined is ready"))?;
    Some(Moments {
        began: began(heard)? + (root - own) + distance,
        root: root + distance,
        ready: ready.0.1 + distance,
    })
}

/// When PID 1 ran its first instruction, on the machine's own clock, which begins with its kernel.
pub(crate) fn began(heard: &[Heard]) -> Option<f64> {
    heard.iter().find_map(|(_, line)| told(line, "stage 1 at "))
}

/// The seconds in `[    1.234567] ...`.
fn stamp(line: &str) -> Option<f64> {
    let (seconds, _) = line.strip_prefix('[')?.split_once(']')?;
    seconds.trim().parse().ok()
}

/// The nanoseconds after a word of init's, in seconds.
fn told(line: &str, word: &str) -> Option<f64> {
    let (before, number) = line.split_once(word)?;
    let nanoseconds: u64 = number.trim().parse().ok()?;
    before
        .ends_with("init: ")
        .then(|| Duration::from_nanos(nanoseconds).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(at: f64, line: &str) -> Heard {
        (Duration::from_secs_f64(at), line.to_owned())
    }

    #[test]
    fn finds_the_moments_on_the_listeners_clock() {
        // The machine's log began 10 s after we began to listen, its programs' clock 0.5 s after that.
        let lines = [
            heard(12.3, "[    2.000000] late by three tenths"),
            heard(13.0, "[    3.000000] heard at once"),
            heard(14.2, "[    4.100000] init: stage 1 at 3500000000"),
            heard(14.3, "no stamp"),
            heard(14.4, "[674700.200000] a broken stamp"),
            heard(15.4, "[    5.000000] init: stage 2 at 4500000000"),
            heard(17.0, "[    7.000000] init: machined is ready"),
        ];
        assert_eq!(began(&lines), Some(3.5));
        let moments = moments(&lines).unwrap();
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(moments.began, 14.0) && near(moments.root, 15.0) && near(moments.ready, 17.0));
        assert!(super::moments(&lines[..6]).is_none());
    }
}
