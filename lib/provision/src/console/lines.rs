//! Bytes from a serial line to lines of text.
//!
//! What a program writes waits in a queue and goes out as the wire has room; the kernel does not wait, so a line of its
//! own may stand in the middle of another. Kernel lines begin with the time in brackets, which tells where: what was
//! said before it goes on after its end.

use super::without_escapes;

/// The longest line that is kept: a machine that never ends a line shall not fill our memory.
const LONGEST: usize = 4096;

/// Puts lines together.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    /// The line under way.
    partial: Vec<u8>,
    /// The line under way began before what counts.
    partial_is_old: bool,
    /// What was said of a line before the kernel spoke.
    interrupted: String,
    /// The line that the kernel interrupted began before what counts.
    interrupted_is_old: bool,
}

impl Lines {
    /// Takes in bytes; gives the lines that they complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LONGEST.saturating_sub(self.partial.len());
            self.partial.extend(part.iter().take(room));
            if part.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&self.partial);
                let line = without_escapes(line.trim_end());
                self.partial.clear();
                lines.extend(self.whole(line));
            }
        }
        lines
    }

    /// Nothing that was said until now counts; neither does the end of what is under way, when it comes.
    pub(super) fn forget(&mut self) {
        self.partial_is_old |= !self.partial.is_empty();
        self.interrupted_is_old |= !self.interrupted.is_empty();
        self.partial.clear();
        self.interrupted.clear();
    }

    /// The kernel's line out of the middle of another, or a line with what was said of it before.
    fn whole(&mut self, line: String) -> Option<String> {
        let old = std::mem::take(&mut self.partial_is_old);
        let Some(at) = kernel_time(&line) else {
            let before = std::mem::take(&mut self.interrupted);
            let interrupted_is_old = std::mem::take(&mut self.interrupted_is_old);
            return (!old && !interrupted_is_old).then(|| before + &line);
        };
        let (before, kernels) = line.split_at(at);
        let room = LONGEST.saturating_sub(self.interrupted.len());
        self.interrupted.extend(before.chars().take(room));
        self.interrupted_is_old |= old;
        Some(kernels.to_owned())
    }
}

/// Where the kernel's time stands in a line: `[`, seconds padded to five places, a point and six places, `]`.
fn kernel_time(line: &str) -> Option<usize> {
    let begins = line.match_indices('[');
    begins.map(|(at, _)| at).find(|at| {
        let time = line.get(at + 1..).and_then(|rest| rest.split_once(']'));
        let parts = time.and_then(|(time, _)| time.split_once('.'));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        parts.is_some_and(|(seconds, micros)| {
            let padded = seconds.len() >= 5 && digits(seconds.trim_start_matches(' '));
            padded && micros.len() == 6 && digits(micros)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &str) -> Vec<String> {
        Lines::default().take(text.as_bytes())
    }

    #[test]
    fn a_line_that_the_kernel_interrupts_is_put_together() {
        assert_eq!(
            lines("gar[    7.123456] usb 1-1: new\r\nboard: stage running\r\n"),
            ["[    7.123456] usb 1-1: new", "garboard: stage running"]
        );
        assert_eq!(
            lines("one[12345.000001] a\n[12345.000002] b\n, two[12345.000003] c\n, three\nfour\n"),
            [
                "[12345.000001] a",
                "[12345.000002] b",
                "[12345.000003] c",
                "one, two, three",
                "four"
            ]
        );
    }

    #[test]
    fn other_brackets_are_text() {
        for line in ["a [1.5] b", "a [    7.12345x] b", "x[1234.123456] y", "[["] {
            assert_eq!(lines(&format!("{line}\n")), [line]);
        }
    }

    #[test]
    fn a_forgotten_line_does_not_come_back_by_its_end() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(b"link eth"), Vec::<String>::new());
        lines.forget();
        assert_eq!(lines.take(b"0 down\nnew\n"), ["new"]);
        lines.forget();
        assert_eq!(lines.take(b"newer\n"), ["newer"]);

        lines.take(b"link eth");
        lines.forget();
        let kernels = "[    7.123456] reboot: Restarting system";
        assert_eq!(
            lines.take(format!("0{kernels}\n down\nnewest\n").as_bytes()),
            [kernels, "newest"]
        );
    }

    #[test]
    fn a_line_without_end_does_not_grow_without_end() {
        let mut lines = Lines::default();
        lines.take(&[b'x'; 3 * LONGEST]);
        assert_eq!(lines.partial.len(), LONGEST);
        for _ in 0..3 * LONGEST {
            lines.take(b"xx[    1.000000] y\n");
        }
        assert_eq!(lines.interrupted.len(), LONGEST);
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_makes_no_difference(
            text in prop::collection::vec(prop_oneof![
                Just("[    1.000000] ".to_owned()), Just("\n".to_owned()), "[a-z ]{0,9}",
            ], 0..20),
            cut in 0_usize..200,
        ) {
            let text = text.concat();
            let cut = cut.min(text.len());
            let mut in_two = Lines::default();
            let mut told = in_two.take(&text.as_bytes()[..cut]);
            told.extend(in_two.take(&text.as_bytes()[cut..]));
            prop_assert_eq!(told, lines(&text));
        }
    }
}
