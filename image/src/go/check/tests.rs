use super::*;
use crate::go::buildinfo::Module;
use crate::go::programs::{Build, Stamps, all};

const PROGRAM: Program = Program {
    name: "ship",
    sources: &[Source {
        name: "ship",
        module: "a.org/ship",
        version: "v1.2.3",
        siblings: Some("v0.2.3"),
    }],
    stamps: Stamps::InSource,
    builds: &[Build {
        tags: &[],
        mains: &[("a.org/ship/cmd/keel", "keel")],
    }],
};

const UPSTREAM: &str = "module a.org/ship\ngo 1.26.0\nrequire (\n\ta.org/plank v0.0.0\n\tb.org/nail v1.0.0\n)\n\
    replace a.org/plank => ./plank\n";

/// The pins as `image go pin` would leave them.
fn files() -> Files {
    let upstream = ModFile::parse(UPSTREAM).unwrap();
    let ours = crate::go::pin::render(&PROGRAM, &[upstream]);
    let hash = sums::of_mod_file(UPSTREAM);
    Files {
        module: format!("{ours}require a.org/plank v0.2.3\nrequire b.org/nail v1.0.0\n"),
        sums: format!(
            "a.org/ship v1.2.3 h1:s=\na.org/ship v1.2.3/go.mod {hash}\na.org/plank v0.2.3 h1:p=\nb.org/nail v1.0.0 h1:n=\n"
        ),
        upstream: vec![UPSTREAM.to_owned()],
    }
}

/// What Go would write into a program built from them.
fn info() -> BuildInfo {
    let module = |path: &str, version: &str, sum: &str| Module {
        wanted: path.into(),
        path: path.into(),
        version: version.into(),
        sum: sum.into(),
    };
    BuildInfo {
        go: "go1.26.11".into(),
        package: "a.org/ship/cmd/keel".into(),
        modules: vec![
            module("a.org/ship", "v1.2.3", "h1:s="),
            module("a.org/plank", "v0.2.3", "h1:p="),
            module("b.org/nail", "v1.0.0", "h1:n="),
        ],
        settings: SETTINGS.iter().map(|it| (*it).to_owned()).collect(),
    }
}

fn built(change: impl FnOnce(&mut BuildInfo)) -> String {
    let mut info = info();
    change(&mut info);
    let package = "a.org/ship/cmd/keel";
    match program(&PROGRAM, &files(), package, "go1.26.11", &info) {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    }
}

fn pinned(change: impl FnOnce(&mut Files)) -> String {
    let mut files = files();
    change(&mut files);
    match pins(&PROGRAM, &files) {
        Ok(()) => String::new(),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn pins_are_what_upstream_says() {
    for program in all() {
        pins(program, &program.files().unwrap()).unwrap();
    }
}

#[test]
fn names_and_sources_lead_to_one_place() {
    let mut names = std::collections::BTreeSet::new();
    for program in all() {
        assert!(names.insert(program.name), "{}", program.name);
        for (package, _) in program.mains() {
            let holders = program.sources.iter().filter(|it| it.holds(package));
            assert_eq!(holders.count(), 1, "{package}");
        }
    }
}

#[test]
fn pins_that_drifted_are_named() {
    assert_eq!(pinned(|_| ()), "");
    let error = pinned(|files| files.module = files.module.replace("nail v1.0.0", "nail v1.0.1"));
    assert!(
        error.contains("b.org/nail v1.0.1 is not what upstream requires"),
        "{error}"
    );
    let error = pinned(|files| files.module.push_str("require c.org/rope v1.0.0\n"));
    assert!(error.contains("c.org/rope v1.0.0"), "{error}");
    let error = pinned(|files| {
        files.module = files
            .module
            .replace("=> a.org/plank v0.2.3", "=> a.org/plank v0.2.2")
    });
    assert!(error.contains("replacements"), "{error}");
    let error = pinned(|files| files.module = files.module.replace("cmd/keel", "cmd/mast"));
    assert!(error.contains("packages"), "{error}");
    let error = pinned(|files| files.module = files.module.replace("go 1.26.0", "go 1.25.0"));
    assert!(error.contains("language version"), "{error}");
    let error = pinned(|files| files.upstream = vec![UPSTREAM.replace("v1.0.0", "v1.0.1")]);
    assert!(
        error.contains("upstream/ship.mod is not that of v1.2.3"),
        "{error}"
    );
}

#[test]
fn a_program_with_other_modules_is_refused() {
    assert_eq!(built(|_| ()), "");
    let change =
        |at: usize, edit: fn(&mut Module)| built(|info| edit(info.modules.get_mut(at).unwrap()));
    let error = change(2, |module| module.version = "v1.0.1".into());
    assert!(
        error.contains("b.org/nail v1.0.1, upstream has v1.0.0"),
        "{error}"
    );
    let error = change(1, |module| module.version = "v0.2.2".into());
    assert!(
        error.contains("a.org/plank v0.2.2, upstream has v0.2.3"),
        "{error}"
    );
    let error = change(2, |module| module.sum = "h1:x=".into());
    assert!(
        error.contains("b.org/nail v1.0.0 with another checksum"),
        "{error}"
    );
    let error = change(0, |module| module.wanted = "c.org/rope".into());
    assert!(error.contains("upstream has none"), "{error}");
    assert!(built(|info| info.modules.clear()).contains("lists no modules"));
}

#[test]
fn a_program_built_in_another_way_is_refused() {
    let error = built(|info| info.go = "go1.26.0".into());
    assert!(
        error.contains("built by go1.26.0 instead of go1.26.11"),
        "{error}"
    );
    let error = built(|info| info.package = "a.org/ship/cmd/mast".into());
    assert!(error.contains("it is a.org/ship/cmd/mast"), "{error}");
    let error = built(|info| info.settings.retain(|it| it != "CGO_ENABLED=0"));
    assert!(error.contains("built without CGO_ENABLED=0"), "{error}");
}
