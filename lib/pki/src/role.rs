//! The roles a client certificate can carry.
//!
//! Roles stand in the subject's organisation, one value each, and nowhere else: no file, no database. Which role may do what is
//! machined's table; this module only knows the names. Organisations it does not know are ignored, so that a certificate may
//! serve other systems as well.

use std::fmt;
use std::str::FromStr;

/// What the holder of a client certificate may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything, secrets included.
    Admin,
    /// Everyday work: restarts and looking at things, no configuration and no secrets.
    Operator,
    /// Looking at things that hold no secrets.
    Reader,
    /// Taking copies of etcd, for unattended backups.
    EtcdBackup,
}

impl Role {
    /// Every role, most powerful first.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Operator, Self::Reader, Self::EtcdBackup];

    /// The value in the certificate's organisation.
    pub const fn organization(self) -> &'static str {
        match self {
            Self::Admin => "garboard:admin",
            Self::Operator => "garboard:operator",
            Self::Reader => "garboard:reader",
            Self::EtcdBackup => "garboard:etcd-backup",
        }
    }

    /// The word people use for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Reader => "reader",
            Self::EtcdBackup => "etcd-backup",
        }
    }

    fn from_organization(organization: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| role.organization() == organization)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No role has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no role is named {0:?}; there are admin, operator, reader and etcd-backup")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let name = text.strip_prefix("garboard:").unwrap_or(text);
        Self::ALL
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Roles(u8);

impl Roles {
    /// No role at all.
    pub const NONE: Self = Self(0);

    /// The roles among a certificate's organisations.
    pub fn from_organizations<'a>(organizations: impl IntoIterator<Item = &'a str>) -> Self {
        organizations
            .into_iter()
            .filter_map(Role::from_organization)
            .collect()
    }

    /// Whether `role` is in the set.
    pub const fn contains(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// Whether any of `roles` is in the set.
    pub fn contains_any(self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.contains(*role))
    }

    /// The set without the roles that another one in it includes: the same rights in fewer words.
    #[must_use]
    pub fn without_implied(self) -> Self {
        let implied = |role: Role| match role {
            Role::Admin => false,
            Role::Operator => self.contains(Role::Admin),
            Role::Reader => self.contains_any(&[Role::Admin, Role::Operator]),
            Role::EtcdBackup => self.contains(Role::Admin),
        };
        self.iter().filter(|role| !implied(*role)).collect()
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The roles in the set, most powerful first.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL
            .into_iter()
            .filter(move |role| self.contains(*role))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().fold(0, |bits, role| bits | role.bit()))
    }
}

impl From<Role> for Roles {
    fn from(role: Role) -> Self {
        Self(role.bit())
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (index, role) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(role.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Role, Roles};

    #[test]
    fn reads_known_organizations_and_ignores_others() {
        let roles = Roles::from_organizations([
            "system:masters",
            "garboard:reader",
            "garboard:root",
            "Garboard:admin",
        ]);
        assert_eq!(roles, Roles::from(Role::Reader));
    }

    #[test]
    fn every_role_reads_back_from_both_of_its_names() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
            assert_eq!(role.organization().parse(), Ok(role));
            assert_eq!(
                Roles::from_organizations([role.organization()]),
                Roles::from(role)
            );
        }
        assert!("root".parse::<Role>().is_err());
    }

    #[test]
    fn leaves_implied_roles_out_and_never_keeps_more_than_two() {
        let reduce = |roles: &[Role]| roles.iter().copied().collect::<Roles>().without_implied();
        assert_eq!(reduce(&Role::ALL), Roles::from(Role::Admin));
        assert_eq!(
            reduce(&[Role::Reader, Role::Operator, Role::EtcdBackup]).to_string(),
            "operator,etcd-backup"
        );
        for bits in 0..16 {
            assert!(Roles(bits).without_implied().iter().count() <= 2);
        }
    }

    #[test]
    fn shows_the_set_in_order() {
        let roles: Roles = [Role::Reader, Role::Admin].into_iter().collect();
        assert_eq!(roles.to_string(), "admin,reader");
        assert_eq!(Roles::NONE.to_string(), "none");
    }
}
