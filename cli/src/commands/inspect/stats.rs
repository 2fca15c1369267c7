//! What services use.

use api::v1alpha1 as v1;
use serde::Serialize;

use super::Row;
use crate::output::size;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    service: String,
    cpu_microseconds: u64,
    memory_bytes: Option<u64>,
    memory_max_bytes: Option<u64>,
    tasks: Option<u64>,
    read_bytes: u64,
    written_bytes: u64,
}

impl From<v1::ServiceStats> for Stats {
    fn from(said: v1::ServiceStats) -> Self {
        Self {
            service: said.service,
            cpu_microseconds: said.cpu_microseconds,
            memory_bytes: said.memory_bytes,
            memory_max_bytes: said.memory_max_bytes,
            tasks: said.tasks,
            read_bytes: said.read_bytes,
            written_bytes: said.written_bytes,
        }
    }
}

impl Row for Stats {
    const HEADINGS: &'static [&'static str] = &[
        "SERVICE", "CPU TIME", "MEMORY", "LIMIT", "TASKS", "READ", "WRITTEN",
    ];

    fn cells(&self) -> Vec<String> {
        let hundredths = self.cpu_microseconds / 10_000;
        vec![
            self.service.clone(),
            format!("{}.{:02} s", hundredths / 100, hundredths % 100),
            self.memory_bytes.map(size).unwrap_or_default(),
            self.memory_max_bytes.map(size).unwrap_or_default(),
            self.tasks
                .map(|tasks| tasks.to_string())
                .unwrap_or_default(),
            size(self.read_bytes),
            size(self.written_bytes),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_counted_is_left_out() {
        let stats = Stats::from(v1::ServiceStats {
            service: "web".to_owned(),
            cpu_microseconds: 61_234_567,
            memory_bytes: Some(3 << 20),
            written_bytes: 512,
            ..v1::ServiceStats::default()
        });
        let cells = ["web", "61.23 s", "3 MiB", "", "", "0 B", "512 B"];
        assert_eq!(stats.cells(), cells);
    }
}
