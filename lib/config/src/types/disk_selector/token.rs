//! The words and signs of a selector.

use std::fmt;

use super::{DiskSelectorError, DiskSelectorFault as Fault, Order};

/// Units of size by their words, in bytes.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Signs, each before those it begins with.
static SIGNS: [(&str, Token<'static>); 12] = [
    ("&&", Token::And),
    ("||", Token::Or),
    ("==", Token::Compare(Order::Equal)),
    ("!=", Token::Compare(Order::NotEqual)),
    ("<=", Token::Compare(Order::LessOrEqual)),
    (">=", Token::Compare(Order::MoreOrEqual)),
    ("<", Token::Compare(Order::Less)),
    (">", Token::Compare(Order::More)),
    ("!", Token::Not),
    ("(", Token::Open),
    (")", Token::Close),
    (".", Token::Dot),
];

/// A word or a sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    And,
    Or,
    Not,
    Open,
    Close,
    Dot,
    Compare(Order),
    /// A field, a method, `true` or `false`.
    Name(&'a str),
    /// A number of bytes.
    Size(u64),
    /// What stood in quotes.
    Text(String),
}

/// As it is called in an error.
impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "`{name}`"),
            Self::Size(_) => f.write_str("a size"),
            Self::Text(_) => f.write_str("a text"),
            sign => {
                let sign = SIGNS.iter().find(|(_, token)| token == sign);
                write!(f, "`{}`", sign.map_or("", |(text, _)| text))
            }
        }
    }
}

/// Blanks, and the ends of lines: a long selector may stand on several.
pub(super) fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// The words of all units.
pub(super) fn units() -> String {
    UNITS.map(|(word, _)| word).join(", ")
}

/// The words and signs of a text, each with its column, counted from one.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>, DiskSelectorError> {
    let mut reader = Reader {
        rest: text,
        column: 1,
    };
    let mut tokens = Vec::new();
    reader.take_while(is_space);
    while let Some(first) = reader.rest.chars().next() {
        tokens.push((reader.column, reader.token(first)?));
        reader.take_while(is_space);
    }
    Ok(tokens)
}

/// What is not yet read.
struct Reader<'a> {
    rest: &'a str,
    /// Of the first character of the rest.
    column: usize,
}

impl<'a> Reader<'a> {
    fn token(&mut self, first: char) -> Result<Token<'a>, DiskSelectorError> {
        let at = self.column;
        match first {
            '"' | '\'' => self.text(first),
            it if it.is_ascii_digit() => {
                let word = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '.');
                let size = size(self.take_while(word));
                size.map(Token::Size).map_err(|fault| fault.at(at))
            }
            it if is_of_a_name(it) => Ok(Token::Name(self.take_while(is_of_a_name))),
            _ => self.sign().ok_or_else(|| {
                let meant = match first {
                    '=' => "; to compare, write `==`",
                    '&' => "; for `and`, write `&&`",
                    '|' => "; for `or`, write `||`",
                    '/' => "; a disk is told by what it is, as in `serial == \"...\"`",
                    '“' | '”' | '„' | '‘' | '’' => "; use plain quotes, `\"` or `'`",
                    _ => "",
                };
                Fault::Character(first, meant).at(at)
            }),
        }
    }

    fn sign(&mut self) -> Option<Token<'a>> {
        let mut signs = SIGNS.iter();
        let (sign, token) = signs.find(|(sign, _)| self.rest.starts_with(sign))?;
        self.rest = self.rest.strip_prefix(sign)?;
        self.column += sign.len();
        Some(token.clone())
    }

    /// What stands between two quotes of one sort; a backslash takes a quote or a backslash as it is.
    fn text(&mut self, quote: char) -> Result<Token<'a>, DiskSelectorError> {
        let begin = self.column;
        let mut text = String::new();
        self.next();
        loop {
            let at = self.column;
            match self.next() {
                None => return Err(Fault::Unclosed(quote).at(begin)),
                Some('\\') => match self.next() {
                    Some(it @ ('"' | '\'' | '\\')) => text.push(it),
                    _ => {
                        let help = " alone; write `\\\\`, `\\\"` or `\\'`";
                        return Err(Fault::InText('\\', help).at(at));
                    }
                },
                Some(it) if it == quote => return Ok(Token::Text(text)),
                Some(it) if it.is_control() => return Err(Fault::InText(it, "").at(at)),
                Some(it) => text.push(it),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let next = rest.next()?;
        self.rest = rest.as_str();
        self.column += 1;
        Some(next)
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|it| !belongs(it));
        let (taken, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        self.column += taken.chars().count();
        taken
    }
}

fn is_of_a_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// A number of bytes with its unit.
fn size(text: &str) -> Result<u64, Fault> {
    let end = text.find(|it: char| !it.is_ascii_digit());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit = UNITS.iter().find(|(word, _)| *word == unit);
    let (_, unit) = unit.ok_or_else(|| Fault::Size(text.to_owned()))?;
    let bytes = number.parse().ok();
    let bytes = bytes.and_then(|it: u64| it.checked_mul(*unit));
    bytes.ok_or_else(|| Fault::Huge(text.to_owned()))
}
