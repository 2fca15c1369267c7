//! Errors in words: what went wrong as one line, without the dressing of libraries, and what to do about it where that
//! is known.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, ErrorKind};

use jiff::Timestamp;
use rustls::CertificateError;
use rustls_pki_types::UnixTime;
use tonic::Status;

use crate::causes::{causes, refusal, refused};
use crate::names::OtherNames;

/// An error with its causes as one line; a node's own words come as they are.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let causes = causes(error);
    let mut parts: Vec<String> = Vec::new();
    for (index, cause) in causes.iter().enumerate() {
        let last = index + 1 == causes.len();
        let text = match status(*cause) {
            // Made on this side, of an error below: its text and that of all but the last below are of no use.
            Some(status) if status.source().is_some() => "the connection broke".to_owned(),
            Some(status) if !status.message().is_empty() => status.message().to_owned(),
            Some(status) => status.code().description().to_owned(),
            None if below_a_connection(&causes, index) && !last => continue,
            None => plain(*cause),
        };
        // Some libraries repeat their source in their own text.
        if !text.is_empty() && !parts.last().is_some_and(|last| last.contains(&text)) {
            parts.push(text);
        }
    }
    match way_out(&causes) {
        Some(hint) => format!("{} ({hint})", parts.join(": ")),
        None => parts.join(": "),
    }
}

/// Whether a call failed because the node shows a certificate of nobody we know, as one in maintenance mode does.
pub(crate) fn is_stranger(error: &anyhow::Error) -> bool {
    refusal(error) == Some(&CertificateError::UnknownIssuer)
}

/// The node's answer, if this is one; some libraries keep it in a box.
fn status<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a Status> {
    let boxed = cause.downcast_ref::<Box<Status>>();
    cause
        .downcast_ref()
        .or_else(|| boxed.map(std::convert::AsRef::as_ref))
}

