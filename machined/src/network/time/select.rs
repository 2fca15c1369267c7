//! Which of several clocks to believe. Pure.
//!
//! Marzullo's algorithm as RFC 5905 has it (section 11.2.1): every server says where the true time is, give or take its error. If more
//! than half of them can be right at once, the time is where they overlap; servers that do not reach there are wrong and left out.

/// What one server says of our clock, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How far our clock is behind it.
    pub offset: i64,
    /// How far that may be off, either way.
    pub error: u64,
}

/// What most servers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// How far our clock is behind.
    pub offset: i64,
    /// How far that may be off, either way.
    pub error: u64,
    /// The places of those who agree, the most exact first.
    pub with: Vec<usize>,
}

impl Reading {
    fn low(self) -> i128 {
        i128::from(self.offset) - i128::from(self.error)
    }

    fn high(self) -> i128 {
        i128::from(self.offset) + i128::from(self.error)
    }
}

/// What more than half of them agree on; `None` when there is no such thing.
#[must_use]
pub fn agree(readings: &[Reading]) -> Option<Agreement> {
    // As few liars as will do.
    let liars = (0..readings.len()).take_while(|it| it * 2 < readings.len());
    let (low, high) = liars
        .filter_map(|it| overlap(readings, readings.len() - it))
        .next()?;
    let mut with: Vec<(usize, Reading)> = readings
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, it)| it.low() <= high && low <= it.high())
        .collect();
    with.sort_by_key(|(_, it)| it.error);
    let offset = mean(with.iter().map(|(_, it)| *it)).clamp(low, high);
    let error = (offset - low).max(high - offset);
    Some(Agreement {
        offset: i64::try_from(offset).ok()?,
        error: u64::try_from(error).ok()?,
        with: with.into_iter().map(|(at, _)| at).collect(),
    })
}

/// From the first to the last point where so many overlap.
fn overlap(readings: &[Reading], many: usize) -> Option<(i128, i128)> {
    let covered = |point: i128| {
        let covers = |it: &&Reading| it.low() <= point && point <= it.high();
        readings.iter().filter(covers).count() >= many
    };
    // More begin to overlap only where one begins, and fewer do only after one has ended.
    let low = readings.iter().map(|it| it.low()).filter(|it| covered(*it));
    let high = readings
        .iter()
        .map(|it| it.high())
        .filter(|it| covered(*it));
    Some((low.min()?, high.max()?))
}

/// The mean, each weighed by how exact it is.
fn mean(readings: impl Iterator<Item = Reading>) -> i128 {
    // With this over a nanosecond a weight is a large number, and over an hour still one of three digits.
    const SCALE: i128 = 1 << 50;
    let weighed = readings.map(|it| (SCALE / (i128::from(it.error) + 1) + 1, it.offset));
    let (sum, weights) = weighed.fold((0, 0), |(sum, weights), (weight, offset)| {
        (sum + weight * i128::from(offset), weights + weight)
    });
    sum / weights.max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MILLI: i64 = 1_000_000;

    fn reading(offset: i64, error: u64) -> Reading {
        Reading {
            offset: offset * MILLI,
            error: error * 1_000_000,
        }
    }

    #[test]
    fn one_alone_is_believed_and_of_two_that_differ_none() {
        assert_eq!(agree(&[]), None);
        let one = agree(&[reading(5, 2)]).unwrap();
        assert_eq!((one.offset, one.error), (5 * MILLI, 2_000_000));
        assert_eq!(agree(&[reading(0, 2), reading(10, 2)]), None);
        let both = agree(&[reading(0, 2), reading(3, 2)]).unwrap();
        assert_eq!(both.with.len(), 2);
        assert!((MILLI..=2 * MILLI).contains(&both.offset), "{both:?}");
    }

    #[test]
    fn a_liar_is_outvoted_however_sure_it_is() {
        let readings = [
            reading(10, 5),
            reading(12, 5),
            reading(-3_600_000, 0),
            reading(9, 20),
        ];
        let agreed = agree(&readings).unwrap();
        assert_eq!(agreed.with, [0, 1, 3]);
        assert!((7 * MILLI..=15 * MILLI).contains(&agreed.offset));
        // Two of four are not more than half.
        let readings = [
            reading(10, 5),
            reading(12, 5),
            reading(900, 5),
            reading(905, 5),
        ];
        assert_eq!(agree(&readings), None);
    }

    prop_compose! {
        /// Honest servers around the true offset, and fewer liars who say anything.
        fn crowd()(
            truth in -1_000_000_000_000..1_000_000_000_000i64,
            honest in prop::collection::vec((0..50_000_000u64, -1000..=1000i64), 1..6),
            lies in prop::collection::vec((any::<i64>(), any::<u64>()), 0..6),
            order in any::<prop::sample::Index>(),
        ) -> (i64, Vec<Reading>, Vec<Reading>) {
            let told: Vec<Reading> = honest
                .iter()
                .map(|(error, way)| Reading {
                    offset: truth + i64::try_from(*error).unwrap() / 1000 * way,
                    error: *error,
                })
                .collect();
            let lies = lies.into_iter().take(told.len() - 1);
            let mut all: Vec<Reading> = lies.map(|(offset, error)| Reading { offset, error }).collect();
            let at = order.index(all.len() + 1);
            all.splice(at..at, told.iter().copied());
            (truth, told, all)
        }
    }

    proptest! {
        /// Whatever a minority says, the result is one that an honest server can live with.
        #[test]
        fn a_minority_of_liars_moves_nobody((_, honest, all) in crowd()) {
            let agreed = agree(&all).expect("the honest ones agree");
            let offset = i128::from(agreed.offset);
            // It may stand anywhere between two points that honest servers cover.
            let low = honest.iter().map(|it| it.low()).min().unwrap();
            let high = honest.iter().map(|it| it.high()).max().unwrap();
            prop_assert!(low <= offset && offset <= high, "{agreed:?} of {all:?}");
        }

        /// Without liars the true offset is within the error that is told.
        #[test]
        fn the_truth_is_within_the_error((truth, honest, _) in crowd()) {
            let agreed = agree(&honest).expect("they agree");
            let off = i128::from(agreed.offset) - i128::from(truth);
            prop_assert!(off.unsigned_abs() <= u128::from(agreed.error));
            prop_assert_eq!(agreed.with.len(), honest.len());
        }

        #[test]
        fn no_order_and_no_number_changes_that(
            readings in prop::collection::vec((any::<i64>(), any::<u64>()), 0..8),
        ) {
            let mut readings: Vec<Reading> = readings
                .into_iter()
                .map(|(offset, error)| Reading { offset, error })
                .collect();
            let told = agree(&readings);
            readings.reverse();
            let back = agree(&readings);
            prop_assert_eq!(
                told.as_ref().map(|it| (it.offset, it.error)),
                back.map(|it| (it.offset, it.error))
            );
            if let Some(told) = told {
                prop_assert!(told.with.len() * 2 > readings.len());
            }
        }
    }
}
