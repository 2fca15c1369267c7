//! What services use, as the kernel counts for their control groups.

use std::fs;
use std::path::Path;

use ::api::v1alpha1::{ServiceStats, StatsResponse};

/// Where control groups are shown.
pub(super) const GROUPS: &str = "/sys/fs/cgroup";

/// The folders in it that have a group for each service: the system's daemons, and machined's services.
const FOLDERS: [&str; 2] = ["system", "services"];

pub(super) fn read(groups: &Path) -> StatsResponse {
    let folders = FOLDERS.iter().map(|folder| groups.join(folder));
    let groups = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let mut services: Vec<_> = groups.filter_map(|group| one(&group.path())).collect();
    services.sort_by(|a, b| a.service.cmp(&b.service));
    StatsResponse { services }
}

/// One group; `None` for what is none, and for one without processes.
fn one(group: &Path) -> Option<ServiceStats> {
    let text = |file: &str| fs::read_to_string(group.join(file)).ok();
    if field(&text("cgroup.events")?, "populated") != Some(1) {
        return None;
    }
    // `max` is no number: no limit.
    let number = |file: &str| text(file)?.trim_end().parse().ok();
    let disks = text("io.stat").unwrap_or_default();
    Some(ServiceStats {
        service: group.file_name()?.to_str()?.to_owned(),
        cpu_microseconds: field(&text("cpu.stat")?, "usage_usec")?,
        memory_bytes: number("memory.current"),
        memory_max_bytes: number("memory.max"),
        tasks: number("pids.current"),
        read_bytes: sum(&disks, "rbytes="),
        written_bytes: sum(&disks, "wbytes="),
    })
}

/// The value of `NAME VALUE`.
fn field(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(key, _)| *key == name)?.1.parse().ok()
}

/// All values of a key, one for each disk: `8:0 rbytes=1 wbytes=2 rios=3`.
fn sum(text: &str, key: &str) -> u64 {
    let values = text
        .split_whitespace()
        .filter_map(|word| word.strip_prefix(key));
    let numbers = values.filter_map(|value| value.parse::<u64>().ok());
    numbers.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_counts_is_told_by_service() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        write("services/web/cgroup.events", "populated 1\nfrozen 0\n");
        write("services/web/cpu.stat", "usage_usec 1234\nuser_usec 1000\n");
        write("services/web/memory.current", "4096\n");
        write("services/web/memory.max", "max\n");
        write("services/web/pids.current", "3\n");
        let disks = "8:0 rbytes=10 wbytes=1 rios=1\n8:16 rbytes=5 wbytes=2 rios=1\n";
        write("services/web/io.stat", disks);
        write("services/cgroup.events", "populated 1\n");
        write("services/gone/cgroup.events", "populated 0\n");
        write("services/gone/cpu.stat", "usage_usec 1\n");
        write("system/init/cgroup.events", "populated 1\n");
        write("system/init/cpu.stat", "usage_usec 7\n");
        let init = ServiceStats {
            service: "init".to_owned(),
            cpu_microseconds: 7,
            ..ServiceStats::default()
        };
        let web = ServiceStats {
            service: "web".to_owned(),
            cpu_microseconds: 1234,
            memory_bytes: Some(4096),
            memory_max_bytes: None,
            tasks: Some(3),
            read_bytes: 15,
            written_bytes: 3,
        };
        assert_eq!(read(folder.path()).services, [init, web]);
    }
}
