//! What memory is used for.

use api::v1alpha1 as v1;
use serde::Serialize;

use super::Row;
use crate::output::size;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Memory {
    total_bytes: u64,
    available_bytes: u64,
    free_bytes: u64,
    cached_bytes: u64,
    buffer_bytes: u64,
    shared_bytes: u64,
    dirty_bytes: u64,
    slab_reclaimable_bytes: u64,
    slab_bytes: u64,
}

impl From<v1::MemoryResponse> for Memory {
    fn from(said: v1::MemoryResponse) -> Self {
        Self {
            total_bytes: said.total_bytes,
            available_bytes: said.available_bytes,
            free_bytes: said.free_bytes,
            cached_bytes: said.cached_bytes,
            buffer_bytes: said.buffer_bytes,
            shared_bytes: said.shared_bytes,
            dirty_bytes: said.dirty_bytes,
            slab_reclaimable_bytes: said.slab_reclaimable_bytes,
            slab_bytes: said.slab_bytes,
        }
    }
}

impl Row for Memory {
    const HEADINGS: &'static [&'static str] =
        &["TOTAL", "AVAILABLE", "FREE", "CACHED", "SHARED", "KERNEL"];

    fn cells(&self) -> Vec<String> {
        let kernel = self.slab_bytes.saturating_add(self.slab_reclaimable_bytes);
        [
            self.total_bytes,
            self.available_bytes,
            self.free_bytes,
            self.cached_bytes,
            self.shared_bytes,
            kernel,
        ]
        .map(size)
        .to_vec()
    }
}
