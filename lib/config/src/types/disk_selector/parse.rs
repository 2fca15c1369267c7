//! The grammar of a selector, and the types of its parts.
//!
//! ```text
//! any    = all { "||" all }
//! all    = not { "&&" not }
//! not    = { "!" } ( "(" any ")" | field | field "." method "(" text ")" | field order value )
//! ```
//!
//! Only parentheses nest, and only so deep; a row of `!` is counted, not followed.

use super::token::{Token, tokens};
use super::{
    DiskBus, DiskSelectorError, DiskSelectorFault as Fault, Flag, Order, Test, TextField, TextTest,
};
use crate::nearest::nearest;

/// How deep parentheses stand in each other; two are many.
pub(super) const MAX_DEPTH: usize = 16;

const FIELDS: [(&str, Field); 9] = [
    ("size", Field::Size),
    ("name", Field::Text(TextField::Name)),
    ("model", Field::Text(TextField::Model)),
    ("serial", Field::Text(TextField::Serial)),
    ("wwid", Field::Text(TextField::Wwid)),
    ("bus", Field::Bus),
    ("bus_path", Field::Text(TextField::BusPath)),
    ("rotational", Field::Flag(Flag::Rotational)),
    ("removable", Field::Flag(Flag::Removable)),
];

const METHODS: [(&str, TextTest); 3] = [
    ("startsWith", TextTest::StartsWith),
    ("endsWith", TextTest::EndsWith),
    ("contains", TextTest::Contains),
];

/// A field by its type.
#[derive(Clone, Copy)]
enum Field {
    Size,
    Text(TextField),
    Bus,
    Flag(Flag),
}

/// The test that a text says.
pub(super) fn parse(text: &str) -> Result<Test, DiskSelectorError> {
    let mut parser = Parser {
        tokens: tokens(text)?.into_iter(),
        end: text.chars().count() + 1,
        depth: 0,
    };
    if parser.peek().is_none() {
        return Err(Fault::Empty.whole());
    }
    let test = parser.any()?;
    match parser.tokens.next() {
        None => Ok(test),
        found => Err(parser.unexpected("`&&`, `||` or the end", found)),
    }
}

