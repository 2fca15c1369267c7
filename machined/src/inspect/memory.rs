//! What the memory is used for.

use ::api::v1alpha1::MemoryResponse;
use procfs::{Current as _, Meminfo};

use super::InspectError;

pub(super) fn read() -> Result<MemoryResponse, InspectError> {
    let info = Meminfo::current().map_err(InspectError::of("/proc/meminfo"))?;
    Ok(response(&info))
}

fn response(info: &Meminfo) -> MemoryResponse {
    MemoryResponse {
        total_bytes: info.mem_total,
        // Every kernel that runs this program has what is optional here.
        available_bytes: info.mem_available.unwrap_or_default(),
        free_bytes: info.mem_free,
        cached_bytes: info.cached,
        buffer_bytes: info.buffers,
        shared_bytes: info.shmem.unwrap_or_default(),
        dirty_bytes: info.dirty,
        slab_reclaimable_bytes: info.s_reclaimable.unwrap_or_default(),
        slab_bytes: info.s_unreclaim.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use procfs::FromRead as _;

    use super::*;

    #[test]
    fn the_kernels_kibibytes_become_bytes() {
        let lines = [
            ("MemTotal", 1000),
            ("MemFree", 400),
            ("MemAvailable", 700),
            ("Buffers", 1),
            ("Cached", 300),
            ("SwapCached", 0),
            ("Active", 0),
            ("Inactive", 0),
            ("SwapTotal", 0),
            ("SwapFree", 0),
            ("Dirty", 2),
            ("Writeback", 0),
            ("Mapped", 0),
            ("Shmem", 30),
            ("Slab", 50),
            ("SReclaimable", 20),
            ("SUnreclaim", 30),
            ("Committed_AS", 0),
            ("VmallocTotal", 0),
            ("VmallocUsed", 0),
            ("VmallocChunk", 0),
        ];
        let text: String = lines
            .map(|(key, kib)| format!("{key}: {kib} kB\n"))
            .concat();
        let info = Meminfo::from_read(text.as_bytes()).unwrap();
        let expected = MemoryResponse {
            total_bytes: 1000 * 1024,
            available_bytes: 700 * 1024,
            free_bytes: 400 * 1024,
            cached_bytes: 300 * 1024,
            buffer_bytes: 1024,
            shared_bytes: 30 * 1024,
            dirty_bytes: 2 * 1024,
            slab_reclaimable_bytes: 20 * 1024,
            slab_bytes: 30 * 1024,
        };
        assert_eq!(response(&info), expected);
    }
}
