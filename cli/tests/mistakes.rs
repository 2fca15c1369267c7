//! What people get wrong, and what must not be lost over it.

mod home;

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use home::{Home, text};
use jiff::{SignedDuration, Timestamp};
use pki::{Authority, Names, Role, Roles, SERVING_LIFETIME, Trust};
use rustls::ServerConfig;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;

/// A home with the secrets of a cluster and a context that leads to a node of it.
fn with_context(name: &str, node: &str) -> Home {
    let home = Home::new();
    home.fine("gen secrets");
    home.fine(&format!("gen crt --name {name} --subject me --node {node}"));
    home
}

#[test]
fn destroying_a_local_cluster_keeps_the_key_to_another_of_its_name() {
    let home = with_context("prod", "node-1=10.0.0.5");
    assert_eq!(
        home.fine("cluster destroy --name prod"),
        "there is no cluster prod\n"
    );
    assert!(home.fine("context list").contains("*        prod  1"));
}

#[test]
fn creating_a_local_cluster_keeps_the_key_to_another_of_its_name() {
    let home = with_context("prod", "node-1=10.0.0.5");
    let complaint = home.fails("cluster create --name prod --image nowhere", 1);
    assert!(
        complaint.contains("a context prod of another cluster"),
        "{complaint}"
    );
}

#[test]
fn a_local_cluster_takes_its_context_of_kubectl_along_and_no_other() {
    let home = Home::new();
    let folder = home.path().join(".local/share/garboard/clusters/lab");
    fs::create_dir_all(&folder).unwrap();
    let file = home.path().join("kubeconfig");
    let note = |file: &str| {
        format!(
            "file: {file}\nbefore: work\nentry: {{cluster: lab, context: admin@lab, user: admin, authority: QQ==}}\n"
        )
    };
    fs::write(folder.join("kubeconfig.yaml"), note(file.to_str().unwrap())).unwrap();
    fs::write(
        &file,
        "current-context: admin@lab\nusers: [{name: admin, user: {}}, {name: me, user: {token: abc}}]\n\
         clusters: [{name: lab, cluster: {certificate-authority-data: QQ==}}, {name: w, cluster: {}}]\n\
         contexts: [{name: admin@lab, context: {cluster: lab, user: admin}}, {name: work, context: {cluster: w, user: me}}]\n",
    )
    .unwrap();
    assert_eq!(
        home.fine("cluster destroy --name lab"),
        "destroyed cluster lab\n"
    );
    let left = fs::read_to_string(&file).unwrap();
    assert!(!left.contains("lab") && !left.contains("QQ=="), "{left}");
    for kept in ["current-context: work", "token: abc", "name: w"] {
        assert!(left.contains(kept), "{left}");
    }

    // A file that cannot be understood keeps no machine alive.
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("kubeconfig.yaml"), note(file.to_str().unwrap())).unwrap();
    fs::write(&file, "- a\n").unwrap();
    let ended = home.run("cluster destroy --name lab");
    assert_eq!(text(&ended.stdout), "destroyed cluster lab\n");
    let said = text(&ended.stderr);
    assert!(
        said.contains("left as it is") && said.contains("kubeconfig"),
        "{said}"
    );
}

#[test]
fn a_cluster_that_cannot_be_is_refused_before_it_is_begun() {
    let home = Home::new();
    let iso = home.fails("cluster create --no-kubernetes --boot iso --image .", 1);
    assert!(iso.contains("garboard.iso"), "{iso}");
    let name = "a".repeat(40);
    let long = home.fails(
        &format!("cluster create --no-kubernetes --name {name} --image ."),
        1,
    );
    assert!(long.contains("is too long a name"), "{long}");
    let size = home.fails("cluster create --disk 10GB", 2);
    assert!(size.contains("such as 4GiB or 100GiB"), "{size}");
    home.fine("gen secrets");
    for (bundle, told) in [
        (
            "gone",
            "no bundle gone: build one with `cargo xtask bundle`",
        ),
        (
            "secrets.yaml",
            "secrets.yaml is no bundle of container images",
        ),
    ] {
        let none = home.fails(&format!("cluster create --image . --bundle {bundle}"), 1);
        assert!(none.contains(told), "{none}");
    }
    assert_eq!(
        home.fine("cluster destroy --all"),
        "there are no clusters\n"
    );
}

