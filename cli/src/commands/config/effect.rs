//! How a config takes effect: at once, with the next boot, or for a while only.

use anyhow::{Context as _, Result};
use api::v1alpha1 as v1;
use api::v1alpha1::ApplyConfigRequest;
use clap::{Args, ValueEnum};
use jiff::SignedDuration;

use crate::exit::usage;

/// How a config takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// At once
    Auto,
    /// With the next boot of the node; until then `osctl config rollback` cancels it
    Staged,
    /// At once, and for a while only unless `osctl config confirm` comes in time, even if the node restarts meanwhile
    Try,
}

impl Mode {
    /// Its name, as the command line and every output have it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Staged => "staged",
            Self::Try => "try",
        }
    }
}

impl From<Mode> for v1::ApplyMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Auto => Self::Auto,
            Mode::Staged => Self::Staged,
            Mode::Try => Self::Try,
        }
    }
}

/// A time such as `90s` or `5m`, in whole seconds.
fn seconds(text: &str) -> Result<u32> {
    let time: SignedDuration = text.parse()?;
    u32::try_from(time.as_secs()).context("a time is not negative, and not that long")
}

/// The arguments of every command that gives a node a config.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Effect {
    /// How it takes effect
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    mode: Mode,
    /// How long it is tried, from 10s to 24h [default: 60s]
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    seconds: Option<u32>,
}

impl Effect {
    /// Refuses arguments that do not fit together.
    pub(super) fn check(self) -> Result<()> {
        if self.seconds.is_some() && self.mode != Mode::Try {
            return Err(usage(
                "--for says how long a config is tried: it goes with --mode try",
            ));
        }
        Ok(())
    }

    /// Refuses any of them, where there is no node on which it could take effect.
    pub(super) fn refuse(self) -> Result<()> {
        if self.mode != Mode::Auto || self.seconds.is_some() {
            return Err(usage(
                "--mode and --for say how a config takes effect on a node, and -f is about a file",
            ));
        }
        Ok(())
    }

    /// How it takes effect.
    pub(super) fn mode(self) -> Mode {
        self.mode
    }

    /// The request, to take effect so.
    pub(super) fn of(self, request: ApplyConfigRequest) -> ApplyConfigRequest {
        ApplyConfigRequest {
            mode: v1::ApplyMode::from(self.mode).into(),
            try_seconds: self.seconds.unwrap_or_default(),
            ..request
        }
    }
}
