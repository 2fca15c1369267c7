//! A time of every day.

use std::fmt;
use std::str::FromStr;

use crate::schema::{Schema, Shape};

const HOURS: u32 = 24;
const MINUTES: u32 = 60;

/// A minute of every day, in UTC: nodes know no other time, and none of its days is shorter or longer than others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimeOfDay {
    /// Since midnight.
    minutes: u32,
}

/// Why a text is no time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a time of day like 02:30 or 14:00, in UTC, found `{0}`")]
pub struct TimeOfDayError(String);

impl TimeOfDay {
    /// How many minutes after midnight it is.
    #[must_use]
    pub fn minutes(self) -> u32 {
        self.minutes
    }
}

/// Two digits, of a number below a bound.
fn two(text: &str, bound: u32) -> Option<u32> {
    let digits = text.len() == 2 && text.bytes().all(|it| it.is_ascii_digit());
    text.parse().ok().filter(|it| digits && *it < bound)
}

impl FromStr for TimeOfDay {
    type Err = TimeOfDayError;

    fn from_str(text: &str) -> Result<Self, TimeOfDayError> {
        let minutes = text
            .split_once(':')
            .and_then(|(hour, minute)| Some(two(hour, HOURS)? * MINUTES + two(minute, MINUTES)?));
        let minutes = minutes.ok_or_else(|| TimeOfDayError(text.to_owned()))?;
        Ok(Self { minutes })
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { minutes } = self;
        write!(f, "{:02}:{:02}", minutes / MINUTES, minutes % MINUTES)
    }
}

impl Schema for TimeOfDay {
    fn shape() -> Shape {
        Shape::Scalar {
            about: "A time of every day in UTC, like 02:30.".to_owned(),
        }
    }
}

super::as_text!(TimeOfDay);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_minute_of_a_day_and_nothing_else() {
        for minutes in 0..HOURS * MINUTES {
            let time = TimeOfDay { minutes };
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        assert_eq!("02:30".parse::<TimeOfDay>().unwrap().minutes(), 150);
        for text in [
            "", "2:30", "24:00", "12:60", "12", "12:00:00", "-1:00", "+1:00", "12:0", "02:30Z",
        ] {
            let error = text.parse::<TimeOfDay>();
            assert_eq!(error, Err(TimeOfDayError(text.to_owned())));
        }
    }
}
