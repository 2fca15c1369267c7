//! The volume label of an ISO 9660 file system.
//!
//! Owns: parsing the primary volume descriptor. Never reads further: the kernel mounts it.

/// Where the primary volume descriptor lies: sector 16 of 2048 bytes.
pub const DESCRIPTOR_OFFSET: u64 = 16 * 2048;
/// The bytes of it that [`label`] needs.
pub const DESCRIPTOR_SIZE: usize = 72;

/// The volume label in a primary volume descriptor; `None` when the bytes are something else.
pub fn label(descriptor: &[u8]) -> Option<&str> {
    // Type 1 (primary), the standard's identifier, version 1; the label stands at 40, padded with spaces.
    let rest = descriptor.strip_prefix(b"\x01CD001\x01")?;
    let label = rest.get(33..65)?;
    std::str::from_utf8(label)
        .ok()
        .map(|label| label.trim_end_matches([' ', '\0']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_label() {
        let mut descriptor = vec![0; DESCRIPTOR_SIZE];
        descriptor[..7].copy_from_slice(b"\x01CD001\x01");
        descriptor[40..72].copy_from_slice(b"GARBOARD                        ");
        assert_eq!(label(&descriptor), Some("GARBOARD"));
        assert_eq!(label(&descriptor[..71]), None);
        descriptor[0] = 2;
        assert_eq!(label(&descriptor), None);
    }
}
