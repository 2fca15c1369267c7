//! Messages of D-Bus, as far as a kubelet and logind speak it. Pure.
//!
//! What is written follows the D-Bus specification, version 0.43: a header of fixed size, an array of fields, a body, each value at a
//! multiple of its size. Callers on this machine write numbers as we do, in little endian.

use thiserror::Error;

/// The part of a header that says how long the rest is.
pub(super) const HEAD: usize = 16;

/// The longest message that is taken: a call of ours has a few short texts.
const LONGEST: usize = 16 << 10;

/// Who we are on the bus.
const OWN: &str = ":1.0";

/// Kinds of messages.
const CALL: u8 = 1;
const ANSWER: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

/// The flag of a call that wants no answer.
const NO_ANSWER: u8 = 1;

/// Fields of a header.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const ANSWERS: u8 = 5;
const SENDER: u8 = 7;
const SIGNATURE: u8 = 8;
const DESCRIPTORS: u8 = 9;

/// A message is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum MessageError {
    #[error("a message of D-Bus in an order of bytes or a version that is not ours")]
    Version,
    #[error("a message of D-Bus of {0} bytes")]
    Long(usize),
    #[error("a message of D-Bus breaks off")]
    Short,
    #[error("a text in a message of D-Bus is none")]
    Text,
    #[error("a field of D-Bus of the kind {0:?}")]
    Field(String),
}

/// What somebody calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    /// What the answer refers to; none when none is wanted.
    pub(super) serial: Option<u32>,
    pub(super) interface: String,
    pub(super) member: String,
    /// What it is called with, as far as that is texts alone.
    pub(super) texts: Vec<String>,
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// Nothing but that it was done.
    Done,
    /// A text.
    Text(&'a str),
    /// A number, as a property is.
    Property(u64),
    /// The descriptor that comes with it.
    Descriptor,
}

/// How long a message is that begins so.
pub(super) fn length(head: &[u8; HEAD]) -> Result<usize, MessageError> {
    let [endian, _, _, version, a, b, c, d, _, _, _, _, e, f, g, h] = *head;
    if (endian, version) != (b'l', 1) {
        return Err(MessageError::Version);
    }
    let number = |bytes| usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
    let (body, fields) = (number([a, b, c, d]), number([e, f, g, h]));
    let whole = HEAD.saturating_add(fields).saturating_add(7) & !7;
    let whole = whole.saturating_add(body);
    if whole > LONGEST {
        return Err(MessageError::Long(whole));
    }
    Ok(whole)
}

