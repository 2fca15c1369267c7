//! Who may call what: the one table, and the one decision over it.
//!
//! Every method the port serves has a row; the server does not start otherwise, so nobody can add a method and forget the rule.
//! The decision is pure. What depends on the content of a call (secrets in a config, sensitive kinds of resources) is decided by
//! `machine` and `access`, on top of a row and never instead of one.

use jiff::Timestamp;
use pki::{Role, Roles};
use tonic::Status;

use super::endpoint::{Endpoint, Mode};
use super::peer::Peer;

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody, in maintenance mode only.
    Maintenance,
    /// Whoever has paired on the same connection, in maintenance mode only.
    Paired,
    /// Anybody who reaches a running node, where the call itself has a token: strangers reach control planes that workers join through.
    Token,
    /// Holders of one of these roles, on a running node.
    Roles(&'static [Role]),
    /// Nobody over this port; the text says what to do instead.
    Nobody(&'static str),
}

/// The rule for one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The path a call carries.
    pub method: &'static str,
    /// Who may call it.
    pub access: Access,
}

const ANY_ROLE: Access = Access::Roles(&Role::ALL);
const READERS: Access = Access::Roles(&[Role::Admin, Role::Operator, Role::Reader]);
const OPERATORS: Access = Access::Roles(&[Role::Admin, Role::Operator]);
const ADMINS: Access = Access::Roles(&[Role::Admin]);
const BACKUPS: Access = Access::Roles(&[Role::Admin, Role::EtcdBackup]);
const READ_ONLY: Access = Access::Nobody(
    "resources are read-only over the API; change the node's configuration with `osctl config apply`",
);

const fn row(method: &'static str, access: Access) -> Row {
    Row { method, access }
}