/// Whether the cause at `index` is between the library that connects and the reason why it cannot.
fn below_a_connection(causes: &[&(dyn Error + 'static)], index: usize) -> bool {
    causes
        .iter()
        .take(index + 1)
        .any(|cause| cause.is::<tonic::transport::Error>() || status(*cause).is_some())
}

/// The text of a cause, for people.
fn plain(cause: &(dyn Error + 'static)) -> String {
    match refused(cause) {
        Some(CertificateError::ApplicationVerificationFailure) => {
            return "its key is not the one in the pairing string".to_owned();
        }
        Some(CertificateError::ExpiredContext { time, not_after }) => {
            let (ended, now) = (date(*not_after), date(*time));
            return format!("its certificate ended at {ended}, and the clock here shows {now}");
        }
        Some(CertificateError::NotValidYetContext { time, not_before }) => {
            let (begins, now) = (date(*not_before), date(*time));
            return format!(
                "its certificate holds from {begins} on, and the clock here shows {now}"
            );
        }
        _ => {}
    }
    match kind(cause) {
        Some(ErrorKind::UnexpectedEof) => "it hung up".to_owned(),
        // What the protocol says of a peer that leaves its questions whether it lives unanswered.
        Some(ErrorKind::BrokenPipe) => "it went silent".to_owned(),
        Some(_) => without_number(&cause.to_string()).to_owned(),
        None => cause.to_string(),
    }
}

/// A time in a certificate, or of the clock it was judged by.
fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds)
        .unwrap_or(Timestamp::MAX)
        .to_string()
}

/// The words of the operating system without the number it has for them: `... (os error 2)`.
pub(crate) fn without_number(text: &str) -> &str {
    let numbered = text
        .strip_suffix(')')
        .and_then(|text| text.rsplit_once(" (os error "));
    match numbered {
        Some((words, number)) if number.parse::<i32>().is_ok() => words,
        _ => text,
    }
}

/// What kind of I/O error this is.
fn kind(cause: &(dyn Error + 'static)) -> Option<ErrorKind> {
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return Some(error.kind());
    }
    // The HTTP/2 library has it inside, and lets its text out alone.
    let text = cause.to_string();
    if text.contains("close_notify") {
        Some(ErrorKind::UnexpectedEof)
    } else if text.contains("broken pipe") {
        Some(ErrorKind::BrokenPipe)
    } else {
        None
    }
}

/// What to do about it; nothing where nobody knows better than the error itself.
fn way_out(causes: &[&(dyn Error + 'static)]) -> Option<Cow<'static, str>> {
    causes.iter().rev().find_map(|cause| {
        if let Some(names) = cause.downcast_ref::<OtherNames>() {
            return Some(names.way_out().into());
        }
        let known = refused(*cause)
            .and_then(about_their_certificate)
            .or_else(|| about_names(*cause))
            .or_else(|| about_io(kind(*cause)?));
        known.map(Cow::Borrowed)
    })
}

fn about_their_certificate(why: &CertificateError) -> Option<&'static str> {
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Some(
            "it is of another cluster, or waits in maintenance mode for `osctl config apply --pairing`",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Some(
            "compare the clocks of this computer and the node; a worker has its certificate from its config, and `osctl gen config` issues a new one",
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Some("compare the clocks of this computer and the node")
        }
        CertificateError::ApplicationVerificationFailure => Some(
            "read the string off its console again; the machine may also have its config already, or somebody else answers in its place",
        ),
        _ => None,
    }
}

/// The standard library has no kind for names that nobody knows, only words.
fn about_names(cause: &(dyn Error + 'static)) -> Option<&'static str> {
    let unknown = cause.to_string().contains("failed to lookup address");
    unknown.then_some(
        "neither the context nor the network knows that name; `osctl context info` lists the nodes of the context",
    )
}

fn about_io(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::ConnectionRefused => {
            Some("nothing listens there: compare the address, or wait if the node is starting")
        }
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
            Some("the node may be going down or starting")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_come_without_its_numbers() {
        let missing = anyhow::Error::from(io::Error::from_raw_os_error(2)).context("reading a");
        assert_eq!(sentence(&missing), "reading a: No such file or directory");
        for kept in ["it failed (os error x)", "(os error 2) it was", "all well"] {
            assert_eq!(without_number(kept), kept);
        }
    }

    #[test]
    fn a_name_that_nobody_knows_leads_to_those_that_are_known() {
        let unknown = io::Error::other("failed to lookup address information: Name or service");
        let told = sentence(&anyhow::Error::from(unknown).context("connecting to x:50000"));
        assert!(told.contains("`osctl context info`"), "{told}");
    }

    fn io_of(error: rustls::Error) -> anyhow::Error {
        anyhow::Error::from(io::Error::new(ErrorKind::InvalidData, error)).context("connecting")
    }

    #[test]
    fn a_status_is_said_in_the_nodes_own_words() {
        let error = anyhow::Error::from(Status::permission_denied("reader may not reboot"))
            .context("reboot");
        assert_eq!(sentence(&error), "reboot: reader may not reboot");
    }

    #[test]
    fn a_status_in_a_box_is_one_too() {
        #[derive(Debug, thiserror::Error)]
        #[error("list failed")]
        struct Failed(#[source] Box<Status>);
        let error = anyhow::Error::from(Failed(Box::new(Status::permission_denied("not you"))));
        assert_eq!(sentence(&error), "list failed: not you");
    }

    #[test]
    fn what_breaks_a_connection_is_said_and_not_how_libraries_see_it() {
        let silent = io::Error::new(
            ErrorKind::BrokenPipe,
            "stream closed because of a broken pipe",
        );
        let error = anyhow::Error::from(Status::from_error(Box::new(silent)));
        assert_eq!(sentence(&error), "the connection broke: it went silent");
        let gone = io::Error::new(
            ErrorKind::UnexpectedEof,
            "peer closed connection without sending TLS close_notify",
        );
        let error = anyhow::Error::from(Status::from_error(Box::new(gone))).context("node-1");
        assert_eq!(
            sentence(&error),
            "node-1: the connection broke: it hung up (the node may be going down or starting)"
        );
    }

    #[test]
    fn certificates_that_are_refused_lead_somewhere() {
        let stranger = io_of(CertificateError::UnknownIssuer.into());
        assert!(is_stranger(&stranger));
        assert!(sentence(&stranger).contains("maintenance mode"));
        let pin = io_of(CertificateError::ApplicationVerificationFailure.into());
        assert!(!is_stranger(&pin));
        assert!(sentence(&pin).contains("not the one in the pairing string (read the string"));
        let time = |second| UnixTime::since_unix_epoch(std::time::Duration::from_secs(second));
        let over = io_of(
            CertificateError::ExpiredContext {
                time: time(2_000),
                not_after: time(1_000),
            }
            .into(),
        );
        let over = sentence(&over);
        assert!(
            over.contains("its certificate ended at 1970-01-01T00:16:40Z, and the clock here shows 1970-01-01T00:33:20Z")
                && over.contains("`osctl gen config`"),
            "{over}"
        );
        let early = io_of(
            CertificateError::NotValidYetContext {
                time: time(1_000),
                not_before: time(2_000),
            }
            .into(),
        );
        let early = sentence(&early);
        assert!(
            early.contains("holds from 1970-01-01T00:33:20Z on")
                && early.contains("(compare the clocks"),
            "{early}"
        );
    }
}
