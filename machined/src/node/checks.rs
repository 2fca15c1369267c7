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
