//! Variables that all services get, and what becomes of those that run when they change.

use super::*;

/// Tells two of its variables, and stays.
const TELLS: &str = "echo $SHARED $OWN $PATH > $DIR/told; exec sleep 100000";

fn told(node: &Node) -> String {
    loop {
        let told = fs::read_to_string(node.folder.path().join("told")).unwrap_or_default();
        if told.ends_with('\n') {
            return told;
        }
        pause();
    }
}

fn shared(lines: &[&str]) -> Shared {
    let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
    Shared::of(&lines)
}

#[test]
fn a_service_has_its_own_above_those_of_all_and_new_ones_with_its_next_start() {
    let mut node = Node::new(true);
    node.want("one", TELLS)
        .environment
        .push("OWN=own".to_owned());
    node.facts.shared = shared(&["OWN=of-all", "SHARED=first"]);
    let first = node.life().runs("one");
    assert_eq!(told(&node), "first own /usr/bin:/usr/sbin\n");
    assert_eq!(node.life().look().statuses[&name("one")].reason, "");

    // Another life of the daemon with another config: it stays as it is, and says so.
    node.facts.shared = shared(&["SHARED=second"]);
    let status = node
        .life()
        .look()
        .statuses
        .remove(&name("one"))
        .expect("it");
    assert_eq!((status.state, status.pid), (ServiceState::Running, first));
    assert!(
        status.reason.starts_with("runs with older variables"),
        "{status:?}"
    );

    fs::remove_file(node.folder.path().join("told")).expect("told before");
    kill(Pid::from_raw(first.cast_signed()), Signal::SIGKILL).expect("killed");
    let again = node
        .life()
        .until("one", |it| it.pid != 0 && it.pid != first);
    assert!(!again.reason.contains("older variables"), "{again:?}");
    assert_eq!(told(&node), "second own /usr/bin:/usr/sbin\n");
}

#[test]
fn sets_of_variables_are_told_apart_without_their_values() {
    let (one, other) = (shared(&["A=SECRET"]), shared(&["A=OTHER"]));
    assert_ne!(one.mark(), other.mark());
    assert_eq!(one.mark(), shared(&["A=SECRET"]).mark());
    assert_eq!(shared(&[]).mark(), "");
    assert!(!format!("{one:?}{}", one.mark()).contains("SECRET"));
}
