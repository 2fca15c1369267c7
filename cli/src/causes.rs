//! What is below an error: the libraries that had a part in it, and their reasons.

use std::error::Error;
use std::io;

use rustls::CertificateError;

/// Why the certificate of a node was refused, if that is what went wrong.
pub(crate) fn refusal(error: &anyhow::Error) -> Option<&CertificateError> {
    causes(error).into_iter().find_map(refused)
}

/// All causes, the outermost first. An I/O error shows what it wraps to a downcast only, not as its source.
pub(crate) fn causes(error: &anyhow::Error) -> Vec<&(dyn Error + 'static)> {
    let mut causes: Vec<&(dyn Error + 'static)> = Vec::new();
    let mut next: Option<&(dyn Error + 'static)> = Some(error.as_ref());
    while let Some(cause) = next {
        causes.push(cause);
        let inner = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    causes
}

/// Why TLS refused a certificate, if that is what this cause is.
pub(crate) fn refused<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a CertificateError> {
    match cause.downcast_ref() {
        Some(rustls::Error::InvalidCertificate(why)) => Some(why),
        _ => None,
    }
}