#[test]
fn a_damaged_cluster_hides_no_other() {
    let home = Home::new();
    let clusters = home.path().join(".local/share/garboard/clusters");
    for (name, notes) in [
        ("bad", "{"),
        (
            "good",
            r#"{"format": 1, "name": "good", "tftp": null, "switch": null, "vms": []}"#,
        ),
    ] {
        fs::create_dir_all(clusters.join(name)).unwrap();
        fs::write(clusters.join(name).join("state.json"), notes).unwrap();
    }
    home.fine("cluster show --name good");
    let all = home.run("cluster show");
    assert_eq!(all.status.code(), Some(1));
    assert!(text(&all.stdout).starts_with("CLUSTER"));
    let complaint = text(&all.stderr);
    assert!(complaint.contains("osctl: bad: "), "{complaint}");
    assert!(complaint.contains("1 of 2 clusters"), "{complaint}");
    let alone = home.fails("cluster show --name bad", 1);
    assert!(alone.contains("is not a cluster's state"), "{alone}");
    home.fine("cluster destroy --all");
    assert_eq!(fs::read_dir(&clusters).unwrap().count(), 0);
}

#[test]
fn a_damaged_file_of_keys_is_told_without_a_piece_of_a_key() {
    let home = with_context("lab", "node-1=10.0.0.5");
    let contexts = ".config/garboard/contexts.yaml";
    for (file, command) in [
        ("secrets.yaml", "gen config node-1"),
        (contexts, "context list"),
    ] {
        let path = home.path().join(file);
        let whole = fs::read_to_string(&path).expect("a file");
        let lines = whole.lines().map(str::trim);
        let keys: Vec<_> = lines.filter(|line| line.len() > 40).collect();
        // The key's block does not stand where it must any more; a value where a map must be.
        let shifted = whole.replace("key: |", "key: |x");
        let flat = format!("api: {}\ncontexts: {}\n", keys.join(""), keys.join(""));
        for damaged in [shifted, flat] {
            fs::write(&path, damaged).expect("damaged");
            let complaint = home.fails(command, 1);
            assert!(complaint.contains(file), "{complaint}");
            for key in &keys {
                assert!(!complaint.contains(key), "{complaint}");
            }
        }
    }
}

/// Puts a client's certificate of a day into the files `ca`, `crt` and `key`.
fn issue(home: &Home, authority: &Authority, now: Timestamp) {
    let roles = Roles::from_organizations([Role::Admin.organization()]);
    let own = authority
        .issue_client("me", roles, SignedDuration::from_hours(24), now)
        .expect("a certificate");
    let ca = authority.identity().certificate_pem();
    for (file, content) in [
        ("ca", ca),
        ("crt", own.certificate_pem()),
        ("key", own.key_pem().expose()),
    ] {
        fs::write(home.path().join(file), content).expect("a file");
    }
}

/// Answers one TLS handshake as a node of this name would; gives the address.
fn node_called(name: &str, authority: &Authority, now: Timestamp) -> SocketAddr {
    answers_once(settings(name, authority, authority, now))
}

/// A node with a certificate of `now`, which takes those of the `trusted`.
fn settings(
    name: &str,
    authority: &Authority,
    trusted: &Authority,
    now: Timestamp,
) -> Arc<ServerConfig> {
    let own = authority.issue_serving(name, &names(name), SERVING_LIFETIME, now);
    let trust = Trust::from_pem(trusted.identity().certificate_pem()).expect("trust");
    pki::tls::server(&own.expect("a certificate"), &trust).expect("settings")
}

/// A clock that stands still.
#[derive(Debug)]
struct Stands(Timestamp);

impl TimeProvider for Stands {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// Answers one TLS handshake.
fn answers_once(config: Arc<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a caller");
        let mut tls = rustls::ServerConnection::new(config).expect("a connection");
        // The caller ends it, which is no matter of this side.
        while tls.is_handshaking() && tls.complete_io(&mut stream).is_ok() {}
        // What is closed with bytes unread is reset, and what was said last may be lost with that.
        io::copy(&mut stream, &mut io::sink()).ok();
    });
    address
}

