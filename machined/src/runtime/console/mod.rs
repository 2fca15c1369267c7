//! The console: what a person in front of the machine sees, as plain text, drawn anew when it changes.
//!
//! The lines begin with `garboard: WORD` on every console, so that a program that reads a serial log finds them among
//! the kernel's. A screen is cleared before each drawing; a serial line is not, because its history is a log.

pub mod apply;
pub mod config;
pub mod level;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

/// One network link as the console shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkView {
    /// The link's name.
    pub name: String,
    /// Its operational state in the kernel's words.
    pub state: String,
    /// Its addresses with prefix lengths.
    pub addresses: Vec<String>,
}

/// Everything the console shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The node's name; empty before it has one.
    pub name: String,
    /// The name of its cluster; empty where the config does not say.
    pub cluster: String,
    /// The version of the system.
    pub version: String,
    /// The stage the node is in.
    pub stage: String,
    /// The links, loopback aside.
    pub links: Vec<LinkView>,
    /// The port the API listens on; none before it does.
    pub api_port: Option<u16>,
    /// The fingerprint of the API's key.
    pub fingerprint: String,
    /// The pairing string, in maintenance mode only.
    pub pairing: Option<String>,
    /// What the node waits for.
    pub waiting: Vec<String>,
    /// The last thing that went wrong.
    pub last_error: Option<String>,
}

impl View {
    /// The text of the console.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::from("\n");
        let mut line = |word: &str, value: &str| {
            if !value.is_empty() {
                text.push_str(&format!("garboard: {word} {}\n", printable(value)));
            }
        };
        line("version", &self.version);
        line("name", &self.name);
        line("cluster", &self.cluster);
        line("stage", &self.stage);
        for link in &self.links {
            line("link", &format!("{} {}", link.name, link.state));
            for address in &link.addresses {
                line("address", &format!("{} {address}", link.name));
            }
        }
        if let Some(port) = self.api_port {
            line("api", &format!("0.0.0.0:{port} ready"));
        }
        line("fingerprint", &self.fingerprint);
        line("pairing", self.pairing.as_deref().unwrap_or_default());
        for waiting in &self.waiting {
            line("waiting", waiting);
        }
        line("error", self.last_error.as_deref().unwrap_or_default());
        text
    }
}

/// A value comes from outside at times: a line break or an escape in it must not draw on the console.
fn printable(value: &str) -> String {
    value
        .chars()
        .map(|character| {
            if character.is_control() {
                '\u{fffd}'
            } else {
                character
            }
        })
        .collect()
}

/// The consoles of the machine, as the kernel lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consoles {
    devices: Vec<PathBuf>,
}

/// Clears the screen and goes to its first column (ECMA-48: ED, CUP).
const CLEAR: &str = "\x1b[2J\x1b[H";

impl Consoles {
    /// The consoles that the kernel writes to: `active` is the content of `/sys/class/tty/console/active`.
    #[must_use]
    pub fn active(active: &str) -> Self {
        let devices = active
            .split_whitespace()
            .map(|name| Path::new("/dev").join(name))
            .collect();
        Self { devices }
    }

    /// Reads the kernel's list; a machine without one has no console.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::active(&fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default())
    }

    /// Those that are named, of these.
    #[must_use]
    pub fn named(&self, names: &[String]) -> Self {
        let named = |it: &&PathBuf| {
            let name = it.file_name().and_then(|it| it.to_str());
            name.is_some_and(|it| names.iter().any(|wanted| wanted == it))
        };
        Self {
            devices: self.devices.iter().filter(named).cloned().collect(),
        }
    }

    /// Draws `text` on every console. May block as long as a serial line takes, so not for an async task.
    ///
    /// # Errors
    /// The first console that could not be written to; the others have been.
    pub fn draw(&self, text: &str) -> io::Result<()> {
        let mut first = Ok(());
        for device in &self.devices {
            let screen = device
                .to_str()
                .is_some_and(|name| name.starts_with("/dev/tty") && !name.starts_with("/dev/ttyS"));
            first = first.and(draw_on(device, if screen { CLEAR } else { "" }, text));
        }
        first
    }
}

fn draw_on(device: &Path, prefix: &str, text: &str) -> io::Result<()> {
    // Without the flag it would become our controlling terminal, and a Ctrl-C typed there would end us.
    let mut console = OpenOptions::new()
        .write(true)
        .custom_flags(OFlag::O_NOCTTY.bits())
        .open(device)?;
    // A console in raw mode does not turn a line feed into a new line.
    console.write_all(format!("{prefix}{text}").replace('\n', "\r\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_node_shows_all_that_pairing_needs() {
        let view = View {
            version: "0.1.0".into(),
            stage: "maintenance".into(),
            links: vec![LinkView {
                name: "eth0".into(),
                state: "up".into(),
                addresses: vec!["10.0.2.15/24".into()],
            }],
            api_port: Some(50000),
            pairing: Some("AAAA-BBBB".into()),
            ..View::default()
        };
        let expected = "\ngarboard: version 0.1.0\ngarboard: stage maintenance\ngarboard: link eth0 up\n\
                        garboard: address eth0 10.0.2.15/24\ngarboard: api 0.0.0.0:50000 ready\n\
                        garboard: pairing AAAA-BBBB\n";
        assert_eq!(view.render(), expected);
    }

    #[test]
    fn a_node_is_told_with_its_cluster() {
        let view = View {
            name: "cp-1".into(),
            cluster: "production".into(),
            version: "0.1.0".into(),
            stage: "running".into(),
            ..View::default()
        };
        assert_eq!(
            view.render(),
            "\ngarboard: version 0.1.0\ngarboard: name cp-1\ngarboard: cluster production\n\
             garboard: stage running\n"
        );
    }

    #[test]
    fn a_value_cannot_draw_on_the_console() {
        let view = View {
            last_error: Some("a\n\x1b[2Jb".into()),
            ..View::default()
        };
        assert_eq!(view.render(), "\ngarboard: error a\u{fffd}\u{fffd}[2Jb\n");
    }
}
