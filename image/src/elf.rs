//! What a program of the root asks for before it runs: its loader and its libraries.
//!
//! Read from the segments, as the kernel and the loader do; sections may be stripped. Libraries that
//! a program opens by name while it runs are not seen.

use anyhow::{Context, Result};
use object::elf::{DT_NEEDED, DT_NULL, DT_STRSZ, DT_STRTAB, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, StringTable};

/// What an ELF file asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// The path of its loader, as an absolute path; none for static programs and most libraries.
    pub interpreter: Option<String>,
    /// The names of the libraries that it is linked to, without folders.
    pub needed: Vec<String>,
}

/// Whether this processor could run an ELF file. Modules are relocatable (type 1) and some firmware
/// is for another machine than x86 in 64 (62) or 32 (3) bits.
#[must_use]
pub fn runs(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
        && bytes.get(16..18) != Some(&[1, 0])
        && matches!(bytes.get(18..20), Some([62 | 3, 0]))
}

/// Reads what a 64-bit ELF file asks for.
///
/// # Errors
/// When it is damaged.
pub fn links(bytes: &[u8]) -> Result<Links> {
    let header = FileHeader64::<Endianness>::parse(bytes).context("its header")?;
    let endian = header.endian().context("its byte order")?;
    let segments = header
        .program_headers(endian, bytes)
        .context("its segments")?;
    let mut links = Links::default();
    for segment in segments {
        let interpreter = segment.interpreter(endian, bytes).context("its loader")?;
        if let Some(path) = interpreter {
            links.interpreter = Some(text(path)?);
        }
        let entries = segment
            .dynamic(endian, bytes)
            .context("its dynamic segment")?;
        let entries = entries.unwrap_or_default().iter();
        let used: Vec<_> = entries
            .map(|entry| (entry.d_tag(endian), entry.d_val(endian)))
            .take_while(|(tag, _)| *tag != DT_NULL)
            .collect();
        let value = |wanted| {
            let found = used.iter().find(|(tag, _)| *tag == wanted);
            found.map(|(_, value)| *value)
        };
        let (Some(start), Some(size)) = (value(DT_STRTAB), value(DT_STRSZ)) else {
            continue;
        };
        // An address in memory, so some segment holds it.
        let names = segments
            .iter()
            .find_map(|holder| holder.data_range(endian, bytes, start, size).ok()?)
            .context("its names")?;
        let names = StringTable::new(names, 0, size);
        for (_, at) in used.iter().filter(|(tag, _)| *tag == DT_NEEDED) {
            let at = u32::try_from(*at).context("the place of a name")?;
            let name = names.get(at).ok().context("a name")?;
            links.needed.push(text(name)?);
        }
    }
    Ok(links)
}

fn text(bytes: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(bytes).context("a name that is no text")?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_the_host_names_its_loader_and_libc() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        assert!(runs(&bytes));
        let links = links(&bytes).unwrap();
        let loader = links.interpreter.unwrap();
        assert!(loader.starts_with("/lib"), "{loader}");
        let libc = "libc.so.6".to_owned();
        assert!(links.needed.contains(&libc), "{:?}", links.needed);
    }

    #[test]
    fn damaged_files_are_errors() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        for length in [4, 63, 100, 4096] {
            assert!(links(&bytes[..length]).is_err(), "{length}");
        }
        assert!(links(b"text").is_err());
        assert!(!runs(b"text"));
    }
}
