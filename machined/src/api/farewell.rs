//! The last word to a known caller that there is no room for.
//!
//! A connection that only closed would look like a broken node. So its peer is told in HTTP/2's words, which every client of
//! gRPC shows or turns into `RESOURCE_EXHAUSTED`, before anything it sends is looked at.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Frames of HTTP/2 (RFC 9113, 6.5 and 6.8), their error (7), and the stream that means the connection.
const SETTINGS: u8 = 0x04;
const GOAWAY: u8 = 0x07;
const ENHANCE_YOUR_CALM: u32 = 0x0b;

/// What is read of a peer that goes on talking: more than the beginning of any call.
const MOST: usize = 64 * 1024;

/// Says why, and waits until the peer has closed its side: whoever closes first with something unread takes back what he said.
pub(super) async fn say(mut stream: TlsStream<TcpStream>, why: &str) -> io::Result<()> {
    if stream.get_ref().1.alpn_protocol() == Some(pki::tls::HTTP_2) {
        stream.write_all(&frames(why)).await?;
    }
    stream.shutdown().await?;
    let (mut buffer, mut left) = ([0; 1024], MOST);
    while left > 0 {
        match stream.read(&mut buffer).await? {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}

/// The settings that every server begins with, all of them usual, and the end.
fn frames(why: &str) -> Vec<u8> {
    let mut bytes = frame(SETTINGS, &[]);
    let last_stream = 0_u32;
    let mut end = [last_stream.to_be_bytes(), ENHANCE_YOUR_CALM.to_be_bytes()].concat();
    end.extend(why.as_bytes());
    bytes.extend(frame(GOAWAY, &end));
    bytes
}

/// A frame of the connection, without flags.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default();
    let [_, length @ ..] = length.to_be_bytes();
    let (flags, connection) = (0, [0; 4]);
    [&length[..], &[kind, flags], &connection, payload].concat()
}

#[cfg(test)]
mod tests {
    use super::frames;

    #[test]
    fn frames_are_those_of_http_2() {
        let settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00";
        let goaway = b"\x00\x00\x0b\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0bwhy";
        assert_eq!(frames("why"), [&settings[..], goaway].concat());
    }
}
