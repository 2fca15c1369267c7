//! The two sockets: one for requests, one that listens.
//!
//! They are apart so that a flood of notifications never costs an answer. Neither spawns: the caller runs the `Driver`, and
//! when that ends every verb answers `Closed`.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use rtnetlink::MulticastGroup;

use crate::Error;
use crate::watch::Changes;

/// What is listened to. Rules and neighbours are nobody's business yet.
const GROUPS: [MulticastGroup; 5] = [
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
];

/// A handle to the kernel's tables; clones share one socket.
#[derive(Clone, Debug)]
pub struct Netlink {
    pub(crate) handle: rtnetlink::Handle,
}

/// The work of both sockets; ends when one of them fails.
#[must_use = "nothing happens until the driver is polled"]
pub struct Driver(Vec<Pin<Box<dyn Future<Output = ()> + Send>>>);

/// Opens both sockets in the network namespace of the calling thread.
///
/// # Errors
/// When the kernel gives no socket.
pub fn open() -> Result<(Netlink, Changes, Driver), Error> {
    let (requests, handle, _) = rtnetlink::new_connection().map_err(Error::Open)?;
    let (listening, _, messages) =
        rtnetlink::new_multicast_connection(&GROUPS).map_err(Error::Open)?;
    let driver = Driver(vec![Box::pin(requests), Box::pin(listening)]);
    Ok((Netlink { handle }, Changes::new(messages), driver))
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Every one is polled each time, so no wake-up of the others is lost.
        let ended = self
            .0
            .iter_mut()
            .map(|c| c.as_mut().poll(cx).is_ready())
            .fold(false, |a, b| a | b);
        if ended {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Driver").finish_non_exhaustive()
    }
}
