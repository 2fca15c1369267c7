//! What is done about an offset. Pure.
//!
//! A clock that nobody has vouched for since boot is stepped, since nothing stands on it yet; after that it is moved without a jump as
//! long as the kernel can do that at all, for a time that jumps, above all backwards, breaks programs. A jump that large must be seen
//! twice.

use std::time::Duration;

use sys::clock::MAX_SLEW;

/// Where a clock that nobody has vouched for is stepped rather than moved (RFC 5905, `STEPT`).
pub const FIRST_STEP: Duration = Duration::from_millis(128);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing yet: look again with the next answer.
    Wait,
    /// Move the clock by so many nanoseconds, little by little.
    Slew(i64),
    /// Move it at once.
    Step(i64),
}

/// What is known besides the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Whether anybody has vouched for the clock since boot.
    pub trusted: bool,
    /// Whether the offset was this large at the answer before, or the clock was just set by somebody.
    pub expected: bool,
}

/// What is done about an offset in nanoseconds.
#[must_use]
pub fn order(offset: i64, known: Known) -> Order {
    let within = |most: Duration| u128::from(offset.unsigned_abs()) <= most.as_nanos();
    match known {
        Known { trusted: false, .. } if !within(FIRST_STEP) => Order::Step(offset),
        Known { expected, .. } if !within(MAX_SLEW) => match expected {
            true => Order::Step(offset),
            false => Order::Wait,
        },
        _ => Order::Slew(offset),
    }
}

/// Whether an offset is one that needs a jump, and so is expected at the next answer.
#[must_use]
pub fn is_large(offset: i64) -> bool {
    u128::from(offset.unsigned_abs()) > MAX_SLEW.as_nanos()
}

/// The kernel's time constant for servers that are asked this often: the power of two, less four.
#[must_use]
pub fn time_constant(interval: Duration) -> u8 {
    let power = interval.as_secs().max(1).ilog2().saturating_sub(4);
    u8::try_from(power.min(6)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: i64 = 1_000_000;

    fn ordered(offset: i64, trusted: bool, expected: bool) -> Order {
        order(offset * MILLI, Known { trusted, expected })
    }

    #[test]
    fn a_new_clock_jumps_and_one_in_use_only_when_it_must() {
        assert_eq!(ordered(-128, false, false), Order::Slew(-128 * MILLI));
        assert_eq!(ordered(-129, false, false), Order::Step(-129 * MILLI));
        assert_eq!(ordered(500, true, false), Order::Slew(500 * MILLI));
        assert_eq!(ordered(-501, true, false), Order::Wait);
        assert_eq!(ordered(-501, true, true), Order::Step(-501 * MILLI));
        assert!(is_large(501 * MILLI) && !is_large(-500 * MILLI));
        assert_eq!(
            order(
                i64::MIN,
                Known {
                    trusted: true,
                    expected: true
                }
            ),
            Order::Step(i64::MIN)
        );
    }

    #[test]
    fn the_kernel_is_told_how_often_it_is_told() {
        let constants = [0, 32, 64, 1000, 1024, 5000]
            .map(Duration::from_secs)
            .map(time_constant);
        assert_eq!(constants, [0, 1, 2, 5, 6, 6]);
    }
}
