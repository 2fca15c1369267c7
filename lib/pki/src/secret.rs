//! The wrapper that keeps secrets out of logs and out of freed memory.
//!
//! It promises two things: `Debug` never shows the value, and the memory is wiped on drop. It does not keep a caller from copying
//! what [`Secret::expose`] returns; that word is what a review looks for.

use std::fmt;

use zeroize::Zeroize;

/// A value that is not shown and is wiped when dropped.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value over.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The value, for whoever fills it.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_does_not_show_the_value() {
        assert_eq!(
            format!("{:?}", Some(Secret::new("hush".to_owned()))),
            "Some([redacted])"
        );
    }
}
