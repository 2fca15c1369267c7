//! What is told of a service that the kernel has no memory for.

use super::*;

#[test]
fn who_is_killed_for_memory_says_so_and_who_is_killed_otherwise_does_not() {
    let mut node = Node::new(true);
    // It is counted once, as the kernel does before the first of its lives ends.
    let script = "[ -e $DIR/one.starved ] || echo >$DIR/one.starved; kill -9 $$";
    node.want("one", script);
    let mut life = node.life();
    let restarting = |it: &ServiceStatus| it.state == ServiceState::Restarting;
    let first = life.until("one", restarting);
    assert_eq!(
        first.last_exit,
        "killed by the kernel, which had no more memory for it"
    );
    let second = life.until("one", |it| restarting(it) && it.restarts == 1);
    assert_eq!(second.last_exit, "killed by signal 9");
}
