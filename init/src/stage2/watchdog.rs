//! Feeding the hardware watchdog for as long as init's own loop turns.
//!
//! Owns: arming it when there is one, its timeout, and when it is fed. Its driver may come late, with machined's
//! devices; until then each look costs one failed open.

use std::path::Path;
use std::time::Duration;

use sys::watchdog::Watchdog;

use crate::log::Log;

const DEVICE: &str = "/dev/watchdog0";
/// Long enough for a disk that hangs for half a minute, short enough that a hang is no outage.
const TIMEOUT: u16 = 60;
/// Fed this many times within the timeout.
const TIMES: u32 = 6;

/// The watchdog, armed or not there.
#[derive(Debug, Default)]
pub(super) struct Feeder {
    armed: Option<(Watchdog, Duration)>,
    fed: Duration,
    absence_told: bool,
}

impl Feeder {
    /// Arms or feeds it when that is due.
    pub(super) fn feed(&mut self, now: Duration, log: &Log) {
        let Some((watchdog, every)) = &mut self.armed else {
            return self.arm(now, log);
        };
        if now.saturating_sub(self.fed) >= *every {
            self.fed = now;
            if let Err(error) = watchdog.keep_alive() {
                log.error(&format!("feed the watchdog: {error}"));
            }
        }
    }

    /// When it is due again.
    pub(super) fn due(&self) -> Option<Duration> {
        self.armed.as_ref().map(|(_, every)| self.fed + *every)
    }

    /// Lets go of it: nobody will feed it any more, and nobody shall.
    pub(super) fn disarm(self, log: &Log) {
        if let Some((watchdog, _)) = self.armed
            && let Err(error) = watchdog.disarm()
        {
            log.warn(&format!("disarm the watchdog: {error}"));
        }
    }

    fn arm(&mut self, now: Duration, log: &Log) {
        let watchdog = match Watchdog::arm(Path::new(DEVICE)) {
            Ok(watchdog) => watchdog,
            Err(error) => {
                if !self.absence_told {
                    self.absence_told = true;
                    log.info(&format!("no watchdog yet: open {DEVICE}: {error}"));
                }
                return;
            }
        };
        let timeout = watchdog.set_timeout(TIMEOUT).unwrap_or_else(|error| {
            log.warn(&format!("set the watchdog to {TIMEOUT} s: {error}"));
            // Its own default is unknown; most have 30 s or more.
            30
        });
        log.info(&format!("watchdog armed, {timeout} s"));
        let every = Duration::from_secs(timeout.into()) / TIMES;
        self.armed = Some((watchdog, every));
        self.fed = now;
    }
}
