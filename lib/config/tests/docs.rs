//! What `docs/config.md` shows works.

use std::fs;
use std::path::Path;

use config::patch::{Text, apply};

#[test]
fn the_patches_of_the_page_do_what_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks: Vec<&str> = page
        .split("```yaml\n")
        .skip(1)
        .map(|it| it.split("```").next().unwrap())
        .collect();
    let [base, disk, merge, operations] = blocks.as_slice() else {
        panic!("{} examples", blocks.len());
    };
    for whole in [base, disk] {
        config::check("whole", whole.as_bytes()).unwrap();
    }
    let set = "{kind: Link, name: eth0, mtu: 1500, routes: [{to: 10.8.0.0/16}]}";
    let text = |name, text: &'static str| Text {
        name,
        bytes: text.as_bytes(),
    };
    let base = Text {
        name: "base",
        bytes: base.as_bytes(),
    };
    let merge = Text {
        name: "merge",
        bytes: merge.as_bytes(),
    };
    let patched = apply(base, &[text("set", set), merge]).unwrap();
    let link = patched.documents.links().next().unwrap();
    assert_eq!(link.mtu.map(config::Mtu::get), Some(9000));
    assert_eq!(link.addresses.len(), 1);
    let route = link.routes.first().unwrap();
    assert_eq!((link.routes.len(), route.metric()), (1, 7));
    assert_eq!(route.via(), "10.0.0.1".parse().ok());

    let operations = Text {
        name: "operations",
        bytes: operations.as_bytes(),
    };
    // The copy has the addresses of the first, which the checks refuse.
    let apart = "[{op: replace, path: /Link/eth1, value: {up: false}}]";
    let patched = apply(base, &[text("set", set), operations, text("apart", apart)]).unwrap();
    let links: Vec<_> = patched
        .documents
        .links()
        .map(|it| (it.name.as_str(), it.addresses.len()))
        .collect();
    assert_eq!(links, [("eth0", 2), ("eth1", 0)]);
    assert_eq!(patched.documents.hostname(), None);
}
