//! Changing the config of a node by patches and in an editor.

mod home;
mod node;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use api::v1alpha1 as v1;
use home::{Home, text};
use node::Node;

const SECRET: &str = "BEGIN PRIVATE KEY";

/// A home whose context leads to a node with a config of its own.
fn with_node() -> (Home, Node) {
    let home = Home::new();
    home.fine("gen secrets");
    home.fine("gen config node-1");
    let config = fs::read_to_string(home.path().join("node-1.yaml")).expect("a config");
    let (node, address) = Node::serve(&format!("# keep this\n{config}"));
    home.fine(&format!("gen crt --name lab --node node-1={address}"));
    fs::create_dir(home.path().join("run")).expect("a folder");
    (home, node)
}

fn patch(home: &Home, patch: &str, more: &str) -> Output {
    let mut command = home.command(&format!("config patch {more}"));
    command.args(["-p", patch]).output().expect("osctl runs")
}

#[test]
fn a_patch_reaches_the_node_and_keeps_the_rest() {
    let (home, node) = with_node();
    let done = patch(&home, "{kind: Hostname, hostname: renamed}", "");
    assert_eq!(text(&done.stderr), "");
    assert_eq!(
        text(&done.stdout),
        "node-1: applied generation 2\n  change Hostname\n"
    );
    let now = node.kept().text.clone();
    assert!(
        now.starts_with("# keep this\n") && now.contains(SECRET),
        "{now}"
    );
    assert!(now.contains("hostname: renamed\n"), "{now}");
    let again = patch(&home, "{kind: Hostname, hostname: renamed}", "");
    assert_eq!(
        text(&again.stdout),
        "node-1: the same as before; generation 2 runs\n"
    );
    assert_eq!(node.kept().sent, 1, "what changes nothing is not sent");
}

#[test]
fn a_config_is_tried_staged_and_undone() {
    let (home, node) = with_node();
    let said = |command: &str, code| {
        let done = home.command(command).output().expect("osctl runs");
        assert_eq!(done.status.code(), Some(code), "{}", text(&done.stderr));
        text(&done.stdout).to_owned()
    };
    let tried = said("apply -f node-1.yaml --mode try --for 5m", 0);
    assert!(
        tried.starts_with("node-1: trying generation 2; `osctl config confirm -n node-1` keeps it"),
        "{tried}"
    );
    assert_eq!(node.kept().mode, (v1::ApplyMode::Try, 300));
    let staged = said("config apply -f node-1.yaml --mode staged", 0);
    assert!(
        staged.contains("staged generation 3 for the next boot"),
        "{staged}"
    );
    assert_eq!(node.kept().mode, (v1::ApplyMode::Staged, 0));
    said("apply -f node-1.yaml --for 5m", 2);

    assert_eq!(said("config confirm", 0), "node-1: generation 3 is kept\n");
    let history = said("config history", 0);
    assert!(
        history.contains("trying for 42 s") && history.contains("0123456789ab"),
        "{history}"
    );
    let history = said("config history -o json", 0);
    assert!(history.contains("\"secondsLeft\": 42"), "{history}");
    let diff = said("config diff", 3);
    assert_eq!(diff, "node-1: generation 1 to 2\n-a: b\n+a: c\n");
    assert_eq!(
        said("config diff 2", 0),
        "node-1: generations 2 and 2 say the same\n"
    );
    let undone = said("config rollback 1", 0);
    assert_eq!(
        undone,
        "node-1: Some(1); generation 3 runs\n  change Hostname\n"
    );
    said("config rollback --dry-run", 3);
}

#[test]
fn a_patch_is_tried_without_a_trace_or_a_secret() {
    let (home, node) = with_node();
    let tried = patch(&home, "{kind: Hostname, hostname: renamed}", "--dry-run");
    assert_eq!(tried.status.code(), Some(3), "{}", text(&tried.stderr));
    let told = text(&tried.stdout);
    assert!(
        told.contains("-hostname: node-1\n+hostname: renamed\n"),
        "{told}"
    );
    assert!(!told.contains(SECRET), "{told}");
    assert_eq!(node.kept().generation, 1);
    let same = patch(&home, "{kind: Hostname, hostname: node-1}", "--dry-run");
    assert_eq!(same.status.code(), Some(0), "{}", text(&same.stderr));
}

