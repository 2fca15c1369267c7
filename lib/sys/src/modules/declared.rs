//! What a module's file says of its parameters.
//!
//! Owns: finding `parm=NAME:...` and `parmtype=NAME:...` among the texts of `.modinfo`. The kernel loads a module with
//! parameters it does not have, and only writes a line about it; whoever made a mistake learns it from here. The file
//! is searched as a whole: a text that merely looks like one of these makes a name too many, and nobody's mistake.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

/// The parameters that the uncompressed module in this file declares. A few modules have others that they do not
/// declare; the kernel shows those once they are loaded.
pub fn declared_parameters(file: &Path) -> io::Result<BTreeSet<String>> {
    fs::read(file).map(|bytes| parameters(&bytes))
}

fn parameters(bytes: &[u8]) -> BTreeSet<String> {
    let texts = bytes.split(|byte| *byte == 0);
    let names = texts.filter_map(|text| {
        let text = std::str::from_utf8(text).ok()?;
        let declared = text
            .strip_prefix("parmtype=")
            .or_else(|| text.strip_prefix("parm="));
        let (name, _) = declared?.split_once(':')?;
        let good = !name.is_empty()
            && name
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'_');
        good.then(|| name.to_owned())
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_texts_name_parameters() {
        let bytes = b"\x7fELF\xff\0license=GPL\0parmtype=max_loop:int\0parm=max_loop:Maximum number\0\
                      parm=hw_queue_depth:Queue depth: 128\0parm=no end\0parm=:x\0parm=a b:x\0srcversion=1\0\xff";
        let names = parameters(bytes);
        assert_eq!(Vec::from_iter(&names), ["hw_queue_depth", "max_loop"]);
        assert_eq!(parameters(b""), BTreeSet::new());
    }
}
