//! The words of the link: what init and its daemons say to each other, as text and as types.
//!
//! Owns: encoding and strict parsing. Never touches a socket. A reason is free text and therefore always the last
//! argument; names are short and plain, so that a frame splits at spaces without quoting.

use std::fmt::Write as _;

/// The longest frame, in bytes. A START or CHILD with the longest reason stays well below it.
pub const MAX_FRAME: usize = 1024;
/// The longest name of a stored descriptor, in bytes.
const MAX_NAME: usize = 64;
/// The longest reason that is sent, in bytes; longer ones are cut.
const MAX_REASON: usize = 512;

/// Why a text is no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It is not UTF-8.
    #[error("not text")]
    NotText,
    /// It is longer than [`MAX_FRAME`].
    #[error("longer than {MAX_FRAME} bytes")]
    TooLong,
    /// The first word is unknown here.
    #[error("unknown verb {0:?}")]
    Verb(String),
    /// An argument is missing, unknown or malformed.
    #[error("{verb}: bad or missing {argument}")]
    Argument {
        /// The frame's first word.
        verb: &'static str,
        /// The argument's name.
        argument: &'static str,
    },
    /// There is something after the last argument.
    #[error("{0}: more arguments than it takes")]
    Surplus(&'static str),
}

/// A text frame that travels in one direction of the link.
pub trait Frame: Sized {
    /// The frame as text, at most [`MAX_FRAME`] bytes.
    fn encode(&self) -> String;
    /// The frame in a text.
    fn parse(text: &str) -> Result<Self, FrameError>;
}

/// The name of a stored descriptor: 1 to 64 letters, digits and `._:@/-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreName(String);

impl StoreName {
    /// Checks a name; `None` when it is not one.
    pub fn new(name: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@/-".contains(&byte);
        let fits = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(plain);
        fits.then(|| Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a daemon says to init.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToInit {
    /// I am alive. Due every five seconds.
    Ping,
    /// I do my work.
    Ready,
    /// Keep the descriptor beside this frame for my next life, in place of one of the same name.
    Store {
        /// The descriptor's name.
        name: StoreName,
    },
    /// Forget the descriptor of this name.
    Drop {
        /// The descriptor's name.
        name: StoreName,
    },
    /// Restart the machine, in order.
    Reboot,
    /// Switch the machine off, in order.
    Poweroff,
    /// Stop the machine without switching it off, in order.
    Halt,
}

/// Which life of a daemon this is, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Counts the starts of this daemon since the machine's boot, from 1.
    pub epoch: u64,
    /// Whether to come up in safe mode.
    pub safe: bool,
    /// How often it has been restarted since it last ran in peace.
    pub restarts: u32,
    /// Why the life before ended.
    pub reason: String,
}

/// Where a daemon is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildState {
    /// Its process runs.
    Running,
    /// It ended and stays so: the machine goes down.
    Exited,
    /// It ended and waits for its next start.
    Restarting,
    /// It could not be started; init goes on trying.
    Failed,
}

/// One daemon as init sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildStatus {
    /// `machined` or `networkd`.
    pub name: String,
    /// Its process, 0 when there is none.
    pub pid: u32,
    /// Where it is in its life.
    pub state: ChildState,
    /// How often it has been restarted since it last ran in peace.
    pub restarts: u32,
    /// Why it is not in its first life.
    pub reason: String,
}

/// What init says to a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromInit {
    /// The descriptor beside this frame was stored in an earlier life.
    Fd {
        /// The name it was stored under.
        name: StoreName,
    },
    /// All stored descriptors are handed over; begin.
    Start(Start),
    /// A daemon's state (to machined only).
    Child(ChildStatus),
    /// The machine is asked to go down: do your part, then say how (to machined only).
    Shutdown,
}

impl Frame for ToInit {
    fn encode(&self) -> String {
        match self {
            Self::Ping => "PING".to_owned(),
            Self::Ready => "READY".to_owned(),
            Self::Store { name } => format!("STORE {}", name.0),
            Self::Drop { name } => format!("DROP {}", name.0),
            Self::Reboot => "REBOOT".to_owned(),
            Self::Poweroff => "POWEROFF".to_owned(),
            Self::Halt => "HALT".to_owned(),
        }
    }

    fn parse(text: &str) -> Result<Self, FrameError> {
        let (verb, rest) = split_verb(text)?;
        match verb {
            "PING" => bare("PING", rest, Self::Ping),
            "READY" => bare("READY", rest, Self::Ready),
            "STORE" => Ok(Self::Store {
                name: name("STORE", rest)?,
            }),
            "DROP" => Ok(Self::Drop {
                name: name("DROP", rest)?,
            }),
            "REBOOT" => bare("REBOOT", rest, Self::Reboot),
            "POWEROFF" => bare("POWEROFF", rest, Self::Poweroff),
            "HALT" => bare("HALT", rest, Self::Halt),
            _ => Err(FrameError::Verb(verb.to_owned())),
        }
    }
}

