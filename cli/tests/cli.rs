//! The program as a person runs it: exit codes, words, files.

mod home;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use home::{Home, text};

#[test]
fn wrong_usage_is_two_and_a_failure_is_one() {
    let home = Home::new();
    assert!(home.fails("get", 2).contains("<TYPE>"));
    assert!(
        home.fails("frobnicate", 2)
            .contains("unrecognized subcommand")
    );
    assert!(home.fails("version --timeout 0", 2).contains("--timeout"));
    let pairing = "config apply -f c.yaml --pairing AAAA-AAAA-AAAA-AAAA-AAAA-AAAA";
    assert!(home.fails(pairing, 2).contains("name its address with -n"));
    let nothing = home.fails("version", 1);
    assert!(
        nothing.contains("no context is chosen") && nothing.contains("osctl cluster create"),
        "{nothing}"
    );
}

#[test]
fn every_command_has_help() {
    let home = Home::new();
    for command in [
        "",
        "apply",
        "cluster create",
        "completion",
        "config apply",
        "config edit",
        "config patch",
        "context add",
        "gen crt",
        "disks",
        "gen config",
        "get",
        "logs",
    ] {
        let help = home.fine(&format!("{command} --help"));
        assert!(help.contains("Usage: osctl"), "{command}: {help}");
    }
}

