//! Every kind's documentation has an example that is a valid document of the kind.

use std::collections::BTreeSet;

const SOURCES: [&str; 9] = [
    include_str!("../src/kinds/api_trust.rs"),
    include_str!("../src/kinds/dhcp4.rs"),
    include_str!("../src/kinds/hostname.rs"),
    include_str!("../src/kinds/kernel_module.rs"),
    include_str!("../src/kinds/link.rs"),
    include_str!("../src/kinds/machine.rs"),
    include_str!("../src/kinds/resolver.rs"),
    include_str!("../src/kinds/static_host.rs"),
    include_str!("../src/kinds/sysctl.rs"),
];

/// The text between ```` ```yaml ```` and ```` ``` ```` in doc comments.
fn example(source: &str) -> String {
    source
        .lines()
        .filter_map(|line| line.strip_prefix("///"))
        .skip_while(|line| line.trim() != "```yaml")
        .skip(1)
        .take_while(|line| line.trim() != "```")
        .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
        .collect()
}

#[test]
fn every_kind_has_an_example_that_reads_back_as_written() {
    let mut seen = BTreeSet::new();
    for source in SOURCES {
        let text = example(source);
        let documents =
            config::parse("example", text.as_bytes()).unwrap_or_else(|it| panic!("{it}\n{text}"));
        assert_eq!(documents.to_yaml().unwrap(), text);
        seen.extend(documents.iter().map(|it| it.identity().kind));
    }
    let kinds: BTreeSet<&str> = config::Document::KINDS.iter().copied().collect();
    assert_eq!(seen, kinds);
}
