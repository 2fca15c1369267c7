//! QEMU's control socket: one JSON object per line, answers in order, events in between.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::deadline::Deadline;
use crate::process::Process;
use crate::wire;

/// An open control socket. Dropping it frees it for the next client; QEMU serves one at a time.
#[derive(Debug)]
pub(crate) struct Qmp {
    stream: BufReader<UnixStream>,
    deadline: Deadline,
}

/// Why QEMU could not be asked, or what it refused.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// The socket does not answer.
    #[error("cannot reach QEMU at {socket}")]
    Connect {
        /// The socket's name in the cluster's folder.
        socket: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The conversation broke off.
    #[error("QEMU did not answer {command}")]
    Broken {
        /// What was asked.
        command: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It answered something that is not its protocol.
    #[error("QEMU answered {command} with something that is not JSON")]
    Garbled {
        /// What was asked.
        command: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// It refused.
    #[error("QEMU refuses {command}: {reason}")]
    Refused {
        /// What was asked.
        command: String,
        /// QEMU's words.
        reason: String,
    },
}

impl Qmp {
    /// Connects and leaves the negotiation behind. The deadline holds for everything that is asked.
    pub(crate) fn connect(
        folder: &Path,
        socket: &str,
        process: Process,
        deadline: Deadline,
    ) -> Result<Self, QmpError> {
        let connected = wire::connect(folder, socket, process, deadline);
        let stream = connected.map_err(|source| QmpError::Connect {
            socket: socket.to_owned(),
            source,
        })?;
        let mut qmp = Self {
            stream: BufReader::new(stream),
            deadline,
        };
        qmp.read("the greeting")?;
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs a command and gives its answer; events that come first are passed over.
    pub(crate) fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, QmpError> {
        let mut line = json!({"execute": command, "arguments": arguments}).to_string();
        line.push('\n');
        wire::bound(self.stream.get_ref(), self.deadline)
            .and_then(|()| self.stream.get_mut().write_all(line.as_bytes()))
            .map_err(|source| broken(command, source))?;
        loop {
            let mut answer = self.read(command)?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                let reason = error.get("desc").and_then(Value::as_str);
                return Err(QmpError::Refused {
                    command: command.to_owned(),
                    reason: reason.unwrap_or("without a reason").to_owned(),
                });
            }
        }
    }

    /// Runs a command of the human monitor, which says in prose what went wrong and nothing when all is well.
    pub(crate) fn monitor(&mut self, line: &str) -> Result<String, QmpError> {
        let answer = self.execute("human-monitor-command", json!({"command-line": line}))?;
        Ok(answer.as_str().unwrap_or_default().trim().to_owned())
    }

    fn read(&mut self, command: &str) -> Result<Value, QmpError> {
        let mut line = String::new();
        let read = wire::bound(self.stream.get_ref(), self.deadline)
            .and_then(|()| self.stream.read_line(&mut line))
            .map_err(|source| broken(command, source))?;
        if read == 0 {
            return Err(broken(command, io::ErrorKind::UnexpectedEof.into()));
        }
        serde_json::from_str(&line).map_err(|source| QmpError::Garbled {
            command: command.to_owned(),
            source,
        })
    }
}

fn broken(command: &str, source: io::Error) -> QmpError {
    QmpError::Broken {
        command: command.to_owned(),
        source,
    }
}
