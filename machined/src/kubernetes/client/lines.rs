//! An answer without an end: one object a line.

use http_body_util::BodyExt as _;
use serde_json::Value;

use super::{ClientError, LONGEST, Open};

/// The objects that are still to come. Dropping it ends the connection.
#[expect(missing_debug_implementations, reason = "it is a connection")]
pub struct Lines {
    open: Open,
    buffer: Buffer,
}

impl Lines {
    pub(super) fn new(open: Open) -> Self {
        Self {
            open,
            buffer: Buffer::default(),
        }
    }

    /// The next one; `None` when the server has ended it. What is not a whole line by then is lost with it.
    ///
    /// Cancel-safe: what had come in stays for the next call.
    ///
    /// # Errors
    /// The connection broke, or what came in is too long for an object or none.
    pub async fn next(&mut self) -> Result<Option<Value>, ClientError> {
        loop {
            if let Some(line) = self.buffer.line() {
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            if self.buffer.bytes.len() > LONGEST {
                let error = format!("a line is longer than {LONGEST} bytes");
                return Err(ClientError::Body(error));
            }
            let Some(frame) = self.open.response.body_mut().frame().await else {
                return Ok(None);
            };
            if let Ok(data) = frame?.into_data() {
                self.buffer.bytes.extend_from_slice(&data);
            }
        }
    }
}

/// What has come in and was not read yet.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// So much of it was looked through and has no end of a line.
    looked: usize,
}

impl Buffer {
    /// The first line that is whole and not empty, without its end.
    fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            let mut rest = self.bytes.iter().skip(self.looked);
            let Some(end) = rest.position(|byte| *byte == b'\n') else {
                self.looked = self.bytes.len();
                return None;
            };
            let rest = self.bytes.split_off(self.looked + end + 1);
            let mut line = std::mem::replace(&mut self.bytes, rest);
            self.looked = 0;
            line.truncate(line.trim_ascii_end().len());
            if !line.is_empty() {
                return Some(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_the_bytes_come() {
        let text = b"{\"a\": 1}\n\n{}\r\n[2]";
        for size in 1..text.len() {
            let mut buffer = Buffer::default();
            let mut lines = Vec::new();
            for piece in text.chunks(size) {
                buffer.bytes.extend_from_slice(piece);
                lines.extend(std::iter::from_fn(|| buffer.line()));
            }
            assert_eq!(lines, [b"{\"a\": 1}".to_vec(), b"{}".to_vec()], "{size}");
            assert_eq!(buffer.bytes, b"[2]");
        }
    }
}