impl Frame for FromInit {
    fn encode(&self) -> String {
        match self {
            Self::Fd { name } => format!("FD {}", name.0),
            Self::Shutdown => "SHUTDOWN".to_owned(),
            Self::Start(Start {
                epoch,
                safe,
                restarts,
                reason,
            }) => {
                let safe = u8::from(*safe);
                let mut text = format!("START epoch={epoch} safe={safe} restarts={restarts}");
                push_reason(&mut text, reason);
                text
            }
            Self::Child(ChildStatus {
                name,
                pid,
                state,
                restarts,
                reason,
            }) => {
                let state = state.word();
                let mut text =
                    format!("CHILD name={name} pid={pid} state={state} restarts={restarts}");
                push_reason(&mut text, reason);
                text
            }
        }
    }

    fn parse(text: &str) -> Result<Self, FrameError> {
        let (verb, rest) = split_verb(text)?;
        match verb {
            "FD" => Ok(Self::Fd {
                name: name("FD", rest)?,
            }),
            "SHUTDOWN" => bare("SHUTDOWN", rest, Self::Shutdown),
            "START" => {
                let mut arguments = Arguments {
                    verb: "START",
                    rest,
                };
                Ok(Self::Start(Start {
                    epoch: arguments.number("epoch")?,
                    safe: arguments.number::<u8>("safe")? != 0,
                    restarts: arguments.number("restarts")?,
                    reason: arguments.reason()?,
                }))
            }
            "CHILD" => {
                let mut arguments = Arguments {
                    verb: "CHILD",
                    rest,
                };
                Ok(Self::Child(ChildStatus {
                    name: arguments.word("name")?.to_owned(),
                    pid: arguments.number("pid")?,
                    state: arguments.state()?,
                    restarts: arguments.number("restarts")?,
                    reason: arguments.reason()?,
                }))
            }
            _ => Err(FrameError::Verb(verb.to_owned())),
        }
    }
}

impl ChildState {
    /// The state as one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Exited => "exited",
            Self::Restarting => "restarting",
            Self::Failed => "failed",
        }
    }
}

/// The arguments of a frame that has several, taken in their written order.
struct Arguments<'a> {
    verb: &'static str,
    rest: &'a str,
}

impl<'a> Arguments<'a> {
    fn bad(&self, argument: &'static str) -> FrameError {
        FrameError::Argument {
            verb: self.verb,
            argument,
        }
    }

    fn word(&mut self, argument: &'static str) -> Result<&'a str, FrameError> {
        let (word, rest) = self.rest.split_once(' ').unwrap_or((self.rest, ""));
        let value = word
            .strip_prefix(argument)
            .and_then(|word| word.strip_prefix('='));
        let value = value
            .filter(|value| !value.is_empty() && !value.contains(char::is_control))
            .ok_or_else(|| self.bad(argument))?;
        self.rest = rest;
        Ok(value)
    }

    fn number<N: std::str::FromStr>(&mut self, argument: &'static str) -> Result<N, FrameError> {
        self.word(argument)?.parse().map_err(|_| self.bad(argument))
    }

    fn state(&mut self) -> Result<ChildState, FrameError> {
        match self.word("state")? {
            "running" => Ok(ChildState::Running),
            "exited" => Ok(ChildState::Exited),
            "restarting" => Ok(ChildState::Restarting),
            "failed" => Ok(ChildState::Failed),
            _ => Err(self.bad("state")),
        }
    }

    fn reason(&self) -> Result<String, FrameError> {
        let reason = self
            .rest
            .strip_prefix("reason=")
            .ok_or_else(|| self.bad("reason"))?;
        Ok(reason.to_owned())
    }
}

fn split_verb(text: &str) -> Result<(&str, &str), FrameError> {
    if text.len() > MAX_FRAME {
        return Err(FrameError::TooLong);
    }
    Ok(text.split_once(' ').unwrap_or((text, "")))
}

fn bare<F>(verb: &'static str, rest: &str, frame: F) -> Result<F, FrameError> {
    if rest.is_empty() {
        Ok(frame)
    } else {
        Err(FrameError::Surplus(verb))
    }
}

fn name(verb: &'static str, rest: &str) -> Result<StoreName, FrameError> {
    StoreName::new(rest).ok_or(FrameError::Argument {
        verb,
        argument: "name",
    })
}

/// Appends a reason as the last argument: one line, and no longer than fits.
fn push_reason(text: &mut String, reason: &str) {
    let mut end = reason.len().min(MAX_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let line = reason
        .get(..end)
        .unwrap_or_default()
        .replace(|c: char| c.is_control(), " ");
    // Writing to a String cannot fail.
    let _ = write!(text, " reason={line}");
}
