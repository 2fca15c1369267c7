//! What is wrong with a text that is no YAML, in words for whoever wrote it.
//!
//! The parser says what it was doing; here it is said what to look for.

use serde_yaml::granit_parser::ErrorKind;

/// What is said of an error of the parser, and what to do about it.
pub(crate) fn explain(kind: &ErrorKind) -> (String, Option<&'static str>) {
    let told = structure(kind)
        .or_else(|| flow(kind))
        .or_else(|| text(kind));
    told.unwrap_or_else(|| (kind.to_string(), None))
}

/// Whether the error is a tab where there must be none.
pub(crate) fn is_tab(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar
            | ErrorKind::TabAtBlockScalarStart
    )
}

type Told = Option<(String, Option<&'static str>)>;

fn told(message: &str, help: &'static str) -> Told {
    Some((message.to_owned(), Some(help)))
}

/// Keys, items and their indentation.
fn structure(kind: &ErrorKind) -> Told {
    match kind {
        tab if is_tab(tab) => told(
            "a tab where YAML has spaces",
            "YAML is indented with spaces",
        ),
        ErrorKind::SimpleKeyExpected
        | ErrorKind::InvalidSimpleKey
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::UnexpectedEofBlockMapping => told(
            "expected `key: value`",
            "a key is followed by a colon and a space; items stand in the column of those above, and a text of several lines is indented more than its key",
        ),
        ErrorKind::MappingValueNotAllowed
        | ErrorKind::MappingKeyNotAllowed
        | ErrorKind::InvalidColonPlacement => told(
            "a key cannot stand here",
            "begin it in the column of the keys beside it; a text with `: ` in it needs quotes",
        ),
        ErrorKind::InvalidIndentation | ErrorKind::InvalidFlowScalarIndent => told(
            "this line is indented wrongly",
            "all keys of a map and all items of a list begin in one column",
        ),
        ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::InvalidBlockEntryWhitespace
        | ErrorKind::BlockEntryInFlowCollection
        | ErrorKind::PlainScalarStartsWithDashFlowIndicator => told(
            "an item cannot stand here",
            "write `- ` and the item in a line of its own below the key; a text that begins with `-` needs quotes",
        ),
        _ => None,
    }
}

/// Brackets and what is between them.
fn flow(kind: &ErrorKind) -> Told {
    match kind {
        ErrorKind::UnclosedFlowCollection { open } => Some((
            format!("`{open}` is not closed"),
            Some("close it, or write one item or key a line and no brackets"),
        )),
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => told(
            "the text ends inside of brackets",
            "close them, or write one item or key a line and no brackets",
        ),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            let message = format!("`{open}` is closed by `{close}`");
            Some((message, Some("`[` is closed by `]`, and `{` by `}`")))
        }
        ErrorKind::MisplacedFlowCollectionEnd => told(
            "this bracket closes nothing",
            "remove it; a text with brackets in it needs quotes",
        ),
        ErrorKind::ExpectedFlowMappingSeparator => {
            told("expected `,` or `}`", "in brackets, commas part the keys")
        }
        ErrorKind::ExpectedFlowSequenceSeparator => {
            told("expected `,` or `]`", "in brackets, commas part the items")
        }
        _ => None,
    }
}

/// Quotes, blocks of text, and characters.
fn text(kind: &ErrorKind) -> Told {
    match kind {
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::DocumentIndicatorInQuotedScalar => told(
            "a quote above is not closed",
            "close it in its line; a quoted text that goes on in further lines is indented there",
        ),
        ErrorKind::InvalidTrailingSingleQuotedScalar
        | ErrorKind::InvalidTrailingDoubleQuotedScalar => told(
            "there is text after the closing quote",
            "put all of it in quotes; in brackets, a comma parts two of them",
        ),
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidUnicodeEscape => told(
            "an escape that YAML does not know",
            "in double quotes a backslash is written twice; in single quotes it is itself",
        ),
        ErrorKind::UnexpectedCharacter { character } if character.is_control() => Some((
            format!(
                "a character that is no text: `{}`",
                character.escape_default()
            ),
            Some("remove it, or retype the line"),
        )),
        ErrorKind::BomInsideDocument => told(
            "a byte order mark inside of the text",
            "two files were joined here; remove what cannot be seen before the first letter",
        ),
        ErrorKind::UnexpectedCharacter { character } => Some((
            format!("`{}` cannot stand here", character.escape_default()),
            Some("a text that begins with a special character needs quotes"),
        )),
        ErrorKind::InvalidBlockScalarHeader | ErrorKind::ZeroBlockScalarIndent => told(
            "nothing else stands in the line of `|` or `>`",
            "the text begins in the next line, indented",
        ),
        ErrorKind::InvalidBlockScalarIndent => told(
            "this line of the text is indented less than its first",
            "indent all lines of the text alike",
        ),
        ErrorKind::MissingAnchorOrAliasName => told(
            "`&` and `*` begin the name of an anchor",
            "a text that begins with one of them needs quotes",
        ),
        _ => None,
    }
}
