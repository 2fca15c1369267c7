use std::io::Write;

use proptest::prelude::*;

use super::*;

const PAIRING: &str = "0123-4567-89AB-CDEF-GHJK-MNPQ";

fn facts(text: &str) -> Facts {
    let mut facts = Facts::default();
    for line in text.lines() {
        facts.take(line);
    }
    facts
}

#[test]
fn a_block_is_read() {
    let said = facts(&format!(
        "garboard: stage booting\n\
         garboard: stage maintenance\n\
         garboard: pairing {PAIRING}\n\
         garboard: link eth0 up\n\
         garboard: address eth0 10.0.2.15/24\n\
         garboard: address eth0 fe80::1/64\n\
         garboard: address eth0 10.0.2.15/24\n\
         garboard: api 0.0.0.0:50000 ready\n"
    ));
    assert_eq!(said.stage.as_deref(), Some("maintenance"));
    assert_eq!(said.pairing.as_ref().map(Pairing::as_str), Some(PAIRING));
    assert_eq!(said.api, "0.0.0.0:50000".parse().ok());
    assert_eq!(said.links["eth0"], "up");
    let addresses: Vec<String> = said.addresses["eth0"]
        .iter()
        .map(|found| format!("{}/{}", found.address, found.prefix))
        .collect();
    assert_eq!(addresses, ["fe80::1/64", "10.0.2.15/24"]);
}

#[test]
fn a_new_drawing_replaces_the_last_one() {
    let said = facts(&format!(
        "garboard: version 0.1.0\n\
         garboard: stage maintenance\n\
         garboard: address eth0 10.0.2.15/24\n\
         garboard: pairing {PAIRING}\n\
         garboard: waiting a configuration\n\
         \n\
         garboard: version 0.1.0\n\
         garboard: name cp-1\n\
         garboard: cluster production\n\
         garboard: stage running\n\
         garboard: address eth0 10.0.2.77/24\n\
         garboard: error a thing that went wrong\n"
    ));
    assert_eq!(said.pairing, None);
    assert_eq!(said.waiting, Vec::<String>::new());
    assert_eq!(said.ipv4(), "10.0.2.77".parse().ok());
    assert_eq!(said.name.as_deref(), Some("cp-1"));
    assert_eq!(said.cluster.as_deref(), Some("production"));
    assert_eq!(said.error.as_deref(), Some("a thing that went wrong"));
}

#[test]
fn noise_around_a_line_does_not_hide_it() {
    for line in [
        "\r\u{1b}[2J\u{1b}[01;01H\u{1b}[0mgarboard: stage running\r",
        "[    7.123456] garboard: stage running",
        "[    7.1] eth0: garboard: stage running\u{0}",
    ] {
        assert_eq!(facts(line).stage.as_deref(), Some("running"), "{line:?}");
    }
}

#[test]
fn a_line_that_is_not_whole_is_no_fact() {
    for line in [
        "garboard: pairing 0123-4567-89AB-CDEF-GHJK",
        "garboard: pairing 0123-4567-89AB-CDEF-GHJK-MNPI",
        "garboard: pairing 0123-4567-[    7.1] usb 1-1: new device",
        "garboard: api 0.0.0.0:50000",
        "garboard: api somewhere ready",
        "garboard: address eth0 10.0.2.15",
        "garboard: address eth0 10.0.2.15/33",
        "garboard: stage Run[ning",
        "garboard: mood good",
        "garboard:",
        "garboard stage running",
    ] {
        assert_eq!(facts(line), Facts::default(), "{line:?}");
    }
}

#[test]
fn a_secret_is_not_printed() {
    let said = facts(&format!("garboard: pairing {PAIRING}"));
    assert!(!format!("{said:?}").contains("GHJK"));
}

#[test]
fn a_growing_file_is_read_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("console.log");
    let mut console = Console::new(path.clone());
    assert_eq!(console.read().unwrap(), Vec::<String>::new());

    let mut file = File::create(&path).unwrap();
    file.write_all(b"one\r\ngarboard: sta").unwrap();
    assert_eq!(console.read().unwrap(), ["one"]);
    assert_eq!(console.facts().stage, None);
    file.write_all(b"ge running\n").unwrap();
    assert_eq!(console.read().unwrap(), ["garboard: stage running"]);
    assert_eq!(console.facts().stage.as_deref(), Some("running"));

    file.write_all(b"garboard: stage main").unwrap();
    console.forget().unwrap();
    assert_eq!(console.facts(), &Facts::default());
    file.write_all(b"tenance\ngarboard: name a\n").unwrap();
    assert_eq!(console.read().unwrap(), ["garboard: name a"]);
    assert_eq!(console.facts().stage, None);
}

#[test]
fn a_kernel_that_starts_makes_all_facts_old() {
    let said = facts(&format!(
        "garboard: version 0.1.0\n\
         garboard: pairing {PAIRING}\n\
         [   77.000000] reboot: Restarting system\n\
         [    0.000000] Linux version 6.12.0 (somebody@somewhere)\n"
    ));
    assert_eq!(said, Facts::default());
}

proptest! {
    #[test]
    fn any_bytes_are_survived(chunks in prop::collection::vec(
        prop_oneof![Just("garboard: ".to_owned()), Just("\u{1b}[".to_owned()), ".{0,20}"], 0..20)) {
        facts(&chunks.concat());
    }

    #[test]
    fn a_line_is_read_whatever_stands_before_it(noise in "[^\u{1b}\n]{0,40}") {
        let said = facts(&format!("{noise}garboard: pairing {PAIRING}"));
        prop_assert_eq!(said.pairing.map(|found| found.0), Some(PAIRING.to_owned()));
    }
}
