//! Reports the links there are.

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use netlink::{Link, OperState};
use resources::net::{LinkStatus, OperationalState};

use super::device::{Device, device};
use crate::kernel::Kernel;

/// The controller.
#[derive(Debug)]
pub struct LinkStatuses(pub Kernel);

cosi::declare! {
    LinkStatuses as "network.link.status" {
        writes LinkStatus;
    }
}

impl Controller for LinkStatuses {
    fn sources(&mut self) -> Vec<Source> {
        vec![self.0.links()]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let links = self.0.netlink().links().await?;
        cx.replace::<LinkStatus>();
        for link in &links {
            cx.put(link.name.clone(), status(link, &links, device(&link.name)));
        }
        Ok(Outcome::Done)
    }
}

/// The status of one link among all.
#[must_use]
pub fn status(link: &Link, all: &[Link], device: Device) -> LinkStatus {
    let controller = all.iter().find(|l| Some(l.index) == link.controller);
    LinkStatus {
        index: link.index,
        link_type: hardware_type(link),
        kind: link.kind.clone(),
        physical: !link.parent_device.is_empty() && link.kind.is_empty(),
        hardware_address: colons(&link.address),
        permanent_address: colons(&link.permanent_address),
        mtu: link.mtu,
        up: link.up,
        carrier: link.carrier,
        operational_state: state(link.state),
        driver: device.driver,
        bus_path: if device.path.is_empty() {
            link.parent_device.clone()
        } else {
            device.path
        },
        controller: controller.map(|l| l.name.clone()).unwrap_or_default(),
    }
}

fn hardware_type(link: &Link) -> String {
    if link.is_ethernet() {
        "ether".to_owned()
    } else if link.is_loopback() {
        "loopback".to_owned()
    } else {
        link.hardware_type.to_string()
    }
}

/// The usual form of a hardware address: `52:54:00:12:34:56`.
fn colons(bytes: &[u8]) -> String {
    let pairs: Vec<_> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    pairs.join(":")
}

fn state(state: OperState) -> OperationalState {
    match state {
        OperState::Unknown => OperationalState::Unknown,
        OperState::NotPresent => OperationalState::NotPresent,
        OperState::Down => OperationalState::Down,
        OperState::LowerLayerDown => OperationalState::LowerLayerDown,
        OperState::Testing => OperationalState::Testing,
        OperState::Dormant => OperationalState::Dormant,
        OperState::Up => OperationalState::Up,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_on_a_bus_is_physical_and_a_pair_of_software_is_not() {
        let hardware = Link {
            index: 2,
            name: "eth0".to_owned(),
            hardware_type: 1,
            address: vec![0x52, 0x54, 0, 1, 2, 3],
            parent_device: "virtio0".to_owned(),
            state: OperState::Up,
            controller: Some(7),
            ..Link::default()
        };
        let bridge = Link {
            index: 7,
            name: "br0".to_owned(),
            kind: "bridge".to_owned(),
            ..Link::default()
        };
        let all = [hardware.clone(), bridge.clone()];
        let seen = status(&hardware, &all, Device::default());
        assert!(seen.physical);
        assert_eq!(
            (seen.link_type.as_str(), seen.hardware_address.as_str()),
            ("ether", "52:54:00:01:02:03")
        );
        assert_eq!(
            (seen.controller.as_str(), seen.bus_path.as_str()),
            ("br0", "virtio0")
        );
        assert!(!status(&bridge, &all, Device::default()).physical);
    }
}
