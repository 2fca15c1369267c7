//! Who may do what with the state on this node, by uid. What callers of the API may is the API's to say.

use cosi::wire::{Access, Call, Grants, Writer};
use resources::net;
use store::Spec;
use tonic::transport::server::UdsConnectInfo;
use tonic::{Extensions, Status};

/// The uid that networkd runs as.
pub const NETWORKD: u32 = 50;

/// On the unix socket: networkd may what its controllers declare, root may read, nobody else anything.
#[derive(Debug)]
pub struct LocalAccess {
    networkd: Grants,
}

impl Default for LocalAccess {
    fn default() -> Self {
        Self {
            networkd: networkd_grants(),
        }
    }
}

impl Access for LocalAccess {
    fn check(&self, call: &Call<'_>) -> Result<Writer, Status> {
        match uid(call.extensions) {
            Some(NETWORKD) => self.networkd.check(call),
            Some(0) if !call.verb.is_write() => Ok(Writer("root".into())),
            _ => Err(call.denied()),
        }
    }
}

fn uid(extensions: &Extensions) -> Option<u32> {
    Some(extensions.get::<UdsConnectInfo>()?.peer_cred?.uid())
}

/// What networkd's controllers declare, kind by kind; a test of the suite runs both daemons against it.
fn networkd_grants() -> Grants {
    let grants = Grants::of_runtime("networkd", &[]);
    let reads = [
        net::LinkSpec::DEFINITION.ty,
        net::AddressSpec::DEFINITION.ty,
        net::RouteSpec::DEFINITION.ty,
        net::Dhcp4Spec::DEFINITION.ty,
        net::Dhcp4Lease::DEFINITION.ty,
        net::NodeAddress::DEFINITION.ty,
        net::MasqueradeSpec::DEFINITION.ty,
        net::MasqueradeStatus::DEFINITION.ty,
        net::TimeServerSpec::DEFINITION.ty,
        net::TimeServerStatus::DEFINITION.ty,
    ];
    let grants = reads
        .iter()
        .fold(grants, |grants, ty| grants.read(net::MERGED, ty));
    let grants = grants.read("runtime", cosi::status::RuntimeStatus::DEFINITION.ty);
    let statuses = [
        (net::LinkStatus::DEFINITION.ty, "network.link.status"),
        (net::AddressStatus::DEFINITION.ty, "network.address.status"),
        (net::RouteStatus::DEFINITION.ty, "network.route.status"),
        (net::Dhcp4Lease::DEFINITION.ty, "network.dhcp4.apply"),
        (
            net::MasqueradeStatus::DEFINITION.ty,
            "network.masquerade.apply",
        ),
        (
            net::TimeServerStatus::DEFINITION.ty,
            "network.time-server.apply",
        ),
    ];
    let grants = statuses.iter().fold(grants, |grants, (ty, owner)| {
        grants.write(net::MERGED, ty, owner)
    });
    let leased = [
        net::AddressSpec::DEFINITION.ty,
        net::RouteSpec::DEFINITION.ty,
        net::ResolverSpec::DEFINITION.ty,
        net::HostnameSpec::DEFINITION.ty,
        net::TimeSpec::DEFINITION.ty,
    ];
    leased.iter().fold(grants, |grants, ty| {
        grants.write(net::LAYERED, ty, "network.dhcp4.apply")
    })
}

#[cfg(test)]
mod tests {
    use cosi::wire::Verb;

    use super::*;

    fn allowed(verb: Verb, namespace: &str, ty: &str, owner: &str) -> bool {
        let extensions = Extensions::default();
        let call = Call {
            verb,
            namespace,
            ty,
            id: None,
            owner,
            definition: None,
            extensions: &extensions,
        };
        networkd_grants().check(&call).is_ok()
    }

    #[test]
    fn networkd_may_what_its_controllers_declare() {
        for node in networkd::daemon::nodes() {
            for input in node.inputs {
                assert!(
                    allowed(Verb::Watch, input.namespace, input.ty, ""),
                    "{} reads {}",
                    node.name,
                    input.ty
                );
            }
            for output in node.outputs {
                assert!(
                    allowed(Verb::Create, output.namespace, output.ty, node.name),
                    "{} writes {} in {}",
                    node.name,
                    output.ty,
                    output.namespace
                );
            }
        }
    }

    #[test]
    fn networkd_may_nothing_else() {
        let config = resources::config::MachineConfig::DEFINITION;
        assert!(!allowed(Verb::Get, config.namespace, config.ty, ""));
        let address = net::AddressSpec::DEFINITION.ty;
        assert!(!allowed(
            Verb::Create,
            net::MERGED,
            address,
            "network.address.merge"
        ));
        assert!(!allowed(
            Verb::Create,
            net::LAYERED,
            address,
            "network.address.config"
        ));
    }

    #[test]
    fn a_call_without_a_peer_is_refused() {
        let extensions = Extensions::default();
        let ty = net::LinkSpec::DEFINITION.ty;
        let call = Call {
            verb: Verb::Get,
            namespace: net::MERGED,
            ty,
            id: None,
            owner: "",
            definition: None,
            extensions: &extensions,
        };
        assert!(LocalAccess::default().check(&call).is_err());
    }
}
