//! Appends sections to a PE program: what a unified kernel image is made of.
//!
//! The stub from systemd finds kernel, initramfs and command line in sections by name. The section
//! table must have room before the first section; nothing is moved. Time stamp and checksum are
//! cleared, so the bytes depend on the inputs alone. Knows nothing of what the sections mean.

use object::pe::{self, ImageDosHeader, ImageNtHeaders64, ImageSectionHeader, SectionFlags};
use object::read::pe::ImageNtHeaders;
use object::{LittleEndian as LE, U16, U32};
use thiserror::Error;

/// Offsets in the optional header, from its start.
const SIZE_OF_INITIALIZED_DATA: usize = 8;
const SIZE_OF_IMAGE: usize = 56;
const CHECKSUM: usize = 64;

/// Offsets in the COFF header, from the PE signature.
const SECTION_COUNT: usize = 4 + 2;
const TIME_STAMP: usize = 4 + 4;
const OPTIONAL_HEADER: usize = 4 + 20;

/// Size of one entry in the section table.
const SECTION_HEADER: usize = 40;

/// Sections hold data and are read.
const FLAGS: SectionFlags =
    SectionFlags(pe::IMAGE_SCN_CNT_INITIALIZED_DATA.0 | pe::IMAGE_SCN_MEM_READ.0);

/// A section to append.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    /// Name, at most eight bytes.
    pub name: &'a str,
    /// What it holds.
    pub data: &'a [u8],
    /// Bytes to reserve in memory, when more than the data.
    pub memory: usize,
}

