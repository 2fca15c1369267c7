//! Sockets, and whose they are.

use api::v1alpha1 as v1;
use serde::Serialize;

use super::Row;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Socket {
    protocol: String,
    local: String,
    remote: String,
    state: String,
    uid: u32,
    receive_bytes: u32,
    send_bytes: u32,
    pid: u32,
    command: String,
}

impl From<v1::Socket> for Socket {
    fn from(said: v1::Socket) -> Self {
        Self {
            protocol: said.protocol,
            local: said.local,
            remote: said.remote,
            state: said.state,
            uid: said.uid,
            receive_bytes: said.receive_bytes,
            send_bytes: said.send_bytes,
            pid: said.pid,
            command: said.command,
        }
    }
}

impl Socket {
    /// Whether it waits for anybody: UDP has no word for it but no peer either.
    pub(super) fn listens(&self) -> bool {
        self.state == "listen" || (self.state.is_empty() && self.remote.ends_with(":0"))
    }
}

impl Row for Socket {
    const HEADINGS: &'static [&'static str] = &["PROTOCOL", "LOCAL", "REMOTE", "STATE", "PROCESS"];

    fn cells(&self) -> Vec<String> {
        let process = match self.pid {
            0 => String::new(),
            pid => format!("{pid}/{}", self.command),
        };
        vec![
            self.protocol.clone(),
            self.local.clone(),
            self.remote.clone(),
            self.state.clone(),
            process,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_waits_for_anybody() {
        let socket = |state: &str, remote: &str| {
            Socket::from(v1::Socket {
                state: state.into(),
                remote: remote.into(),
                ..v1::Socket::default()
            })
        };
        assert!(socket("listen", "[::]:0").listens());
        assert!(socket("", "0.0.0.0:0").listens());
        assert!(!socket("established", "10.0.0.1:443").listens());
        assert!(!socket("time-wait", "10.0.0.1:50").listens());
    }
}
