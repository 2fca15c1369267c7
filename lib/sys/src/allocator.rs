//! How much the C library's allocator keeps of what was given back.

/// The size from which a block is a mapping of its own, in bytes: the allocator's own figure at the start (mallopt(3)), which it
/// would raise with the first larger block that is given back.
const OWN_MAPPING: libc::c_int = 128 * 1024;

/// Has all threads share one pool of memory, and large blocks given back to the kernel at once. A pool per thread is quick
/// where many threads allocate; a daemon with a few idle ones pays for each what its largest moment took, in huge pages.
///
/// It holds for what is allocated later, so it belongs before the first thread.
pub fn keep_little() {
    for (setting, value) in [
        (libc::M_ARENA_MAX, 1),
        (libc::M_MMAP_THRESHOLD, OWN_MAPPING),
    ] {
        // SAFETY: it takes two numbers and changes settings of the allocator under its own lock. It knows both settings, and
        // values that it does not take change nothing.
        unsafe { libc::mallopt(setting, value) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_block_is_a_mapping_of_its_own_every_time() {
        keep_little();
        for _ in 0..3 {
            let block = vec![1_u8; 1 << 20];
            // Behind the two words that the allocator puts at the beginning of a mapping.
            assert_eq!(block.as_ptr().addr() % 4096, 16);
        }
    }
}
