//! What is refused before anything changes: what is wrong in itself, and what would lock somebody out.

use ::config::{Documents, Role};
use jiff::Timestamp;

use super::documents::SOURCE;
use crate::api::{Caller, Failure};
use crate::config::SaveError;
use crate::runtime::serving::apply as serving;

/// Refuses what was made of another generation than the one that holds. Orders are carried out one by one, so that none
/// comes between this and the change.
pub(super) fn is_expected(expected: Option<u64>, number: u64) -> Result<(), Failure> {
    match expected {
        Some(expected) if expected != number => Err(Failure::outdated(format!(
            "the config was changed in the meantime: this was made for generation {expected}, and generation {number} \
             holds; fetch that one and change it again"
        ))),
        _ => Ok(()),
    }
}

/// Refuses what is wrong in itself, and what would lock everybody out; gives the bytes back.
pub(super) fn check(documents: Vec<u8>, now: Timestamp) -> Result<(Documents, Vec<u8>), Failure> {
    let wanted = ::config::check(SOURCE, &documents)
        .map_err(|problems| Failure::invalid(problems.to_string()))?;
    serving::check(&wanted, now).map_err(|error| {
        Failure::invalid(format!(
            "the node could not be reached with this: {}",
            cosi::report(&error)
        ))
    })?;
    Ok((wanted, documents))
}

/// Refuses the config of a node with another role, which is a slip far more often than it is meant.
pub(super) fn keeps_the_role(
    running: Option<&Documents>,
    wanted: &Documents,
    force: bool,
) -> Result<(), Failure> {
    let role = |documents: &Documents| documents.machine().map(|it| it.role);
    let (Some(has), Some(wants)) = (running.and_then(role), role(wanted)) else {
        return Ok(());
    };
    if has == wants || force {
        return Ok(());
    }
    let loses = match has {
        Role::ControlPlane => {
            "it would give up the cluster's authority and its part of the control plane"
        }
        Role::Worker => {
            "it would give up the certificate it was given and hold the cluster's authority"
        }
    };
    Err(Failure::precondition(format!(
        "this is the config of a {wants} node, and this node is {has}: {loses}; if it is the wrong file, nothing has \
         changed; if it is meant, apply it with --force"
    )))
}

/// Refuses the config of a node of another cluster.
pub(super) fn keeps_the_cluster(
    running: Option<&Documents>,
    wanted: &Documents,
    force: bool,
) -> Result<(), Failure> {
    let has = running.and_then(Documents::cluster_identity);
    let (Some(has), Some(wants)) = (has, wanted.cluster_identity()) else {
        return Ok(());
    };
    if has.id == wants.id || force {
        return Ok(());
    }
    Err(Failure::precondition(format!(
        "this is the config of a node of the cluster {} ({}), and this node is of {} ({}); if it is the wrong file, nothing has \
         changed; if it is meant, apply it with --force",
        wants.cluster, wants.id, has.cluster, has.id
    )))
}

/// Refuses what would lock its sender out. Who paired has no certificate, and needs none to come again.
pub(super) fn keeps_the_caller(
    caller: &Caller,
    wanted: &Documents,
    now: Timestamp,
) -> Result<(), Failure> {
    let (Some(trust), Some(proof)) = (wanted.api_trust(), &caller.proof) else {
        return Ok(());
    };
    if proof.convinces(trust.ca.as_pem(), now) {
        return Ok(());
    }
    Err(Failure::precondition(format!(
        "the certificate of {:?} is of no authority in the `ca` of ApiTrust, so the node would not let its sender in again; \
         let `ca` hold both authorities, then use a certificate of the new one to leave the old one out",
        caller.subject
    )))
}

pub(super) fn save_failure(error: SaveError) -> Failure {
    match error {
        SaveError::Refused(problems) => Failure::invalid(problems.to_string()),
        full @ SaveError::State { .. } => Failure::precondition(cosi::report(&full)),
        other => Failure::internal(cosi::report(&other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cluster: &str, id: char) -> Documents {
        let id: String = std::iter::repeat_n(id, 32).collect();
        let text = format!(
            "apiVersion: garboard/v1alpha1\nkind: ClusterIdentity\ncluster: {cluster}\nid: '{id}'\n"
        );
        ::config::check("test", text.as_bytes()).expect("a config")
    }

    #[test]
    fn a_node_stays_in_its_cluster_unless_forced() {
        let (one, other, none) = (of("a", '1'), of("a", '2'), Documents::default());
        let error = keeps_the_cluster(Some(&one), &other, false).expect_err("another cluster");
        assert!(format!("{error:?}").contains("--force"), "{error:?}");
        for (running, wanted, force) in [
            (Some(&one), &other, true),
            // Its name may change.
            (Some(&one), &of("b", '1'), false),
            (Some(&one), &none, false),
            (Some(&none), &one, false),
            (None, &one, false),
        ] {
            assert!(keeps_the_cluster(running, wanted, force).is_ok());
        }
    }
}
