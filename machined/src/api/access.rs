//! Who may read which kind of resource over the API port.
//!
//! The table of `authz` has let the call in as a read by a role; this is the second half, which needs the kind: sensitive kinds
//! are for admins, and a kind nobody has registered is for nobody, so that forgetting to say how sensitive a kind is closes it.

use cosi::wire::{Access, Call, Writer};
use pki::{Role, Roles};
use tonic::Status;

use super::audit::Target;
use super::peer::Peer;

/// How much a kind of resource tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitivity {
    /// Nothing secret.
    Normal,
    /// Keys, tokens, anything redacted elsewhere.
    Sensitive,
}

/// A kind of resource, as the registry of types knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind<'a> {
    /// The type's name, as the caller wrote it.
    pub ty: &'a str,
    /// How sensitive it is; `None` when it is not registered.
    pub sensitivity: Option<Sensitivity>,
}

/// Why a kind may not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Only admins.
    #[error("{0} holds secrets and is shown to the admin role only; use another certificate")]
    Sensitive(String),
    /// Nobody knows it.
    #[error(
        "the node has no resources of the type {0:?}; `osctl get resourcedefinitions` lists those it has"
    )]
    Unregistered(String),
    /// No role that reads.
    #[error("{0} needs the role reader, operator or admin; use another certificate")]
    Role(String),
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Self::permission_denied(refusal.to_string())
    }
}

/// Whether `roles` may read `kind`.
///
/// # Errors
/// Why not.
pub fn may_read(roles: Roles, kind: Kind<'_>) -> Result<(), Refusal> {
    let ty = || kind.ty.to_owned();
    if !roles.contains_any(&[Role::Admin, Role::Operator, Role::Reader]) {
        return Err(Refusal::Role(ty()));
    }
    match kind.sensitivity {
        Some(Sensitivity::Normal) => Ok(()),
        Some(Sensitivity::Sensitive) if roles.contains(Role::Admin) => Ok(()),
        Some(Sensitivity::Sensitive) => Err(Refusal::Sensitive(ty())),
        None => Err(Refusal::Unregistered(ty())),
    }
}

/// The API port's answer to the state service: reading by role and kind, writing never. It names the resource in the record.
#[derive(Clone, Copy, Debug, Default)]
pub struct RemoteAccess;

impl Access for RemoteAccess {
    fn check(&self, call: &Call<'_>) -> Result<Writer, Status> {
        if let Some(record) = call.extensions.get::<Target>() {
            let id = call.id.map(|id| format!("/{id}")).unwrap_or_default();
            record.set(format!("{}/{}{id}", call.namespace, call.ty));
        }
        let peer = call.extensions.get::<Peer>().ok_or_else(|| call.denied())?;
        let certificate = peer.certificate().ok_or_else(|| call.denied())?;
        if call.verb.is_write() {
            return Err(call.denied());
        }
        let sensitivity = call.definition.map(|known| match known.sensitive {
            true => Sensitivity::Sensitive,
            false => Sensitivity::Normal,
        });
        may_read(
            certificate.roles,
            Kind {
                ty: call.ty,
                sensitivity,
            },
        )?;
        Ok(Writer(certificate.subject.as_str().into()))
    }
}

#[cfg(test)]
mod tests {
    use pki::{Role, Roles};

    use super::{Kind, Refusal, Sensitivity, may_read};

    #[test]
    fn sensitive_kinds_are_for_admins_and_unknown_ones_for_nobody() {
        let read = |role: Role, sensitivity| {
            may_read(
                role.into(),
                Kind {
                    ty: "Keys.config.garboard",
                    sensitivity,
                },
            )
        };
        for role in [Role::Admin, Role::Operator, Role::Reader] {
            assert_eq!(read(role, Some(Sensitivity::Normal)), Ok(()));
            assert!(matches!(read(role, None), Err(Refusal::Unregistered(_))));
        }
        assert_eq!(read(Role::Admin, Some(Sensitivity::Sensitive)), Ok(()));
        for role in [Role::Operator, Role::Reader] {
            let refused = read(role, Some(Sensitivity::Sensitive));
            assert!(matches!(refused, Err(Refusal::Sensitive(_))));
        }
        assert!(matches!(
            read(Role::EtcdBackup, Some(Sensitivity::Normal)),
            Err(Refusal::Role(_))
        ));
        let nobody = Kind {
            ty: "LinkStatuses.net.garboard",
            sensitivity: Some(Sensitivity::Normal),
        };
        assert!(may_read(Roles::NONE, nobody).is_err());
    }
}
