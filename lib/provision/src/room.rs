//! What this host has to give to machines.

use std::fs;
use std::thread;

/// Where the kernel says how much memory there is.
const MEMORY: &str = "/proc/meminfo";

/// What this host has to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// How many processors this process may use, at least one.
    pub processors: u32,
    /// How much memory programs can have without others giving way, in MiB; nothing where the kernel does not say.
    pub memory: u32,
}

impl Room {
    /// Looks at this host.
    pub fn detect() -> Self {
        let processors = thread::available_parallelism().map_or(1, |it| it.get());
        Self {
            processors: processors.try_into().unwrap_or(u32::MAX),
            memory: available(&fs::read_to_string(MEMORY).unwrap_or_default()).unwrap_or(0),
        }
    }
}

/// The MiB that a text of `/proc/meminfo` says are available: what is free, and caches that can be.
fn available(meminfo: &str) -> Option<u32> {
    let mut lines = meminfo.lines();
    let said = lines.find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = said.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(u32::try_from(kib / 1024).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_as_the_kernel_says_it() {
        let said = "MemTotal:       24684268 kB\nMemFree:        16439484 kB\nMemAvailable:   22458412 kB\n";
        assert_eq!(available(said), Some(21932));
        for nothing in ["", "MemTotal: 1 kB\n", "MemAvailable: much\n"] {
            assert_eq!(available(nothing), None, "{nothing:?}");
        }
    }
}