/// The table. Sorted by service, then as in the .proto file.
pub const AUTHZ: &[Row] = &[
    row("/cosi.resource.State/Get", READERS),
    row("/cosi.resource.State/List", READERS),
    row("/cosi.resource.State/Watch", READERS),
    row("/cosi.resource.State/Create", READ_ONLY),
    row("/cosi.resource.State/Update", READ_ONLY),
    row("/cosi.resource.State/Destroy", READ_ONLY),
    row("/cosi.resource.State/Teardown", READ_ONLY),
    row("/cosi.resource.State/TeardownAndDestroy", READ_ONLY),
    row(
        "/garboard.machine.v1alpha1.ClusterService/Bootstrap",
        ADMINS,
    ),
    // Whoever has it is an administrator of the cluster.
    row(
        "/garboard.machine.v1alpha1.ClusterService/Kubeconfig",
        ADMINS,
    ),
    row("/garboard.machine.v1alpha1.EtcdService/Members", READERS),
    row("/garboard.machine.v1alpha1.EtcdService/Status", READERS),
    row("/garboard.machine.v1alpha1.EtcdService/Alarms", READERS),
    row(
        "/garboard.machine.v1alpha1.EtcdService/DisarmAlarms",
        OPERATORS,
    ),
    row("/garboard.machine.v1alpha1.EtcdService/Compact", OPERATORS),
    row(
        "/garboard.machine.v1alpha1.EtcdService/Defragment",
        OPERATORS,
    ),
    row(
        "/garboard.machine.v1alpha1.EtcdService/ForfeitLeadership",
        OPERATORS,
    ),
    row(
        "/garboard.machine.v1alpha1.EtcdService/RemoveMember",
        ADMINS,
    ),
    row("/garboard.machine.v1alpha1.EtcdService/Leave", ADMINS),
    row("/garboard.machine.v1alpha1.EtcdService/Join", ADMINS),
    row("/garboard.machine.v1alpha1.EtcdService/Recover", ADMINS),
    // Who fetches them has to know which there are.
    row("/garboard.machine.v1alpha1.EtcdService/Snapshots", ANY_ROLE),
    // All that the cluster knows is in it.
    row("/garboard.machine.v1alpha1.EtcdService/Snapshot", BACKUPS),
    row(
        "/garboard.machine.v1alpha1.InspectService/Processes",
        READERS,
    ),
    row("/garboard.machine.v1alpha1.InspectService/Memory", READERS),
    row("/garboard.machine.v1alpha1.InspectService/Stats", READERS),
    row("/garboard.machine.v1alpha1.InspectService/Mounts", READERS),
    row("/garboard.machine.v1alpha1.InspectService/Sockets", READERS),
    row("/garboard.machine.v1alpha1.InspectService/Time", READERS),
    row(
        "/garboard.machine.v1alpha1.InspectService/ListFiles",
        OPERATORS,
    ),
    // Files of the node hold its keys.
    row("/garboard.machine.v1alpha1.InspectService/ReadFile", ADMINS),
    row(
        "/garboard.machine.v1alpha1.JoinService/Challenge",
        Access::Token,
    ),
    row(
        "/garboard.machine.v1alpha1.JoinService/Issue",
        Access::Token,
    ),
    row(
        "/garboard.machine.v1alpha1.MachineService/Version",
        ANY_ROLE,
    ),
    row(
        "/garboard.machine.v1alpha1.MachineService/Reboot",
        OPERATORS,
    ),
    row(
        "/garboard.machine.v1alpha1.MachineService/Shutdown",
        OPERATORS,
    ),
    row(
        "/garboard.machine.v1alpha1.MachineService/OrderService",
        OPERATORS,
    ),
    row(
        "/garboard.machine.v1alpha1.MachineService/ApplyConfig",
        ADMINS,
    ),
    row(
        "/garboard.machine.v1alpha1.MachineService/ConfirmConfig",
        ADMINS,
    ),
    row(
        "/garboard.machine.v1alpha1.MachineService/RollbackConfig",
        ADMINS,
    ),
    row(
        "/garboard.machine.v1alpha1.MachineService/ConfigHistory",
        READERS,
    ),
    row(
        "/garboard.machine.v1alpha1.MachineService/DiffConfig",
        READERS,
    ),
    row(
        "/garboard.machine.v1alpha1.MachineService/ValidateConfig",
        OPERATORS,
    ),
    row(
        "/garboard.machine.v1alpha1.MachineService/GetConfig",
        READERS,
    ),
    row("/garboard.machine.v1alpha1.MachineService/Logs", READERS),
    row("/garboard.machine.v1alpha1.MachineService/Dmesg", READERS),
    row("/garboard.machine.v1alpha1.MachineService/Events", READERS),
    row(
        "/garboard.machine.v1alpha1.MaintenanceService/Version",
        Access::Maintenance,
    ),
    row(
        "/garboard.machine.v1alpha1.MaintenanceService/Pair",
        Access::Maintenance,
    ),
    row(
        "/garboard.machine.v1alpha1.MaintenanceService/ApplyConfig",
        Access::Paired,
    ),
    row(
        "/garboard.machine.v1alpha1.MaintenanceService/Reset",
        Access::Paired,
    ),
    row(
        "/garboard.machine.v1alpha1.MaintenanceService/WipeDisk",
        Access::Paired,
    ),
    row("/garboard.machine.v1alpha1.StorageService/Reset", ADMINS),
    row("/garboard.machine.v1alpha1.StorageService/WipeDisk", ADMINS),
    // It gives nobody anything that the member at its end would not give him.
    row("/garboard.machine.v1alpha1.TunnelService/Connect", ANY_ROLE),
    row(
        "/garboard.machine.v1alpha1.UpgradeService/PullImages",
        ADMINS,
    ),
    row(
        "/garboard.machine.v1alpha1.UpgradeService/Workloads",
        READERS,
    ),
    row(
        "/garboard.machine.v1alpha1.UpgradeService/UpdateWorkloads",
        ADMINS,
    ),
    // No method of a service but a path of plain HTTP.
    row(super::scrape::PATH, READERS),
];

/// The rule for `method`, if there is one.
pub fn rule(method: &str) -> Option<&'static Row> {
    AUTHZ.iter().find(|row| row.method == method)
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// No row, so no such method.
    #[error(
        "the node has no method {0}; `osctl version` shows whether client and node are of one version"
    )]
    Unknown(String),
    /// The node waits for its configuration.
    #[error("node is in maintenance mode{}; give it a configuration with `osctl config apply --pairing STRING`, from its console", reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    InMaintenance {
        /// Why, when it is not simply a new node.
        reason: Option<String>,
    },
    /// The node has its configuration.
    #[error("node is not in maintenance mode; use a client certificate and leave out `--pairing`")]
    NotInMaintenance,
    /// Pairing comes first.
    #[error("this connection has not paired; send the pairing string first")]
    NotPaired,
    /// No certificate, though one is needed.
    #[error("no client certificate; use one that this cluster's `osctl gen crt` made")]
    NoCertificate,
    /// The certificate ran out while the connection stood.
    #[error(
        "the client certificate of {subject:?} expired at {not_after}; make a new one with `osctl gen crt`"
    )]
    Expired {
        /// Whose.
        subject: String,
        /// When.
        not_after: Timestamp,
    },
    /// The certificate was verified against authorities that no longer hold.
    #[error("the node believes other authorities since this connection began; connect again")]
    TrustChanged,
    /// The certificate has none of the roles.
    #[error("{subject:?} has the role {has}, but this needs {needs}; use another certificate")]
    Role {
        /// Whose certificate.
        subject: String,
        /// Its roles.
        has: Roles,
        /// One of these would do.
        needs: Roles,
    },
    /// Nobody may.
    #[error("{0}")]
    Nobody(&'static str),
}

