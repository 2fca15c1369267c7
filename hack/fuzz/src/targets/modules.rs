//! depmod's indexes and the names that devices ask for.

use std::collections::BTreeSet;
use std::path::Path;

use sys::modules::{Database, canonical_name, device_nodes, matches};

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut texts = text.split('\0');
    let mut next = || texts.next().unwrap_or_default();
    let (dep, alias, softdep, request) = (next(), next(), next(), next());
    for node in device_nodes(dep) {
        assert!(!node.name.contains([' ', '\t', '\n']));
    }
    // Everything is the same pattern's business: a star swallows any text, plain text matches itself.
    assert!(matches("*", request));
    if !request.contains(['*', '?', '[', '\\']) {
        assert!(matches(request, request));
    }
    let folder = Path::new("/m");
    let database = Database::from_texts(folder, dep.into(), alias.into(), softdep.into());
    let order = database.resolve(request);
    let names: BTreeSet<_> = order.iter().map(|it| it.name.clone()).collect();
    assert_eq!(names.len(), order.len(), "a module is loaded twice");
    for module in &order {
        assert_eq!(canonical_name(&module.name), module.name);
    }
    for name in database.names(request) {
        let alone = database.order([name.as_str()]);
        let known = alone.last().is_some() || !names.contains(&name);
        assert!(known, "{name} vanished");
    }
}