fn names(name: &str) -> Names {
    let mut names = Names::loopback();
    names.names.insert(name.to_owned());
    names
}

#[test]
fn a_node_that_was_renamed_is_told_with_its_new_name() {
    let home = Home::new();
    let now = Timestamp::now();
    let authority = Authority::generate("lab", now).expect("an authority");
    issue(&home, &authority, now);
    let address = node_called("new", &authority, now);
    home.fine(&format!(
        "context add lab --ca ca --crt crt --key key --node old={address}"
    ));
    let complaint = home.fails("version", 1);
    for part in [
        format!("osctl: old: connecting to {address}: the certificate there is not for old"),
        format!("`osctl context set-node new={address}`"),
        format!("`-n {address}`"),
    ] {
        assert!(complaint.contains(&part), "{complaint}");
    }
}

#[test]
fn a_certificate_that_has_ended_is_told_before_anybody_is_asked() {
    let home = Home::new();
    let then = Timestamp::now() - SignedDuration::from_hours(48);
    let authority = Authority::generate("old", then).expect("an authority");
    issue(&home, &authority, then);
    home.fine("context add old --ca ca --crt crt --key key --node node-1=127.0.0.1:1");
    let complaint = home.fails("version", 1);
    assert!(
        complaint.contains("your certificate in context \"old\" ended at")
            && complaint.contains("osctl gen crt --name old"),
        "{complaint}"
    );
    assert!(home.fine("context info").contains("which is over"));
}

#[test]
fn whose_certificate_does_not_hold_is_told_with_the_dates() {
    let now = Timestamp::now();
    let days = |count: i64| now + SignedDuration::from_hours(24 * count);
    let authority = Authority::generate("lab", days(-3)).expect("an authority");
    let complaint = |node: Arc<ServerConfig>| {
        let home = Home::new();
        issue(&home, &authority, now);
        let address = answers_once(node);
        home.fine(&format!(
            "context add lab --ca ca --crt crt --key key --node node-1={address}"
        ));
        home.fails("version", 1)
    };
    let own = |made| settings("node-1", &authority, &authority, made);
    let with_clock = |shows| {
        let mut config = ServerConfig::clone(&own(now));
        config.time_provider = Arc::new(Stands(shows));
        Arc::new(config)
    };
    for shows in [days(2), days(-2)] {
        let ours = complaint(with_clock(shows));
        for part in [
            "osctl: node-1: ",
            "your certificate does not hold now, and by the clock of this computer it does",
            "one of the two clocks is wrong",
            "osctl gen crt --name CONTEXT --force",
        ] {
            assert!(ours.contains(part), "{ours}");
        }
    }
    let over = complaint(own(days(-2)));
    assert!(over.contains("its certificate ended at"), "{over}");
    let early = complaint(own(days(2)));
    assert!(early.contains("its certificate holds from"), "{early}");
    for theirs in [over, early] {
        assert!(theirs.contains("(compare the clocks"), "{theirs}");
    }
}

#[test]
fn a_node_that_takes_certificates_of_others_only_is_told_so() {
    let home = Home::new();
    let now = Timestamp::now();
    let authority = Authority::generate("lab", now).expect("an authority");
    let other = Authority::generate("other", now).expect("an authority");
    issue(&home, &authority, now);
    let address = answers_once(settings("node-1", &authority, &other, now));
    home.fine(&format!(
        "context add lab --ca ca --crt crt --key key --node node-1={address}"
    ));
    let complaint = home.fails("version", 1);
    assert!(
        complaint.contains("the node does not take your certificate (it is of another cluster"),
        "{complaint}"
    );
}

#[test]
fn a_new_context_is_not_taken_for_the_current_one() {
    let home = with_context("one", "node-1=10.0.0.5");
    let said = home.fine("gen crt --name two --subject me");
    assert!(
        said.contains("the current one is still one, `osctl context use two`"),
        "{said}"
    );
    let info = home.fine("context info --context two");
    assert!(info.contains("context      two"), "{info}");
    assert!(
        home.fails("gen crt --name= --subject me", 2)
            .contains("--name")
    );
}

#[test]
fn a_new_certificate_keeps_the_nodes_of_the_context() {
    let home = with_context("lab", "node-1=10.0.0.5");
    home.fine("gen crt --name lab --subject me --force");
    assert!(
        home.fine("context info")
            .contains("node-1 at 10.0.0.5:50000")
    );
}

