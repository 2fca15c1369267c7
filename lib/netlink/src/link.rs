//! Links: what the kernel says of one, and the two things changed here (up, MTU).

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoKind, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, State,
};

use crate::{Error, Netlink};

/// The operational state of a link (RFC 2863).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OperState {
    /// The driver does not say.
    #[default]
    Unknown,
    /// Some part of the device is missing.
    NotPresent,
    /// No packet passes.
    Down,
    /// A link below is down.
    LowerLayerDown,
    /// Under test.
    Testing,
    /// Waiting for something outside.
    Dormant,
    /// Packets pass.
    Up,
}

/// One link as the kernel describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number of the link.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The hardware type, `ARPHRD_*`: 1 is Ethernet, 772 the loopback.
    pub hardware_type: u16,
    /// The kind of a virtual link; empty for hardware.
    pub kind: String,
    /// The link-layer address in use; empty when the type has none.
    pub address: Vec<u8>,
    /// The address burnt in; empty when the driver does not tell.
    pub permanent_address: Vec<u8>,
    /// The largest packet in bytes.
    pub mtu: u32,
    /// Administratively up.
    pub up: bool,
    /// The cable, or what stands for it, is connected.
    pub carrier: bool,
    /// The operational state.
    pub state: OperState,
    /// The name of the device on its bus; empty for what software made.
    pub parent_device: String,
    /// The link this one is a port of.
    pub controller: Option<u32>,
}

/// What to change of a link; `None` leaves it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkChange {
    /// Administratively up or down.
    pub up: Option<bool>,
    /// The largest packet in bytes.
    pub mtu: Option<u32>,
}

impl Link {
    pub(crate) fn parse(message: &LinkMessage) -> Option<Self> {
        let header = &message.header;
        let mut link = Self {
            index: header.index,
            hardware_type: header.link_layer_type.into(),
            up: header.flags.contains(LinkFlags::Up),
            carrier: header.flags.contains(LinkFlags::LowerUp),
            ..Self::default()
        };
        for attribute in &message.attributes {
            link.take(attribute);
        }
        // Port and bridge notifications of other families carry no name: not a description of a link.
        (!link.name.is_empty() && link.index != 0).then_some(link)
    }

    fn take(&mut self, attribute: &LinkAttribute) {
        match attribute {
            LinkAttribute::IfName(name) => self.name.clone_from(name),
            LinkAttribute::Address(bytes) => self.address.clone_from(bytes),
            LinkAttribute::PermAddress(bytes) => self.permanent_address.clone_from(bytes),
            LinkAttribute::Mtu(mtu) => self.mtu = *mtu,
            LinkAttribute::OperState(state) => self.state = (*state).into(),
            LinkAttribute::ParentDevName(name) => self.parent_device.clone_from(name),
            LinkAttribute::Controller(index) => self.controller = Some(*index),
            LinkAttribute::LinkInfo(infos) => {
                for info in infos {
                    if let LinkInfo::Kind(kind) = info {
                        self.kind = kind_name(kind);
                    }
                }
            }
            _ => {}
        }
    }

    /// True for the loopback.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.hardware_type == u16::from(LinkLayerType::Loopback)
    }

    /// True for Ethernet, which is also what most virtual links look like.
    #[must_use]
    pub fn is_ethernet(&self) -> bool {
        self.hardware_type == u16::from(LinkLayerType::Ether)
    }
}

fn kind_name(kind: &InfoKind) -> String {
    kind.to_string()
}

impl From<State> for OperState {
    fn from(state: State) -> Self {
        match state {
            State::NotPresent => Self::NotPresent,
            State::Down => Self::Down,
            State::LowerLayerDown => Self::LowerLayerDown,
            State::Testing => Self::Testing,
            State::Dormant => Self::Dormant,
            State::Up => Self::Up,
            _ => Self::Unknown,
        }
    }
}

impl Netlink {
    /// Every link of the namespace, by index.
    ///
    /// # Errors
    /// When the kernel refuses, or the table never holds still.
    pub async fn links(&self) -> Result<Vec<Link>, Error> {
        let mut request = LinkMessage::default();
        // Counters are most of the answer and nobody reads them.
        let lean = LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]);
        request.attributes.push(lean);
        let entries = self
            .dump("links", RouteNetlinkMessage::GetLink(request))
            .await?;
        let mut links: Vec<_> = entries
            .iter()
            .filter_map(|e| match e {
                RouteNetlinkMessage::NewLink(m) => Link::parse(m),
                _ => None,
            })
            .collect();
        links.sort_by_key(|l| l.index);
        Ok(links)
    }

    /// Changes a link.
    ///
    /// # Errors
    /// When the kernel refuses: no such link, an MTU the driver cannot do.
    pub async fn change_link(&self, index: u32, change: LinkChange) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        if let Some(up) = change.up {
            message.header.change_mask = LinkFlags::Up;
            message.header.flags = if up {
                LinkFlags::Up
            } else {
                LinkFlags::empty()
            };
        }
        message
            .attributes
            .extend(change.mtu.map(LinkAttribute::Mtu));
        let subject = || format!("{change:?} of link {index}");
        self.change(RouteNetlinkMessage::SetLink(message), 0, subject)
            .await
    }
}
