//! A node that refuses our certificate.
//!
//! With TLS 1.3 it says so after the handshake, in the place of its first answer, and the library of HTTP/2 lets nothing
//! but the words of that through. So what there is to say is said here, where it is heard, the way out included.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use jiff::Timestamp;
use pki::Certificate;
use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// When our certificate holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holds {
    from: Timestamp,
    until: Timestamp,
}

impl Holds {
    /// When this one does.
    pub(crate) fn of(own: &Certificate) -> Self {
        Self {
            from: own.not_before,
            until: own.not_after,
        }
    }

    /// What to say of a node that finds it does not hold; the protocol has one word for too early and too late.
    fn disputed(self, now: Timestamp) -> String {
        let Self { from, until } = self;
        let issue = "`osctl gen crt --name CONTEXT --force` issues a new one";
        if now > until {
            return format!("your certificate ended at {until} ({issue})");
        }
        if now < from {
            return format!(
                "your certificate holds from {from} on, and the clock of this computer shows {now} (set that clock)"
            );
        }
        format!(
            "the node finds that your certificate does not hold now, and by the clock of this computer it does, from \
             {from} to {until} (one of the two clocks is wrong; if it is this one, set it: {issue})"
        )
    }
}

/// What a node says of our certificate, for people; nothing where it speaks of something else.
fn words(alert: AlertDescription, holds: Holds, now: Timestamp) -> Option<String> {
    match alert {
        AlertDescription::CertificateExpired => Some(holds.disputed(now)),
        AlertDescription::UnknownCA
        | AlertDescription::DecryptError
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown => Some(
            "the node does not take your certificate (it is of another cluster, or its config has another authority; \
             `osctl context list` lists yours)"
                .to_owned(),
        ),
        _ => None,
    }
}

/// A connection over which a node may refuse the certificate we showed.
#[derive(Debug)]
pub(crate) struct Judged<S> {
    stream: S,
    /// Of the certificate; none where none is shown.
    holds: Option<Holds>,
}

impl<S> Judged<S> {
    /// Over a connection whose handshake is done.
    pub(crate) fn new(stream: S, holds: Option<Holds>) -> Self {
        Self { stream, holds }
    }

    fn heard(&self, error: io::Error) -> io::Error {
        let alert = error.get_ref().and_then(|it| it.downcast_ref());
        let Some(rustls::Error::AlertReceived(alert)) = alert else {
            return error;
        };
        match self
            .holds
            .and_then(|holds| words(*alert, holds, Timestamp::now()))
        {
            Some(words) => io::Error::new(error.kind(), words),
            None => error,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Judged<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        Poll::Ready(read.map_err(|error| self.heard(error)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Judged<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn a_certificate_that_does_not_hold_is_told_by_its_dates_and_the_clock_here() {
        let holds = Holds {
            from: at(1_000),
            until: at(2_000),
        };
        let said = |now| words(AlertDescription::CertificateExpired, holds, at(now)).expect("said");
        let over = said(2_001);
        assert!(
            over.starts_with("your certificate ended at 1970-01-01T00:33:20Z (`osctl gen crt"),
            "{over}"
        );
        let early = said(999);
        assert!(
            early.contains("from 1970-01-01T00:16:40Z on") && early.contains("set that clock"),
            "{early}"
        );
        let disputed = said(1_500);
        assert!(
            disputed.contains("one of the two clocks is wrong") && disputed.contains("gen crt"),
            "{disputed}"
        );
    }

    #[test]
    fn what_is_not_about_our_certificate_is_left_as_it_is() {
        let holds = Holds {
            from: at(0),
            until: at(1),
        };
        assert_eq!(words(AlertDescription::InternalError, holds, at(0)), None);
        let foreign = words(AlertDescription::UnknownCA, holds, at(0)).expect("said");
        assert!(foreign.contains("another cluster"), "{foreign}");
        let alert = || {
            let alert = rustls::Error::AlertReceived(AlertDescription::UnknownCA);
            io::Error::new(io::ErrorKind::InvalidData, alert)
        };
        let shown = Judged::new((), Some(holds)).heard(alert()).to_string();
        assert_eq!(shown, foreign);
        let nothing_shown = Judged::new((), None).heard(alert()).to_string();
        assert_eq!(nothing_shown, alert().to_string());
    }
}