/// Reads a whole message; none when it is no call.
pub(super) fn call(bytes: &[u8]) -> Result<Option<Call>, MessageError> {
    let mut reader = Reader { bytes, at: 1 };
    let (kind, flags) = (reader.byte()?, reader.byte()?);
    reader.at = 8;
    let serial = reader.number()?;
    let fields = reader.number()?;
    let end = HEAD.saturating_add(usize::try_from(fields).unwrap_or(usize::MAX));
    let (mut call, mut signature) = (Call::default(), String::new());
    while reader.at < end {
        reader.align(8);
        let field = reader.byte()?;
        match (field, reader.signature()?.as_str()) {
            (INTERFACE, "s") => call.interface = reader.text()?,
            (MEMBER, "s") => call.member = reader.text()?,
            (SIGNATURE, "g") => signature = reader.signature()?,
            (_, "s" | "o") => drop(reader.text()?),
            (_, "g") => drop(reader.signature()?),
            (_, "u") => drop(reader.number()?),
            (_, other) => return Err(MessageError::Field(other.to_owned())),
        }
    }
    if kind != CALL {
        return Ok(None);
    }
    reader.align(8);
    if signature.chars().all(|it| it == 's') {
        for _ in 0..signature.len() {
            call.texts.push(reader.text()?);
        }
    }
    call.serial = (flags & NO_ANSWER == 0).then_some(serial);
    Ok(Some(call))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Result<&[u8], MessageError> {
        let end = self.at.checked_add(count).ok_or(MessageError::Short)?;
        let taken = self.bytes.get(self.at..end).ok_or(MessageError::Short)?;
        self.at = end;
        Ok(taken)
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn byte(&mut self) -> Result<u8, MessageError> {
        self.take(1)?.first().copied().ok_or(MessageError::Short)
    }

    fn number(&mut self) -> Result<u32, MessageError> {
        self.align(4);
        let bytes = self.take(4)?.try_into().map_err(|_| MessageError::Short)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Texts end in a zero that is not counted.
    fn letters(&mut self, count: usize) -> Result<String, MessageError> {
        let text = std::str::from_utf8(self.take(count)?).map_err(|_| MessageError::Text)?;
        let text = text.to_owned();
        self.take(1)?;
        Ok(text)
    }

    fn text(&mut self) -> Result<String, MessageError> {
        let count = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        self.letters(count)
    }

    fn signature(&mut self) -> Result<String, MessageError> {
        let count = self.byte()?;
        self.letters(count.into())
    }
}

/// The answer to a call; `serial` counts what we say.
pub(super) fn answer(serial: u32, to: u32, said: Said<'_>) -> Vec<u8> {
    let mut fields = Writer::default();
    fields.field(ANSWERS, "u").number(to);
    let mut body = Writer::default();
    let signature = match said {
        Said::Done => "",
        Said::Text(text) => {
            body.text(text);
            "s"
        }
        Said::Property(number) => {
            body.signature("t").align(8);
            body.0.extend(number.to_le_bytes());
            "v"
        }
        Said::Descriptor => {
            fields.field(DESCRIPTORS, "u").number(1);
            // Its place among those that come along.
            body.number(0);
            "h"
        }
    };
    message(ANSWER, serial, fields, signature, &body)
}

/// The answer to a call of something that there is not.
pub(super) fn unknown(serial: u32, to: u32, member: &str) -> Vec<u8> {
    let mut fields = Writer::default();
    fields.field(ANSWERS, "u").number(to);
    let name = "org.freedesktop.DBus.Error.UnknownMethod";
    fields.field(ERROR_NAME, "s").text(name);
    let mut body = Writer::default();
    body.text(&format!("there is no {member} here"));
    message(ERROR, serial, fields, "s", &body)
}

/// The signal of an object that something is so.
pub(super) fn signal(serial: u32, path: &str, interface: &str, member: &str) -> Vec<u8> {
    let mut fields = Writer::default();
    fields.field(PATH, "o").text(path);
    fields.field(INTERFACE, "s").text(interface);
    fields.field(MEMBER, "s").text(member);
    let mut body = Writer::default();
    body.number(1);
    message(SIGNAL, serial, fields, "b", &body)
}

fn message(kind: u8, serial: u32, mut fields: Writer, signature: &str, body: &Writer) -> Vec<u8> {
    fields.field(SENDER, "s").text(OWN);
    if !signature.is_empty() {
        fields.field(SIGNATURE, "g").signature(signature);
    }
    let length = |writer: &Writer| u32::try_from(writer.0.len()).unwrap_or(u32::MAX);
    let mut whole = Writer(vec![b'l', kind, 0, 1]);
    whole
        .number(length(body))
        .number(serial)
        .number(length(&fields));
    // The head is of a length that keeps the places of what follows.
    whole.0.extend(fields.0);
    whole.align(8);
    whole.0.extend(&body.0);
    whole.0
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) -> &mut Self {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
        self
    }

    fn number(&mut self, number: u32) -> &mut Self {
        self.align(4).0.extend(number.to_le_bytes());
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.number(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.0.extend(text.bytes().chain([0]));
        self
    }

    /// Signatures are short by themselves.
    fn signature(&mut self, text: &str) -> &mut Self {
        self.0.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.0.extend(text.bytes().chain([0]));
        self
    }

    /// The beginning of a field, up to its value.
    fn field(&mut self, field: u8, kind: &str) -> &mut Self {
        self.align(8).0.push(field);
        self.signature(kind)
    }
}

/// A call as a kubelet writes it.
#[cfg(test)]
pub(super) fn written(serial: u32, interface: &str, member: &str, texts: &[&str]) -> Vec<u8> {
    let mut fields = Writer::default();
    fields.field(PATH, "o").text("/org/freedesktop/login1");
    fields.field(INTERFACE, "s").text(interface);
    fields.field(MEMBER, "s").text(member);
    let mut body = Writer::default();
    for text in texts {
        body.text(text);
    }
    message(CALL, serial, fields, &"s".repeat(texts.len()), &body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(bytes: &[u8]) -> [u8; HEAD] {
        bytes[..HEAD].try_into().unwrap()
    }

    /// What `dbus-send --system --dest=org.freedesktop.login1 --print-reply /org/freedesktop/login1
    /// org.freedesktop.DBus.Properties.Get string:a.b string:c` writes.
    const GET: &[u8] = b"l\x01\x00\x01\x0e\x00\x00\x00\x02\x00\x00\x00\x80\x00\x00\x00\
        \x01\x01o\x00\x17\x00\x00\x00/org/freedesktop/login1\x00\
        \x02\x01s\x00\x1f\x00\x00\x00org.freedesktop.DBus.Properties\x00\
        \x03\x01s\x00\x03\x00\x00\x00Get\x00\x00\x00\x00\x00\
        \x06\x01s\x00\x16\x00\x00\x00org.freedesktop.login1\x00\x00\
        \x08\x01g\x00\x02ss\x00\x03\x00\x00\x00a.b\x00\x01\x00\x00\x00c\x00";

    #[test]
    fn a_call_is_read() {
        let bytes = written(
            7,
            "a.B",
            "Inhibit",
            &["shutdown", "kubelet", "why", "delay"],
        );
        assert_eq!(length(&head(&bytes)), Ok(bytes.len()));
        let call = call(&bytes).unwrap().unwrap();
        assert_eq!(call.serial, Some(7));
        assert_eq!((&*call.interface, &*call.member), ("a.B", "Inhibit"));
        assert_eq!(call.texts, ["shutdown", "kubelet", "why", "delay"]);
    }

    #[test]
    fn what_others_write_is_read() {
        assert_eq!(length(&head(GET)), Ok(GET.len()));
        let call = call(GET).unwrap().unwrap();
        assert_eq!(call.interface, "org.freedesktop.DBus.Properties");
        assert_eq!((call.serial, &*call.member), (Some(2), "Get"));
        assert_eq!(call.texts, ["a.b", "c"]);
    }

    #[test]
    fn what_nobody_calls_or_waits_for_is_told() {
        let mut bytes = written(7, "a.B", "C", &[]);
        bytes[2] = NO_ANSWER;
        assert_eq!(call(&bytes).unwrap().unwrap().serial, None);
        let signal = signal(1, "/a", "a.B", "C");
        assert_eq!(length(&head(&signal)), Ok(signal.len()));
        assert_eq!(call(&signal), Ok(None));
        assert_eq!(call(&bytes[..40]), Err(MessageError::Short));
        bytes[0] = b'B';
        assert_eq!(length(&head(&bytes)), Err(MessageError::Version));
        bytes[0] = b'l';
        bytes[4..8].copy_from_slice(&[255; 4]);
        assert!(matches!(length(&head(&bytes)), Err(MessageError::Long(_))));
    }

    #[test]
    fn answers_are_as_the_specification_has_them() {
        let done = answer(3, 7, Said::Done);
        let bytes = b"l\x02\x00\x01\x00\x00\x00\x00\x03\x00\x00\x00\x15\x00\x00\x00\
            \x05\x01u\x00\x07\x00\x00\x00\x07\x01s\x00\x04\x00\x00\x00:1.0\x00\x00\x00\x00";
        assert_eq!(done, bytes);
        let property = answer(3, 7, Said::Property(258));
        assert_eq!(&property[4..8], [16, 0, 0, 0]);
        let body = b"\x01t\x00\x00\x00\x00\x00\x00\x02\x01\x00\x00\x00\x00\x00\x00";
        assert!(property.ends_with(body), "{property:?}");
        for bytes in [
            property,
            answer(3, 7, Said::Text("x")),
            answer(3, 7, Said::Descriptor),
            unknown(3, 7, "X"),
        ] {
            assert_eq!(length(&head(&bytes)), Ok(bytes.len()));
            assert_eq!(call(&bytes), Ok(None));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            drop(call(&bytes));
        }
    }
}
