//! The header `Range`, as far as it asks for one range of bytes; what asks for more is answered with the whole (RFC 9110, 14.2).

/// A range of bytes as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// From this byte on, to this one at most.
    From(u64, Option<u64>),
    /// As many from the end.
    Last(u64),
}

/// It is beyond the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beyond;

impl Range {
    /// What a header asks for; `None` when it is not one range of bytes.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (unit, range) = header.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        if first.is_empty() {
            return number(last).map(Self::Last);
        }
        let first = number(first)?;
        if last.is_empty() {
            return Some(Self::From(first, None));
        }
        let last = number(last).filter(|last| *last >= first)?;
        Some(Self::From(first, Some(last)))
    }

    /// Its first byte and the one behind its last, of content this long.
    pub(super) fn of(self, bytes: u64) -> Result<(u64, u64), Beyond> {
        let (first, end) = match self {
            Self::From(first, last) => {
                let end = last.map_or(bytes, |last| last.saturating_add(1));
                (first, end.min(bytes))
            }
            Self::Last(number) => (bytes.saturating_sub(number), bytes),
        };
        if first < end {
            Ok((first, end))
        } else {
            Err(Beyond)
        }
    }
}

/// Digits alone: no sign, as numbers have elsewhere.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_understood() {
        for (header, wanted, of_ten) in [
            ("bytes=0-", Range::From(0, None), Ok((0, 10))),
            ("bytes=3-", Range::From(3, None), Ok((3, 10))),
            ("bytes=3-3", Range::From(3, Some(3)), Ok((3, 4))),
            ("Bytes=3-99", Range::From(3, Some(99)), Ok((3, 10))),
            ("bytes=10-", Range::From(10, None), Err(Beyond)),
            ("bytes=-4", Range::Last(4), Ok((6, 10))),
            ("bytes=-40", Range::Last(40), Ok((0, 10))),
            ("bytes=-0", Range::Last(0), Err(Beyond)),
            (
                "bytes=9-18446744073709551615",
                Range::From(9, Some(u64::MAX)),
                Ok((9, 10)),
            ),
        ] {
            let range = Range::parse(header);
            assert_eq!(range, Some(wanted), "{header}");
            assert_eq!(wanted.of(10), of_ten, "{header}");
        }
        assert_eq!(Range::From(0, None).of(0), Err(Beyond));
    }

    #[test]
    fn anything_else_asks_for_the_whole() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-",
            "bytes=+1-2",
            "bytes=3-2",
            "bytes=1-2,4-5",
            "lines=1-2",
            "bytes=18446744073709551616-",
        ] {
            assert_eq!(Range::parse(header), None, "{header}");
        }
    }
}
