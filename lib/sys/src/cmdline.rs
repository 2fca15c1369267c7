//! The kernel command line, split the way the kernel splits it.
//!
//! Owns: words, quotes and the `--` that ends the kernel's own part. Never: the meaning of any argument.

/// One argument: its name, and its value when there is a `=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument<'a> {
    /// What stands before the first `=`.
    pub name: &'a str,
    /// What stands after it, without surrounding quotes.
    pub value: Option<&'a str>,
}

/// The arguments before a lone `--`, in their order.
pub fn arguments(text: &str) -> impl Iterator<Item = Argument<'_>> {
    words(text).take_while(|word| *word != "--").map(|word| {
        let word = word
            .strip_prefix('"')
            .map_or(word, |rest| rest.strip_suffix('"').unwrap_or(rest));
        match word.split_once('=') {
            Some((name, value)) => Argument {
                name,
                value: Some(unquote(value)),
            },
            None => Argument {
                name: word,
                value: None,
            },
        }
    })
}

/// The value of the last argument of this name: later ones win, as in the kernel.
pub fn last<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    arguments(text)
        .filter(|argument| argument.name == name)
        .filter_map(|argument| argument.value)
        .last()
}

fn unquote(value: &str) -> &str {
    value
        .strip_prefix('"')
        .map_or(value, |rest| rest.strip_suffix('"').unwrap_or(rest))
}

/// Splits at white space outside quotes.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let mut quoted = false;
        let end = rest.find(|c: char| {
            quoted ^= c == '"';
            c.is_whitespace() && !quoted
        });
        let (word, tail) = rest.split_at(end.unwrap_or(rest.len()));
        rest = tail;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn splits_like_the_kernel() {
        let text = "quiet console=ttyS0,115200 a=\"b c=d\" \"e=f g\" h= -- i=j\n";
        let got: Vec<_> = arguments(text).map(|a| (a.name, a.value)).collect();
        let want = [
            ("quiet", None),
            ("console", Some("ttyS0,115200")),
            ("a", Some("b c=d")),
            ("e", Some("f g")),
            ("h", Some("")),
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn the_last_one_wins() {
        assert_eq!(last("a=1 b=2 a=3", "a"), Some("3"));
        assert_eq!(last("a b=2", "a"), None);
    }

    proptest! {
        #[test]
        fn plain_words_come_back(words in proptest::collection::vec("[a-z.=]{1,8}", 0..8)) {
            let text = words.join("  ");
            let back: Vec<String> = arguments(&text)
                .map(|a| a.value.map_or(a.name.to_owned(), |value| format!("{}={value}", a.name)))
                .collect();
            prop_assert_eq!(back, words);
        }

        #[test]
        fn any_text_splits(text in "\\PC{0,200}") {
            for argument in arguments(&text) {
                prop_assert!(!argument.name.contains('='));
            }
        }
    }
}
