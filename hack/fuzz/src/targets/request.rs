//! Requests for certificates as somebody sends them who wants to join.

use pki::{Challenge, Request, Subject};

pub(super) fn run(data: &[u8]) {
    let challenge = Challenge::from_bytes(&[7; 32]).expect("32 bytes");
    let subject = |name| Subject {
        name,
        purpose: "machine",
        challenge: &challenge,
    };
    if let Ok(request) = Request::read(data, &subject("worker-1")) {
        assert!(data.len() <= 1024, "a long one");
        let again = Request::read(data, &subject("worker-1"));
        assert_eq!(again.ok().as_ref(), Some(&request));
        assert!(Request::read(data, &subject("worker-2")).is_err());
    }
}