impl From<&Denial> for Status {
    fn from(denial: &Denial) -> Self {
        let text = denial.to_string();
        match denial {
            Denial::Unknown(_) => Self::unimplemented(text),
            Denial::InMaintenance { .. } => Self::unavailable(text),
            Denial::NotInMaintenance | Denial::NotPaired => Self::failed_precondition(text),
            Denial::NoCertificate | Denial::Expired { .. } | Denial::TrustChanged => {
                Self::unauthenticated(text)
            }
            Denial::Role { .. } | Denial::Nobody(_) => Self::permission_denied(text),
        }
    }
}

/// Decides one call at `now` on the port as it is now.
///
/// # Errors
/// Why not.
pub fn decide(
    method: &str,
    endpoint: &Endpoint,
    peer: &Peer,
    now: Timestamp,
) -> Result<(), Denial> {
    let access = rule(method).map(|row| row.access);
    if let Mode::Maintenance { reason } = endpoint.mode() {
        return match access {
            Some(Access::Maintenance) => Ok(()),
            Some(Access::Paired) if peer.is_paired() => Ok(()),
            Some(Access::Paired) => Err(Denial::NotPaired),
            _ => Err(Denial::InMaintenance {
                reason: reason.clone(),
            }),
        };
    }
    if matches!(access, Some(Access::Maintenance | Access::Paired)) {
        return Err(Denial::NotInMaintenance);
    }
    if access == Some(Access::Token) {
        return Ok(());
    }
    let certificate = peer.certificate().ok_or(Denial::NoCertificate)?;
    if !peer.clients().is_subset(endpoint.clients()) {
        return Err(Denial::TrustChanged);
    }
    if now > certificate.not_after {
        return Err(Denial::Expired {
            subject: certificate.subject.clone(),
            not_after: certificate.not_after,
        });
    }
    match access {
        Some(Access::Roles(needs)) if certificate.roles.contains_any(needs) => Ok(()),
        Some(Access::Roles(needs)) => Err(Denial::Role {
            subject: certificate.subject.clone(),
            has: certificate.roles,
            needs: needs.iter().copied().collect(),
        }),
        Some(Access::Nobody(instead)) => Err(Denial::Nobody(instead)),
        None | Some(Access::Maintenance | Access::Paired | Access::Token) => {
            Err(Denial::Unknown(method.to_owned()))
        }
    }
}

/// The methods among `served` that have no row.
pub fn without_rule(served: &[String]) -> Vec<String> {
    served
        .iter()
        .filter(|method| rule(method).is_none())
        .cloned()
        .collect()
}

/// The table as the page that is published, docs/authorization.md.
pub fn page() -> String {
    let mut page = String::from(
        "# Who may call what\n\nGenerated from the table the server decides with (`machined/src/api/authz.rs`); a test holds this page to it.\n\
         Roles stand in the client certificate's organisation. A certificate of a foreign authority, an expired one, or none at all\n\
         does not get past the TLS handshake of a running node. Control planes that workers join through let callers without a\n\
         certificate in, to the methods with `token` alone, which the call itself has to show. In maintenance mode there are no\n\
         certificates: `anybody` and `paired` answer then, and only then.\n\n\
         | method | admin | operator | reader | etcd-backup | no certificate | maintenance mode |\n|---|---|---|---|---|---|---|\n",
    );
    for row in AUTHZ {
        let (roles, nobody, maintenance) = match row.access {
            Access::Maintenance => (&[][..], "-", "anybody"),
            Access::Paired => (&[][..], "-", "paired"),
            Access::Token => (&Role::ALL[..], "token", "-"),
            Access::Roles(roles) => (roles, "-", "-"),
            Access::Nobody(_) => (&[][..], "-", "-"),
        };
        page.push_str(&format!("| `{}` |", row.method));
        for role in Role::ALL {
            page.push_str(if roles.contains(&role) {
                " yes |"
            } else {
                " - |"
            });
        }
        page.push_str(&format!(" {nobody} | {maintenance} |\n"));
    }
    page.push_str(
        "\nOn top of the table:\n\n\
         - `Issue` gives nobody anything without the token of `Join`, whatever role its caller has.\n\
         - `GetConfig` shows secrets to the admin role only, and only when asked to.\n\
         - `cosi.resource.State` reads sensitive kinds with the admin role only, and kinds the node does not know never.\n\
         - `cosi.resource.State` writes nothing over this port: the configuration is the only thing to change.\n",
    );
    page
}

#[cfg(test)]
mod tests;
