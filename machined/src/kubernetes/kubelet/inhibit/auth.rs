//! How a caller of D-Bus begins: lines that say who it is. Pure.
//!
//! The kernel has let in only who may open the socket, so that nobody is asked for more.

/// The longest line.
pub(super) const LONGEST: usize = 1 << 10;

/// What is answered to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// This line.
    Line(&'static str),
    /// Nothing: messages follow.
    Begin,
}

/// The answer to a line, without its end.
pub(super) fn answer(line: &str) -> Answer {
    let mut words = line.split(' ');
    match (words.next(), words.next()) {
        (Some("AUTH"), Some("EXTERNAL")) => {
            // What a bus goes by; there is no other to be told from.
            Answer::Line("OK 67617262000000000000000000000000\r\n")
        }
        (Some("AUTH" | "CANCEL"), _) => Answer::Line("REJECTED EXTERNAL\r\n"),
        (Some("NEGOTIATE_UNIX_FD"), _) => Answer::Line("AGREE_UNIX_FD\r\n"),
        (Some("BEGIN"), _) => Answer::Begin,
        _ => Answer::Line("ERROR\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubelet_is_let_in() {
        assert_eq!(answer("AUTH"), Answer::Line("REJECTED EXTERNAL\r\n"));
        assert!(matches!(answer("AUTH EXTERNAL 30"), Answer::Line(it) if it.starts_with("OK ")));
        let agreed = Answer::Line("AGREE_UNIX_FD\r\n");
        assert_eq!(answer("NEGOTIATE_UNIX_FD"), agreed);
        assert_eq!(answer("BEGIN"), Answer::Begin);
        assert_eq!(answer("what"), Answer::Line("ERROR\r\n"));
    }
}
