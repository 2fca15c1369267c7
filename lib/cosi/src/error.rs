//! The error a controller ends a run with: any error at all, and how a chain of them is written on one line.

use std::error::Error as StdError;
use std::fmt;

/// Why a run failed. Made from any error by `?`; the runtime retries with backoff and never ends because of it.
pub struct Error(Box<dyn StdError + Send + Sync>);

impl Error {
    /// An error that is nothing but a sentence.
    pub fn msg(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// The error it was made from.
    #[must_use]
    pub fn inner(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&report(&*self.0))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An error and its causes on one line, outermost first.
#[must_use]
pub fn report(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("open the door")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn writes_the_whole_chain() {
        let error = Error::from(Outer(std::io::Error::other("it is locked")));
        assert_eq!(error.to_string(), "open the door: it is locked");
    }
}