#[test]
fn a_patch_is_staged_or_tried_as_a_whole_config_is() {
    let (home, node) = with_node();
    let renamed = |name: &str, more: &str| {
        let done = patch(
            &home,
            &format!("{{kind: Hostname, hostname: {name}}}"),
            more,
        );
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        text(&done.stdout)
    };
    let tried = renamed("tried", "--mode try --for 5m");
    assert!(tried.starts_with("node-1: trying generation 2;"), "{tried}");
    assert_eq!(node.kept().mode, (v1::ApplyMode::Try, 300));
    let staged = renamed("staged", "--mode staged");
    assert!(
        staged.starts_with("node-1: staged generation 3 "),
        "{staged}"
    );
    assert_eq!(node.kept().mode, (v1::ApplyMode::Staged, 0));
    let told = renamed("told", "--mode staged -o json");
    assert!(told.contains("\"mode\": \"staged\""), "{told}");
    let sent = node.kept().sent;
    for (more, told) in [
        ("--for 5m", "--for says how long"),
        ("--mode staged --for 5m", "--for says how long"),
        ("-f node-1.yaml --mode staged", "-f is about a file"),
        ("-f node-1.yaml --for 5m", "-f is about a file"),
    ] {
        let refused = patch(&home, "{kind: Hostname, hostname: other}", more);
        assert_eq!(refused.status.code(), Some(2), "{more}");
        let said = text(&refused.stderr);
        assert!(said.contains(told), "{more}: {said}");
    }
    assert_eq!(node.kept().sent, sent);
}

#[test]
fn a_patch_over_somebody_elses_change_is_refused() {
    let (home, node) = with_node();
    node.kept().restless = true;
    let refused = patch(&home, "{kind: Hostname, hostname: renamed}", "");
    assert_eq!(refused.status.code(), Some(1));
    let told = text(&refused.stderr);
    assert!(told.contains("changed in the meantime"), "{told}");
    assert!(!node.kept().text.contains("renamed"));
}

#[test]
fn a_wrong_patch_is_not_sent() {
    let (home, node) = with_node();
    for (wrong, told) in [
        ("{kind: Hostnam, hostname: a}", "did you mean `Hostname`?"),
        (
            "{kind: Hostname, hostnam: a}",
            "patch:1:18: unknown field `hostnam`",
        ),
        (
            "{kind: ApiTrust, $patch: delete}",
            "a Machine needs an ApiTrust",
        ),
        ("[{op: remove, path: /Lnik/eth0}]", "did you mean `Link`?"),
    ] {
        let refused = patch(&home, wrong, "");
        assert_eq!(refused.status.code(), Some(1), "{wrong}");
        let said = text(&refused.stderr);
        assert!(said.contains(told), "{wrong}: {said}");
    }
    assert_eq!(node.kept().sent, 0);
    assert!(home.fails("config patch", 2).contains("--patch"));
    let twice = home.fails("config patch -p - -f -", 2);
    assert!(twice.contains("standard input can be read once"), "{twice}");
}