#[test]
fn a_config_that_shuts_its_sender_out_is_not_sent() {
    let home = with_context("lab", "node-1=127.0.0.1:1");
    home.fine("gen secrets --file other.yaml");
    home.fine("gen config node-1 --secrets other.yaml");
    let foreign = home.fails("apply -f node-1.yaml", 1);
    assert!(foreign.contains("is of another cluster"), "{foreign}");
    let partial = "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: x\n";
    fs::write(home.path().join("partial.yaml"), partial).expect("a file");
    let partial = home.fails("apply --dry-run -f partial.yaml", 1);
    assert!(partial.contains("has no ApiTrust"), "{partial}");
    home.fine("gen config node-1 --force");
    let sent = home.fails("apply -f node-1.yaml", 1);
    assert!(sent.contains("connecting to 127.0.0.1:1"), "{sent}");
}

#[test]
fn a_certificate_that_nobody_can_read_is_found_offline() {
    let home = Home::new();
    home.fine("gen secrets");
    home.fine("gen config node-1");
    let path = home.path().join("node-1.yaml");
    let config = fs::read_to_string(&path).expect("a config");
    fs::write(&path, config.replace("MIIB", "MIIC")).expect("damaged");
    let complaint = home.fails("config validate -f node-1.yaml", 1);
    assert!(
        complaint.contains("node-1.yaml: ApiTrust: ca"),
        "{complaint}"
    );
}

#[test]
fn keys_are_not_put_into_the_folder_at_hand_for_lack_of_a_home() {
    for home_variable in ["", "relative"] {
        let home = Home::new();
        home.fine("gen secrets");
        let mut command = home.command("gen crt --name lab --subject me");
        let output = command.env("HOME", home_variable).output().expect("runs");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        let left = fs::read_dir(home.path()).expect("listed").count();
        assert_eq!(left, 1, "only secrets.yaml");
    }
}

#[test]
fn every_mistake_is_one_line_with_the_way_out() {
    let home = with_context("lab", "node-1=127.0.0.1:1");
    fs::write(home.path().join("noise"), [0x80, 0xff, 0x00]).expect("a file");
    for (command, code, told) in [
        (
            "gen config a --secrets gone",
            1,
            "there is no gone: `osctl gen secrets`",
        ),
        (
            "gen secrets --force --file .",
            1,
            ". is a folder; name a file in it",
        ),
        (
            "gen crt --name x --node a=b:0",
            2,
            "must be a port, 1 to 65535",
        ),
        (
            "gen crt --name x --node a/b=c",
            2,
            "\"a/b\" is neither a host name",
        ),
        ("version -n a/b", 2, "\"a/b\" is neither a host name"),
        ("version --contexts noise", 1, "noise"),
        (
            "version --contexts secrets.yaml",
            1,
            "secrets.yaml is damaged; mend it, or move it",
        ),
        (
            "context merge secrets.yaml",
            1,
            "secrets.yaml is not a file that `osctl gen crt",
        ),
        (
            "cluster create --image .",
            1,
            "no whole image in .: build one",
        ),
        (
            "apply -f gone",
            1,
            "opening gone: No such file or directory\n",
        ),
    ] {
        let complaint = home.fails(command, code);
        assert!(complaint.contains(told), "{command}: {complaint}");
        assert_eq!(complaint.lines().count(), 1, "{command}: {complaint}");
    }
    assert!(
        home.fails("gen config a/b", 2)
            .contains("a host name has only")
    );
}

#[test]
fn two_at_once_lose_no_context() {
    let home = Home::new();
    home.fine("gen secrets");
    let names: Vec<_> = (0..8).map(|number| format!("context-{number}")).collect();
    let running: Vec<_> = names
        .iter()
        .map(|name| {
            home.command(&format!("gen crt --name {name} --subject me"))
                .stdout(std::process::Stdio::null())
                .spawn()
                .expect("osctl runs")
        })
        .collect();
    for mut child in running {
        assert!(child.wait().expect("ended").success());
    }
    let list = home.fine("context list");
    for name in names {
        assert!(list.contains(&name), "{list}");
    }
}
