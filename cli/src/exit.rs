//! How osctl ends when it is not simply well or badly.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use anyhow::{Context as _, Result};
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The arguments do not fit together, or do not fit the context.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct WrongUsage(String);

/// Makes an error of wrong usage.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    WrongUsage(message.into()).into()
}

/// Somebody ended osctl in the middle of something that leaves something behind.
#[derive(Debug, Error)]
#[error("interrupted; {left}")]
pub(crate) struct Interrupted {
    left: String,
    signal: SignalKind,
}

impl Interrupted {
    /// The exit code, as a shell has it: 128 and the number of the signal.
    pub(crate) fn code(&self) -> u8 {
        u8::try_from(128 + self.signal.as_raw_value()).unwrap_or(u8::MAX)
    }
}

/// All is well, and what was asked about would change something.
#[derive(Debug, Error)]
#[error("there are changes")]
pub(crate) struct Changes;

/// Does something that leaves something behind, unless somebody ends osctl meanwhile: by ctrl-C, by SIGTERM, or with the terminal. It is
/// dropped then, with all that is not to stay, and `left` says what is left.
///
/// Once it was called, these signals end nothing outside of it any more.
///
/// # Errors
/// Those of the work, and [`Interrupted`].
pub(crate) async fn interruptible<T>(
    left: impl FnOnce() -> String,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let ended = ended().context("listening to signals")?;
    tokio::select! {
        done = work => done,
        signal = ended => Err(Interrupted { left: left(), signal }.into()),
    }
}

/// The first signal that is to end this program. They are listened to from the call on.
fn ended() -> io::Result<impl Future<Output = SignalKind>> {
    // Where there is no such file, nothing is known to be ignored.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let all = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let heard = all.into_iter().filter(|it| !is_ignored(&status, *it));
    let heard = heard.map(|kind| Ok((kind, signal(kind)?)));
    let mut heard: Vec<(SignalKind, Signal)> = heard.collect::<io::Result<_>>()?;
    Ok(poll_fn(move |cx| {
        let mut ended = heard
            .iter_mut()
            .filter_map(|(kind, signal)| signal.poll_recv(cx).is_ready().then_some(*kind));
        ended.next().map_or(Poll::Pending, Poll::Ready)
    }))
}

/// Whether whoever started this program has it ignore a signal, as `nohup` does; by what Linux says of the program
/// (proc_pid_status(5)).
fn is_ignored(status: &str, signal: SignalKind) -> bool {
    let mask = status.lines().find_map(|it| it.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|it| u64::from_str_radix(it.trim(), 16).ok());
    let bit = u32::try_from(signal.as_raw_value() - 1).ok();
    let bit = bit.and_then(|it| 1_u64.checked_shl(it));
    mask.unwrap_or_default() & bit.unwrap_or_default() != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_starter_has_ignored_stays_so() {
        let nohup = "Name:\tosctl\nSigBlk:\t0000000000000003\nSigIgn:\t0000000000001001\n";
        assert!(is_ignored(nohup, SignalKind::hangup()));
        assert!(!is_ignored(nohup, SignalKind::interrupt()));
        assert!(!is_ignored(nohup, SignalKind::terminate()));
        assert!(is_ignored(nohup, SignalKind::pipe()));
        assert!(!is_ignored("", SignalKind::hangup()));
    }

    #[test]
    fn the_code_is_the_one_of_a_shell() {
        for (signal, code) in [
            (SignalKind::interrupt(), 130),
            (SignalKind::terminate(), 143),
        ] {
            let left = "a half".to_owned();
            let ended = Interrupted { left, signal };
            assert_eq!(ended.code(), code);
            assert_eq!(ended.to_string(), "interrupted; a half");
        }
    }
}
