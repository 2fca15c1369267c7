//! Addresses that something can be asked at, or sent through.

use std::net::{IpAddr, SocketAddr};

/// Reads an address, with a clearer refusal than the standard library's; `what` is what cannot be at an address that no
/// host has, like `a gateway`.
///
/// # Errors
/// When it is none, in words.
pub(crate) fn of_a_host(text: &str, what: &str) -> Result<IpAddr, String> {
    match text.parse::<IpAddr>() {
        Ok(it) if it.is_unspecified() || it.is_multicast() => Err(format!("{it} cannot be {what}")),
        Ok(it) => Ok(it),
        Err(_) => Err(format!(
            "`{text}` is not an IPv4 or IPv6 address{}",
            hint(text)
        )),
    }
}

/// What to leave away, when that would make an address of it.
fn hint(text: &str) -> &'static str {
    let before = |mark| {
        text.split(mark)
            .next()
            .is_some_and(|it| it.parse::<IpAddr>().is_ok())
    };
    if text.contains('/') && before('/') {
        "; write it without the length of a prefix"
    } else if text.contains('%') && before('%') {
        "; write it without the name of a link"
    } else if text.parse::<SocketAddr>().is_ok() {
        "; write it without a port"
    } else {
        ""
    }
}
