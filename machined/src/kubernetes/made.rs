//! What takes a key and a signature to make, and holds for a while. Pure.
//!
//! The last one is kept until half of its life is over, or it would be made of something else.

use jiff::{SignedDuration, Timestamp};

/// The last one, of type `T`, and of what it was made.
#[derive(Debug)]
pub struct Made<K, T> {
    last: Option<(K, T, Timestamp)>,
}

impl<K, T> Default for Made<K, T> {
    fn default() -> Self {
        Self { last: None }
    }
}

impl<K: PartialEq, T: Clone> Made<K, T> {
    /// One that is made `of` this and holds for `lifetime` from when it is made: the last one, or another.
    ///
    /// # Errors
    /// As `make`. The last one is gone then only if it would be of no use.
    pub fn get<E>(
        &mut self,
        of: K,
        lifetime: SignedDuration,
        now: Timestamp,
        make: impl FnOnce(&K) -> Result<T, E>,
    ) -> Result<T, E> {
        // A clock that was set back makes it one of the future.
        let fresh = SignedDuration::ZERO..lifetime / 2;
        if let Some((from, last, made)) = &self.last
            && *from == of
            && fresh.contains(&now.duration_since(*made))
        {
            return Ok(last.clone());
        }
        let made = make(&of)?;
        self.last = Some((of, made.clone(), now));
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_anew_of_something_else_and_at_half_of_its_life() {
        let (mut made, mut count) = (Made::default(), 0);
        let mut get = |of: &'static str, minute: i64| {
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute);
            let hour = SignedDuration::from_hours(1);
            let got: Result<u32, ()> = made.get(of, hour, now, |_| {
                count += 1;
                Ok(count)
            });
            got.unwrap()
        };
        assert_eq!([get("a", 60), get("a", 89)], [1, 1]);
        assert_eq!([get("a", 90), get("a", 91)], [2, 2]);
        assert_eq!([get("b", 91), get("b", 92)], [3, 3]);
        assert_eq!(get("b", 5), 4, "the clock was set back");
    }

    #[test]
    fn what_cannot_be_made_is_tried_again() {
        let mut made = Made::default();
        let (hour, now) = (SignedDuration::from_hours(1), Timestamp::UNIX_EPOCH);
        assert_eq!(made.get(1, hour, now, |_| Err("no key")), Err("no key"));
        assert_eq!(made.get(1, hour, now, |_| Ok::<_, ()>(7)), Ok(7));
    }
}
