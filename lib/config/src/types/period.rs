//! How long something takes, or how often it comes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::schema::{Schema, Shape};

/// What a number may stand before, and how many milliseconds that is. The longest first: a period is shown in the longest that
/// it is a whole number of.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A time that passes, in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period(u64);

/// Why a text is no period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a time like 300ms, 30s, 90m or 6h, found `{0}`")]
pub struct PeriodError(String);

impl Period {
    /// So many milliseconds.
    #[must_use]
    pub const fn milliseconds(count: u64) -> Self {
        Self(count)
    }

    /// The time.
    #[must_use]
    pub const fn get(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// The milliseconds of it.
    #[must_use]
    pub const fn as_milliseconds(self) -> u64 {
        self.0
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let error = || PeriodError(text.to_owned());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = text.split_at(digits);
        let count: u64 = count.parse().map_err(|_| error())?;
        let (_, size) = UNITS.iter().find(|it| it.0 == unit).ok_or_else(error)?;
        count.checked_mul(*size).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, size): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(*size);
        match UNITS.iter().find(whole) {
            Some((unit, size)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}ms", self.0),
        }
    }
}

impl Schema for Period {
    fn shape() -> Shape {
        Shape::Scalar {
            about: "A time that passes, like 300ms, 30s, 90m or 6h.".to_owned(),
        }
    }
}

super::as_text!(Period);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn periods() {
        for (text, milliseconds, shown) in [
            ("300ms", 300, "300ms"),
            ("3000ms", 3000, "3s"),
            ("90m", 5_400_000, "90m"),
            ("120m", 7_200_000, "2h"),
            ("0s", 0, "0ms"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.get(), Duration::from_millis(milliseconds));
            assert_eq!(period.to_string(), shown);
        }
        for text in [
            "", "s", "3", "1.5h", "-1s", "+1s", "1h30m", "3 s", "1d", "3S",
        ] {
            assert_eq!(text.parse::<Period>(), Err(PeriodError(text.to_owned())));
        }
        assert!("5124095576030432h".parse::<Period>().is_err());
    }

    proptest! {
        #[test]
        fn periods_read_back(milliseconds: u64) {
            let period = Period(milliseconds);
            prop_assert_eq!(period.to_string().parse(), Ok(period));
        }
    }
}