#[test]
fn secrets_configs_and_contexts_are_private_files_that_are_kept() {
    let home = Home::new();
    home.fine("gen secrets");
    home.fine("gen config node-1");
    home.fine("gen config node-2 --role worker");
    home.fine("gen crt --name lab --subject me --node node-1=10.0.0.5 --role reader");
    for file in [
        "secrets.yaml",
        "node-1.yaml",
        "node-2.yaml",
        ".config/garboard/contexts.yaml",
    ] {
        let mode = fs::metadata(home.path().join(file))
            .expect(file)
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let before = fs::read(home.path().join("secrets.yaml")).expect("secrets");
    assert!(home.fails("gen secrets", 1).contains("--force"));
    assert_eq!(
        fs::read(home.path().join("secrets.yaml")).expect("secrets"),
        before
    );
    let info = home.fine("context info -o json");
    assert!(
        info.contains("garboard:reader") && info.contains("10.0.0.5:50000"),
        "{info}"
    );
    for node in ["node-1", "node-2"] {
        assert!(
            home.fine(&format!("config validate -f {node}.yaml"))
                .ends_with("4 documents, valid\n")
        );
    }
}

#[test]
fn a_config_names_the_disk_or_says_that_it_names_none() {
    let home = Home::new();
    home.fine("gen secrets");
    let none = text(&home.run("gen config node-1").stderr);
    assert!(none.contains("--system-disk"), "{none}");
    let wrong = home.fails("gen config node-2 --system-disk seril==\"a\"", 2);
    assert!(wrong.contains("did you mean `serial`?"), "{wrong}");
    let named =
        home.run("gen config node-2 --role worker --no-kubernetes --system-disk serial==\"a\"");
    assert_eq!(text(&named.stderr), "");
    let config = fs::read(home.path().join("node-2.yaml")).expect("a config");
    let documents = config::check("node-2.yaml", &config).expect("a valid config");
    let disk = documents.system_disk().expect("a SystemDisk");
    assert_eq!(
        (disk.selector.as_str(), disk.wipe),
        ("serial==\"a\"", false)
    );
}

#[test]
fn a_config_has_kubernetes_when_it_is_known_where_that_is() {
    let home = Home::new();
    let documents = |node: &str| {
        let file = format!("{node}.yaml");
        let bytes = fs::read(home.path().join(&file)).expect("a config");
        config::check(&file, &bytes).expect("a valid config")
    };
    let endpoint = |node: &str| {
        let documents = documents(node);
        let found = documents.kubernetes().map(|it| it.endpoint.to_string());
        assert_eq!(documents.kubernetes_trust().is_some(), found.is_some());
        assert_eq!(documents.kubelet().is_some(), found.is_some());
        found
    };
    home.fine("gen secrets");
    let none = text(&home.run("gen config a").stderr);
    assert!(none.contains("--kubernetes-endpoint"), "{none}");
    assert_eq!(endpoint("a"), None);
    home.fine("gen config b --kubernetes-endpoint 10.5.0.2");
    assert_eq!(endpoint("b").as_deref(), Some("https://10.5.0.2:6443"));
    let wrong = home.fails("gen config c --kubernetes-endpoint localhost", 2);
    assert!(wrong.contains("every machine itself"), "{wrong}");

    let added = home.fine("gen secrets --add-missing --kubernetes-endpoint k8s.example.org:443");
    assert_eq!(added, "added to secrets.yaml: the endpoint of Kubernetes\n");
    home.fine("gen config d --role worker");
    let there = Some("https://k8s.example.org:443");
    assert_eq!(endpoint("d").as_deref(), there);
    let (plane, worker) = (documents("b"), documents("d"));
    let trust = |it: &config::Documents| it.kubernetes_trust().cloned().expect("a trust");
    assert_eq!(trust(&plane).ca, trust(&worker).ca);
    assert!(trust(&plane).control_plane.is_some() && trust(&worker).control_plane.is_none());
    home.fine("gen config e --no-kubernetes");
    assert_eq!(endpoint("e"), None);
    let other = home.fails(
        "gen secrets --add-missing --kubernetes-endpoint 10.5.0.2",
        1,
    );
    assert!(
        other.contains("has the endpoint https://k8s.example.org:443"),
        "{other}"
    );
}

#[test]
fn older_secrets_get_what_they_lack_and_stay_those_of_their_cluster() {
    let home = Home::new();
    let path = home.path().join("secrets.yaml");
    home.fine("gen secrets --cluster lab");
    let whole = fs::read_to_string(&path).expect("secrets");
    let (older, _) = whole
        .split_once("kubernetes:\n")
        .expect("Kubernetes is the last");
    fs::write(&path, older).expect("written");
    home.fine("gen config a");
    let refused = home.fails("gen config b --kubernetes-endpoint 10.5.0.2", 1);
    let way_out = "osctl gen secrets --add-missing --file secrets.yaml";
    assert!(refused.contains(way_out), "{refused}");
    assert!(home.fails("gen secrets", 1).contains("--add-missing"));
    let renamed = home.fails("gen secrets --add-missing --cluster other", 1);
    assert!(renamed.contains("is called lab"), "{renamed}");
    let added = home.fine("gen secrets --add-missing");
    assert_eq!(added, "added to secrets.yaml: the secrets of Kubernetes\n");
    let now = fs::read_to_string(&path).expect("secrets");
    assert!(now.starts_with(older));
    let mode = fs::metadata(&path).expect("secrets").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    home.fine("gen config b --kubernetes-endpoint 10.5.0.2");
    assert_eq!(
        home.fine("gen secrets --add-missing"),
        "secrets.yaml lacks nothing\n"
    );
    assert!(
        home.fails("gen secrets --add-missing --file gone.yaml", 1)
            .contains("there is no gone.yaml")
    );
}

#[test]
fn a_certificate_is_for_whoever_makes_it_even_without_an_environment() {
    let home = Home::new();
    home.fine("gen secrets");
    for (name, user) in [("one", Some("mina")), ("two", Some("")), ("three", None)] {
        let mut command = home.command(&format!("gen crt --name {name}"));
        let output = command.envs(user.map(|user| ("USER", user))).output();
        let output = output.expect("osctl runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
        let info = home.fine(&format!("context info {name} -o json"));
        assert_eq!(info.contains("\"mina\""), user == Some("mina"), "{info}");
        assert!(!info.contains("\"subject\": \"\""), "{info}");
    }
}

#[test]
fn a_worker_gets_no_authority() {
    let home = Home::new();
    home.fine("gen secrets");
    home.fine("gen config node-1 --role worker");
    let secrets = fs::read_to_string(home.path().join("secrets.yaml")).expect("secrets");
    let key = secrets
        .split("BEGIN PRIVATE KEY-----")
        .nth(1)
        .expect("a key");
    let line = key
        .lines()
        .map(str::trim)
        .find(|line| line.len() > 40)
        .expect("a line of the key");
    let config = fs::read_to_string(home.path().join("node-1.yaml")).expect("a config");
    assert!(
        !config.contains(line),
        "the authority's key is in a worker's config"
    );
}

#[test]
fn a_bad_config_is_told_with_its_place() {
    let home = Home::new();
    let bad = "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostnam: x\n";
    fs::write(home.path().join("bad.yaml"), bad).expect("a file");
    let complaint = home.fails("config validate -f bad.yaml", 1);
    assert!(
        complaint.contains("bad.yaml:3:1: unknown field `hostnam`"),
        "{complaint}"
    );
    assert!(
        complaint.contains("did you mean `hostname`?"),
        "{complaint}"
    );
    assert!(
        home.fails("config validate -f missing.yaml", 1)
            .contains("missing.yaml")
    );
}

#[test]
fn the_schema_of_a_config_is_printed() {
    let home = Home::new();
    let schema = home.fine("config validate --schema");
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/config.schema.json");
    assert_eq!(schema, fs::read_to_string(docs).expect("a page"));
    assert!(home.fails("config validate", 2).contains("--file"));
}

#[test]
fn contexts_are_chosen_merged_and_removed() {
    let home = Home::new();
    home.fine("gen secrets");
    home.fine("gen crt --name one --subject me");
    home.fine("gen crt --name two --subject me --file two.yaml");
    home.fine("context merge two.yaml");
    assert!(home.fine("context list").contains("*        one"));
    home.fine("context use two");
    assert!(home.fine("context list").contains("*        two"));
    assert!(
        home.fails("context use three", 1)
            .contains("there are: one, two")
    );
    home.fine("context remove two");
    assert!(home.fails("version", 1).contains("no context is chosen"));
}

#[test]
fn a_pairing_string_with_a_typing_error_is_refused_before_anything_is_sent() {
    let home = Home::new();
    fs::write(
        home.path().join("c.yaml"),
        "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: x\n",
    )
    .expect("a file");
    let complaint = home.fails(
        "config apply -n 127.0.0.1:1 --pairing ABCD-EFGH -f c.yaml",
        1,
    );
    assert!(complaint.contains("pairing string"), "{complaint}");
}

#[test]
fn a_node_that_is_not_there_is_named() {
    let home = Home::new();
    home.fine("gen secrets");
    home.fine("gen crt --name lab --subject me --node gone=127.0.0.1:1");
    let complaint = home.fails("version", 1);
    assert!(
        complaint.contains("osctl: gone: connecting to 127.0.0.1:1"),
        "{complaint}"
    );
    assert!(complaint.contains("nothing listens there"), "{complaint}");
}

#[test]
fn a_context_is_told_of_nodes() {
    let home = Home::new();
    home.fine("gen secrets");
    home.fine("gen crt --name lab --subject me --node old=10.0.0.5");
    let said = home.fine("context set-node new=10.0.0.5");
    assert_eq!(said, "context lab: new is at 10.0.0.5:50000\n");
    home.fine("context set-node other=10.0.0.6:1 --context lab");
    let info = home.fine("context info");
    assert!(!info.contains("old"), "{info}");
    assert!(info.contains("new at 10.0.0.5:50000"), "{info}");
    assert!(info.contains("other at 10.0.0.6:1"), "{info}");
    assert!(
        home.fails("context set-node new", 2)
            .contains("NAME=ADDRESS")
    );
    let nowhere = home.fails("context set-node new=10.0.0.5 --context gone", 1);
    assert!(nowhere.contains("no context named \"gone\""), "{nowhere}");
}

#[test]
fn several_nodes_are_asked_for_by_name() {
    let home = Home::new();
    home.fine("gen secrets");
    home.fine("gen crt --name lab --subject me --node a=127.0.0.1:1 --node b=127.0.0.1:1");
    assert!(home.fails("reboot", 2).contains("name them with -n: a,b"));
    assert!(home.fails("dmesg", 2).contains("choose it with -n: a, b"));
    let twice = home.fails("version -n a,a", 1);
    assert_eq!(twice.lines().count(), 1, "{twice}");
}

#[test]
fn a_node_that_says_nothing_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let home = Home::new();
    home.fine("gen secrets");
    home.fine(&format!(
        "gen crt --name lab --subject me --node silent={address}"
    ));
    for command in [
        "version",
        "reboot --wait",
        "get links --watch",
        "logs machined --follow",
    ] {
        let complaint = home.fails(&format!("{command} --timeout 1"), 1);
        assert!(
            complaint.contains("did not answer in 1 s"),
            "{command}: {complaint}"
        );
    }
}

#[test]
fn what_needs_no_contexts_works_without_a_home() {
    let home = Home::new();
    let mut command = home.command("gen secrets");
    let output = command.env_remove("HOME").output().expect("osctl runs");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn nobody_to_complain_to_changes_no_exit_code() {
    let home = Home::new();
    let mut child = home
        .command("version")
        .stderr(Stdio::piped())
        .spawn()
        .expect("osctl runs");
    drop(child.stderr.take());
    assert_eq!(child.wait().expect("ended").code(), Some(1));
}

#[test]
fn a_valid_config_is_told_in_every_format() {
    let home = Home::new();
    let good = "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: x\n";
    fs::write(home.path().join("c.yaml"), good).expect("a file");
    assert_eq!(
        home.fine("config validate -f c.yaml -o yaml"),
        "file: c.yaml\ndocuments: 1\nwarnings: []\n"
    );
    let json = home.fine("config validate -f c.yaml -o json");
    assert!(json.contains("\"documents\": 1"), "{json}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = Home::new();
    let mut child = home
        .command("completion bash")
        .stdout(Stdio::piped())
        .spawn()
        .expect("osctl runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("ended").code(), Some(0));
}

#[test]
fn completion_knows_the_commands() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(
            home.fine(&format!("completion {shell}"))
                .contains("cluster"),
            "{shell}"
        );
    }
}