struct Parser<'a> {
    tokens: std::vec::IntoIter<(usize, Token<'a>)>,
    /// The column behind the last character.
    end: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Test, DiskSelectorError> {
        let mut tests = vec![self.all()?];
        while self.skip(&Token::Or) {
            tests.push(self.all()?);
        }
        Ok(several(tests, Test::Any))
    }

    fn all(&mut self) -> Result<Test, DiskSelectorError> {
        let mut tests = vec![self.not()?];
        while self.skip(&Token::And) {
            tests.push(self.not()?);
        }
        Ok(several(tests, Test::All))
    }

    fn not(&mut self) -> Result<Test, DiskSelectorError> {
        let first = self.column();
        let mut count = 0_usize;
        while self.skip(&Token::Not) {
            count += 1;
        }
        let test = match self.tokens.next() {
            Some((at, Token::Open)) => self.inside(at)?,
            Some((at, Token::Name(name))) => {
                let bang = (count > 0).then_some(first);
                self.condition(at, name, bang)?
            }
            found => return Err(self.unexpected("a field, `!` or `(`", found)),
        };
        Ok(match count % 2 {
            0 => test,
            _ => Test::Not(Box::new(test)),
        })
    }

    /// What stands in parentheses, the first of which was at a column.
    fn inside(&mut self, at: usize) -> Result<Test, DiskSelectorError> {
        if self.depth == MAX_DEPTH {
            return Err(Fault::Deep.at(at));
        }
        self.depth += 1;
        let test = self.any()?;
        self.depth -= 1;
        match self.tokens.next() {
            Some((_, Token::Close)) => Ok(test),
            found => Err(self.unexpected("`&&`, `||` or `)`", found)),
        }
    }

    /// What is said of the field of this name, behind a `!` where `bang` is its column.
    fn condition(
        &mut self,
        at: usize,
        name: &str,
        bang: Option<usize>,
    ) -> Result<Test, DiskSelectorError> {
        let (name, field) = find(&FIELDS, "field", name).map_err(|it| it.at(at))?;
        match self.peek() {
            Some(Token::Dot) => self.method(name, field),
            Some(&Token::Compare(order)) => match bang {
                Some(at) => Err(Fault::NotOfField(name).at(at)),
                None => self.comparison(name, field, order),
            },
            _ => match field {
                Field::Flag(flag) => Ok(Test::Flag(flag)),
                Field::Size => {
                    let help = "compare it, as in `size > 100GiB`";
                    Err(Fault::NoCondition(name, help).at(at))
                }
                Field::Text(_) | Field::Bus => {
                    let help = "compare it with a text in quotes, as in `bus == \"nvme\"`";
                    Err(Fault::NoCondition(name, help).at(at))
                }
            },
        }
    }

    /// Where a dot comes next.
    fn method(&mut self, name: &'static str, field: Field) -> Result<Test, DiskSelectorError> {
        let dot = self.column();
        self.skip(&Token::Dot);
        let Field::Text(field) = field else {
            return Err(Fault::NoText(name).at(dot));
        };
        let test = match self.tokens.next() {
            Some((at, Token::Name(method))) => {
                let found = find(&METHODS, "method", method);
                found.map_err(|it| it.at(at))?.1
            }
            found => return Err(self.unexpected("the name of a method", found)),
        };
        match self.tokens.next() {
            Some((_, Token::Open)) => {}
            found => return Err(self.unexpected("`(`", found)),
        }
        let text = match self.tokens.next() {
            Some((at, Token::Text(text))) if text.is_empty() => {
                return Err(Fault::EmptyText.at(at));
            }
            Some((_, Token::Text(text))) => text,
            found => return Err(self.unexpected("a text in quotes", found)),
        };
        match self.tokens.next() {
            Some((_, Token::Close)) => Ok(Test::Text(field, test, text)),
            found => Err(self.unexpected("`)`", found)),
        }
    }

    /// Where an order comes next.
    fn comparison(
        &mut self,
        name: &'static str,
        field: Field,
        order: Order,
    ) -> Result<Test, DiskSelectorError> {
        let sign = self.column();
        self.skip(&Token::Compare(order));
        let test = match (field, self.tokens.next()) {
            (Field::Size, Some((_, Token::Size(bytes)))) => return Ok(Test::Size(order, bytes)),
            (Field::Size, found) => return Err(self.unexpected("a size such as `100GiB`", found)),
            _ if !matches!(order, Order::Equal | Order::NotEqual) => {
                return Err(Fault::Unordered(name).at(sign));
            }
            (Field::Text(field), Some((_, Token::Text(text)))) => {
                Test::Text(field, TextTest::Equals, text)
            }
            (Field::Bus, Some((at, Token::Text(word)))) => {
                Test::Bus(bus(&word).map_err(|it| it.at(at))?)
            }
            (Field::Flag(flag), Some((_, Token::Name("true")))) => Test::Flag(flag),
            (Field::Flag(flag), Some((_, Token::Name("false")))) => {
                Test::Not(Box::new(Test::Flag(flag)))
            }
            (Field::Flag(_), found) => return Err(self.unexpected("`true` or `false`", found)),
            (_, found) => return Err(self.unexpected("a text in quotes", found)),
        };
        Ok(match order {
            Order::NotEqual => Test::Not(Box::new(test)),
            _ => test,
        })
    }

    fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.as_slice().first().map(|(_, token)| token)
    }

    /// Takes this token if it comes next; whether it did.
    fn skip(&mut self, token: &Token<'_>) -> bool {
        let next = self.peek() == Some(token);
        if next {
            self.tokens.next();
        }
        next
    }

    /// Where the next token is.
    fn column(&self) -> usize {
        let next = self.tokens.as_slice().first();
        next.map_or(self.end, |(column, _)| *column)
    }

    fn unexpected(&self, expected: &str, found: Option<(usize, Token<'_>)>) -> DiskSelectorError {
        let (column, found) = match found {
            Some((column, token)) => (column, token.to_string()),
            None => (self.end, "the end".to_owned()),
        };
        Fault::Expected(expected.to_owned(), found).at(column)
    }
}

fn several(mut tests: Vec<Test>, join: fn(Vec<Test>) -> Test) -> Test {
    match tests.pop() {
        Some(one) if tests.is_empty() => one,
        last => {
            tests.extend(last);
            join(tests)
        }
    }
}

/// What goes by a name, and the name.
fn find<T: Copy, const N: usize>(
    all: &[(&'static str, T); N],
    what: &'static str,
    name: &str,
) -> Result<(&'static str, T), Fault> {
    let found = all.iter().find(|(known, _)| *known == name);
    found
        .copied()
        .ok_or_else(|| unknown(what, name, &all.each_ref().map(|(known, _)| *known)))
}

fn bus(word: &str) -> Result<DiskBus, Fault> {
    DiskBus::of(word).ok_or_else(|| unknown("bus", word, &DiskBus::ALL.map(DiskBus::word)))
}

fn unknown(what: &'static str, name: &str, known: &[&'static str]) -> Fault {
    let help = match nearest(name, known.iter().copied()) {
        Some(known) => format!("did you mean `{known}`?"),
        // As others have it whose selectors are CEL.
        None if name == "disk" => "a field stands alone: `size`, not `disk.size`".to_owned(),
        None => format!("known: {}", known.join(", ")),
    };
    Fault::Unknown(what, name.to_owned(), help)
}