/// Why sections cannot be appended.
#[derive(Debug, Error)]
pub enum PeError {
    /// The program is not what it should be.
    #[error("not a 64-bit PE program")]
    Parse(#[source] object::Error),
    /// The headers contradict the file.
    #[error("the PE headers are damaged: {0}")]
    Damaged(&'static str),
    /// No room for another section.
    #[error("the section table has no room for {0}")]
    NoRoom(String),
    /// A name is longer than eight bytes.
    #[error("the section name {0:?} is too long")]
    Name(String),
    /// The format counts in 32 bits.
    #[error("the image would be 4 GiB or larger")]
    TooLarge,
}

/// What the headers of a program say.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// Offset of the PE signature.
    signature: usize,
    /// Offset of the section table.
    table: usize,
    sections: u16,
    headers: usize,
    file_alignment: u32,
    memory_alignment: u32,
    /// First free address.
    end: u32,
}

/// The `SizeOfImage` of a program: the memory it needs where it runs.
///
/// # Errors
/// When it is not a 64-bit PE program.
pub fn memory_size(program: &[u8]) -> Result<u32, PeError> {
    Ok(headers(program)?.1.optional_header.size_of_image.get(LE))
}

/// Appends `sections` to `program`, in order.
///
/// # Errors
/// When it is not a PE program, or the sections do not fit.
pub fn append(program: &[u8], sections: &[Section<'_>]) -> Result<Vec<u8>, PeError> {
    let layout = layout(program)?;
    let mut out = program.to_vec();
    let (mut address, mut added) = (layout.end, 0u32);
    for (number, section) in sections.iter().enumerate() {
        out.resize(aligned(out.len(), layout.file_alignment)?, 0);
        let offset = small(out.len())?;
        out.extend_from_slice(section.data);
        out.resize(aligned(out.len(), layout.file_alignment)?, 0);
        let raw = small(out.len())? - offset;
        let memory = small(section.memory.max(section.data.len()))?;
        let header = header(section.name, memory, address, raw, offset)?;
        let at = layout.table + (usize::from(layout.sections) + number) * SECTION_HEADER;
        place(&mut out, at, layout.headers, &header, section.name)?;
        address = small(aligned(
            (address as usize) + memory as usize,
            layout.memory_alignment,
        )?)?;
        added = added.checked_add(raw).ok_or(PeError::TooLarge)?;
    }
    let count = layout.sections + u16::try_from(sections.len()).map_err(|_| PeError::TooLarge)?;
    let optional = layout.signature + OPTIONAL_HEADER;
    let data = headers(program)?
        .1
        .optional_header
        .size_of_initialized_data
        .get(LE);
    let data = data.checked_add(added).ok_or(PeError::TooLarge)?;
    write(
        &mut out,
        layout.signature + SECTION_COUNT,
        &count.to_le_bytes(),
    )?;
    write(&mut out, layout.signature + TIME_STAMP, &0u32.to_le_bytes())?;
    write(
        &mut out,
        optional + SIZE_OF_INITIALIZED_DATA,
        &data.to_le_bytes(),
    )?;
    write(&mut out, optional + SIZE_OF_IMAGE, &address.to_le_bytes())?;
    write(&mut out, optional + CHECKSUM, &0u32.to_le_bytes())?;
    Ok(out)
}

fn headers(program: &[u8]) -> Result<(usize, &ImageNtHeaders64), PeError> {
    let dos = ImageDosHeader::parse(program).map_err(PeError::Parse)?;
    let mut offset = u64::from(dos.nt_headers_offset());
    let signature = usize::try_from(offset).map_err(|_| PeError::TooLarge)?;
    let (nt, _) = ImageNtHeaders64::parse(program, &mut offset).map_err(PeError::Parse)?;
    Ok((signature, nt))
}

fn layout(program: &[u8]) -> Result<Layout, PeError> {
    let (signature, nt) = headers(program)?;
    let optional = &nt.optional_header;
    let size = usize::from(nt.file_header.size_of_optional_header.get(LE));
    let table = signature + OPTIONAL_HEADER + size;
    let sections = nt.sections(program, table as u64).map_err(PeError::Parse)?;
    let memory_alignment = optional.section_alignment.get(LE);
    let file_alignment = optional.file_alignment.get(LE);
    if !memory_alignment.is_power_of_two() || !file_alignment.is_power_of_two() {
        return Err(PeError::Damaged("alignment"));
    }
    let mut end = 0;
    // The table may grow up to the first section's bytes, or the end of the headers.
    let mut headers_end = optional.size_of_headers.get(LE);
    for section in sections.iter() {
        let size = section
            .virtual_size
            .get(LE)
            .max(section.size_of_raw_data.get(LE));
        end = end.max(
            section
                .virtual_address
                .get(LE)
                .checked_add(size)
                .ok_or(PeError::TooLarge)?,
        );
        if section.size_of_raw_data.get(LE) > 0 {
            headers_end = headers_end.min(section.pointer_to_raw_data.get(LE));
        }
    }
    Ok(Layout {
        signature,
        table,
        sections: nt.file_header.number_of_sections.get(LE),
        headers: headers_end as usize,
        file_alignment,
        memory_alignment,
        end: small(aligned(end as usize, memory_alignment)?)?,
    })
}

fn header(
    name: &str,
    memory: u32,
    address: u32,
    raw: u32,
    offset: u32,
) -> Result<[u8; SECTION_HEADER], PeError> {
    let mut short = [0; 8];
    let Some(target) = short.get_mut(..name.len()) else {
        return Err(PeError::Name(name.to_owned()));
    };
    target.copy_from_slice(name.as_bytes());
    let header = ImageSectionHeader {
        name: short,
        virtual_size: U32::new(LE, memory),
        virtual_address: U32::new(LE, address),
        size_of_raw_data: U32::new(LE, raw),
        pointer_to_raw_data: U32::new(LE, offset),
        pointer_to_relocations: U32::new(LE, 0),
        pointer_to_linenumbers: U32::new(LE, 0),
        number_of_relocations: U16::new(LE, 0),
        number_of_linenumbers: U16::new(LE, 0),
        characteristics: U32::new(LE, FLAGS),
    };
    let bytes = object::pod::bytes_of(&header);
    bytes
        .try_into()
        .map_err(|_| PeError::Damaged("section header"))
}

fn place(out: &mut [u8], at: usize, end: usize, header: &[u8], name: &str) -> Result<(), PeError> {
    let free = out
        .get(at..at + header.len())
        .is_some_and(|old| old.iter().all(|b| *b == 0));
    if at + header.len() > end || !free {
        return Err(PeError::NoRoom(name.to_owned()));
    }
    write(out, at, header)
}

fn write(out: &mut [u8], at: usize, bytes: &[u8]) -> Result<(), PeError> {
    let target = out
        .get_mut(at..at + bytes.len())
        .ok_or(PeError::Damaged("a header lies outside"))?;
    target.copy_from_slice(bytes);
    Ok(())
}

fn aligned(size: usize, to: u32) -> Result<usize, PeError> {
    size.checked_next_multiple_of(to as usize)
        .ok_or(PeError::TooLarge)
}

fn small(size: usize) -> Result<u32, PeError> {
    u32::try_from(size).map_err(|_| PeError::TooLarge)
}

#[cfg(test)]
mod tests {
    use object::{Object, ObjectSection};

    use super::*;

    /// A PE program with one section and room for `room` more.
    fn program(room: usize) -> Vec<u8> {
        let mut out = vec![0; 0x80];
        out[..2].copy_from_slice(b"MZ");
        out[0x3c] = 0x80;
        out.extend(b"PE\0\0");
        out.extend(0x8664u16.to_le_bytes());
        out.extend(1u16.to_le_bytes());
        out.extend(0x1234_5678u32.to_le_bytes());
        out.extend([0; 8]);
        out.extend(240u16.to_le_bytes());
        out.extend(0x22u16.to_le_bytes());
        let optional = out.len();
        out.resize(optional + 240, 0);
        let mut put = |at: usize, bytes: &[u8]| {
            let at = optional + at;
            out[at..at + bytes.len()].copy_from_slice(bytes);
        };
        put(0, &0x20bu16.to_le_bytes());
        put(32, &4096u32.to_le_bytes());
        put(36, &512u32.to_le_bytes());
        put(SIZE_OF_IMAGE, &0x2000u32.to_le_bytes());
        put(CHECKSUM, &7u32.to_le_bytes());
        put(108, &16u32.to_le_bytes());
        let raw = optional + 240 + SECTION_HEADER * (1 + room);
        put(60, &u32::try_from(raw).unwrap().to_le_bytes());
        let offset = u32::try_from(raw).unwrap();
        out.extend(header(".text", 0x10, 0x1000, 0x200, offset).unwrap());
        out.resize(raw + 0x200, 0);
        out
    }

    fn sections() -> [Section<'static>; 2] {
        [
            Section {
                name: ".cmdline",
                data: b"quiet",
                memory: 0,
            },
            Section {
                name: ".linux",
                data: &[7; 5000],
                memory: 20_000,
            },
        ]
    }

    #[test]
    fn appended_sections_are_found_by_name() {
        let image = append(&program(2), &sections()).unwrap();
        let file = object::read::pe::PeFile64::parse(image.as_slice()).unwrap();
        for section in sections() {
            let found = file.section_by_name(section.name).unwrap();
            assert_eq!(&found.data().unwrap()[..section.data.len()], section.data);
            assert!(found.address().is_multiple_of(4096));
        }
        // .text at 0x1000, .cmdline at 0x2000, .linux at 0x3000 with 20000 bytes.
        assert_eq!(memory_size(&image).unwrap(), 0x8000);
        assert_eq!(file.nt_headers().file_header.time_date_stamp.get(LE), 0);
        assert_eq!(file.nt_headers().optional_header.check_sum.get(LE), 0);
    }

    #[test]
    fn two_images_are_the_same() {
        assert_eq!(
            append(&program(2), &sections()).unwrap(),
            append(&program(2), &sections()).unwrap()
        );
    }

    #[test]
    fn a_full_table_and_a_foreign_file_are_refused() {
        assert!(
            matches!(append(&program(1), &sections()), Err(PeError::NoRoom(name)) if name == ".linux")
        );
        assert!(matches!(append(b"MZ", &sections()), Err(PeError::Parse(_))));
        let long = [Section {
            name: ".toolongname",
            data: b"",
            memory: 0,
        }];
        assert!(matches!(append(&program(1), &long), Err(PeError::Name(_))));
        let mut damaged = program(2);
        damaged.truncate(0x90);
        assert!(append(&damaged, &sections()).is_err());
    }
}