#[test]
fn a_file_is_patched_without_a_node() {
    let home = Home::new();
    let file = home.path().join("node.yaml");
    let before = "# mine\napiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: a\n";
    fs::write(&file, before).expect("a file");
    fs::write(home.path().join("p.yaml"), "kind: Hostname\nhostname: b\n").expect("a file");
    let after = before.replace("hostname: a", "hostname: b");
    assert_eq!(home.fine("config patch -f node.yaml -p p.yaml"), after);
    let tried = home.run("config patch -f node.yaml -p p.yaml --dry-run");
    assert_eq!(tried.status.code(), Some(3));
    assert!(text(&tried.stdout).ends_with("-hostname: a\n+hostname: b\n"));
    let told = home.run("config patch -f node.yaml -p p.yaml --dry-run -o json");
    assert!(text(&told.stdout).contains(r#""diff": "@@ Hostname @@\n"#));
    let values = home.fine("config patch -f node.yaml -p p.yaml -o json");
    assert!(values.contains(r#""hostname": "b""#), "{values}");
    let word = "{kind: Link, name: y}";
    let mut named = home.command("config patch -f node.yaml -o json");
    let named = named.args(["-p", word]).output().expect("osctl runs");
    assert!(text(&named.stdout).contains(r#""name": "y""#));
    assert_eq!(fs::read_to_string(&file).expect("read"), before);
    let wrote = home.fine("config patch -f node.yaml -p p.yaml --in-place");
    assert_eq!(wrote, "wrote node.yaml\n");
    assert_eq!(fs::read_to_string(&file).expect("read"), after);
    let again = home.fine("config patch -f node.yaml -p p.yaml --in-place");
    assert_eq!(again, "node.yaml is as it was\n");
}

/// Runs `osctl config edit` with a script for an editor.
fn edit(home: &Home, script: &str) -> Output {
    edit_with(home, script, "")
}

fn edit_with(home: &Home, script: &str, more: &str) -> Output {
    fs::write(home.path().join("editor"), script).expect("a script");
    let mut command = home.command(&format!("config edit {more}"));
    command.env("EDITOR", "sh editor");
    command.env("XDG_RUNTIME_DIR", home.path().join("run"));
    command.output().expect("osctl runs")
}

/// The files that were kept.
fn drafts(home: &Home) -> Vec<std::path::PathBuf> {
    let folders = fs::read_dir(home.path().join("run")).expect("a folder");
    folders
        .map(|it| it.expect("listed").path().join("node-1.yaml"))
        .collect()
}

#[test]
fn an_edited_config_is_applied_and_leaves_nothing_behind() {
    let (home, node) = with_node();
    let done = edit(
        &home,
        "sed -i 's/hostname: node-1/hostname: renamed/' \"$1\"\n",
    );
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert!(text(&done.stdout).starts_with("node-1: applied generation 2"));
    let now = node.kept().text.clone();
    assert!(now.starts_with("# keep this\n"), "{now}");
    assert!(
        now.contains("hostname: renamed\n") && !now.contains("#osctl"),
        "{now}"
    );
    assert_eq!(drafts(&home).len(), 0);
}

#[test]
fn an_edited_config_is_staged_or_tried() {
    let (home, node) = with_node();
    let script = "sed -i 's/^hostname: .*/&x/' \"$1\"\n";
    let tried = edit_with(&home, script, "--mode try");
    assert_eq!(tried.status.code(), Some(0), "{}", text(&tried.stderr));
    assert!(text(&tried.stdout).starts_with("node-1: trying generation 2;"));
    // The node has a time of its own for one that was not said.
    assert_eq!(node.kept().mode, (v1::ApplyMode::Try, 0));
    let staged = edit_with(&home, script, "--mode staged");
    assert!(text(&staged.stdout).starts_with("node-1: staged generation 3 "));
    assert_eq!(node.kept().mode, (v1::ApplyMode::Staged, 0));
    let opened = "touch opened\n";
    let refused = edit_with(&home, opened, "--for 5m");
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
    assert!(
        !home.path().join("opened").exists(),
        "before anybody writes"
    );
}

#[test]
fn a_refused_text_comes_back_with_the_reason_above_it() {
    let (home, node) = with_node();
    // Wrong at first; then wrong for the node alone; then right.
    let script = "
if grep -q 'unknown field .hostnam.' \"$1\"; then sed -i 's/^hostnam: .*/hostname: taken/' \"$1\"
elif grep -q 'that name is taken' \"$1\"; then sed -i 's/taken$/renamed/' \"$1\"
else sed -i 's/^hostname: .*/hostnam: x/' \"$1\"; fi
";
    let done = edit(&home, script);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert!(node.kept().text.contains("hostname: renamed\n"));
    assert_eq!(node.kept().sent, 2);
    assert_eq!(drafts(&home).len(), 0);
}

#[test]
fn nothing_is_sent_when_nothing_was_edited() {
    let (home, node) = with_node();
    for script in ["true\n", ": > \"$1\"\n"] {
        let done = edit(&home, script);
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        assert_eq!(text(&done.stderr), "nothing was changed\n");
    }
    assert_eq!((node.kept().sent, drafts(&home).len()), (0, 0));
}

#[test]
fn an_editor_that_is_not_there_leaves_no_secrets_behind() {
    let (home, node) = with_node();
    let failed = edit(&home, "exit 127\n");
    assert_eq!(failed.status.code(), Some(1));
    let said = text(&failed.stderr);
    assert!(said.contains("$VISUAL or $EDITOR names another"), "{said}");
    assert_eq!((node.kept().sent, drafts(&home).len()), (0, 0));
}

#[test]
fn a_text_that_was_not_applied_is_kept_for_its_owner() {
    for (script, told, restless) in [
        (
            "sed -i 's/^hostname: .*/hostnam: x/' \"$1\"\n",
            "left as it was refused",
            false,
        ),
        (
            "sed -i 's/node-1/hostnam/' \"$1\"; exit 3\n",
            "the editor sh editor failed",
            false,
        ),
        (
            "sed -i 's/hostname: node-1/hostname: hostnam/' \"$1\"\n",
            "changed in the meantime",
            true,
        ),
    ] {
        let (home, node) = with_node();
        node.kept().restless = restless;
        let refused = edit(&home, script);
        assert_eq!(refused.status.code(), Some(1), "{script}");
        let said = text(&refused.stderr);
        let kept = drafts(&home);
        let [kept] = kept.as_slice() else {
            panic!("{kept:?} is kept");
        };
        assert!(said.contains(told), "{said}");
        assert!(said.contains(&kept.display().to_string()), "{said}");
        assert!(fs::read_to_string(kept).expect("read").contains("hostnam"));
        let mode = fs::metadata(kept).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let folder = fs::metadata(kept.parent().expect("a folder")).expect("there");
        assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    }
}
