//! Config documents as callers see them: what is wrong with them, what would change, what the node runs.

use std::collections::BTreeSet;

use ::api::v1alpha1 as v1;
use ::config::Documents;
use resources::net::LinkStatus;
use store::{Snapshot, Spec};

use crate::api::Failure;
use crate::config::{Active, active};

/// The name of documents in errors: the caller knows the file's name, the node does not.
pub(super) const SOURCE: &str = "config";

/// Everything that is wrong with documents, for the node in this state.
pub(super) fn validate(documents: &[u8], snapshot: &Snapshot) -> v1::ValidateConfigResponse {
    let (problems, warnings) = match ::config::check(SOURCE, documents) {
        Ok(documents) => (Vec::new(), warnings(&documents, snapshot)),
        Err(problems) => (problems.iter().map(problem).collect(), Vec::new()),
    };
    v1::ValidateConfigResponse { problems, warnings }
}

/// What an operator should know of documents that are right in themselves.
pub(super) fn warnings(documents: &Documents, snapshot: &Snapshot) -> Vec<String> {
    let waits = "there is no ApiTrust document: the node stays in maintenance mode, reached by its pairing string alone";
    let none = documents.api_trust().is_none();
    let mut warnings: Vec<_> = none.then(|| waits.to_owned()).into_iter().collect();
    let links: BTreeSet<_> = snapshot
        .list_as::<LinkStatus>(LinkStatus::DEFINITION.namespace)
        .map(|link| link.metadata.id.to_string())
        .collect();
    let known = Vec::from_iter(links.iter().map(String::as_str)).join(", ");
    let named = documents.links().map(|it| it.name.as_str());
    let named: BTreeSet<_> = named
        .chain(documents.dhcp4().map(|it| it.name.as_str()))
        .collect();
    // Before networkd has looked there are none, and nothing to say. A card may be put in later, so it is no mistake.
    let missing = named.iter().filter(|it| !links.contains(**it));
    warnings.extend(missing.filter(|_| !links.is_empty()).map(|name| {
        format!("there is no link `{name}` now, so what is said of it waits; there are: {known}")
    }));
    warnings.extend(documents.warnings());
    warnings
}

fn problem(problem: &::config::Problem) -> v1::ConfigProblem {
    let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
    let (line, column) = problem
        .position
        .map_or((0, 0), |at| (number(at.line), number(at.column)));
    v1::ConfigProblem {
        line,
        column,
        message: problem.to_string(),
    }
}

/// The config the node runs, without secrets unless they are asked for.
pub(super) fn active_config(
    snapshot: &Snapshot,
    reveal_secrets: bool,
) -> Result<v1::GetConfigResponse, Failure> {
    let found = active(snapshot).map_err(|error| Failure::internal(cosi::report(&error)))?;
    let Some(Active { config, documents }) = found else {
        return Err(Failure::not_found("the node has no config"));
    };
    let text = if reveal_secrets {
        config.text.clone()
    } else {
        documents
            .redacted()
            .to_yaml()
            .map_err(|error| Failure::internal(cosi::report(&error)))?
    };
    Ok(v1::GetConfigResponse {
        documents: text.into_bytes(),
        generation: config.generation,
    })
}

/// One line per document that comes, goes or changes.
pub(super) fn changes(active: Option<&Documents>, wanted: &Documents) -> Vec<String> {
    let before = |identity| {
        active
            .into_iter()
            .flat_map(Documents::iter)
            .find(|document| document.identity() == identity)
    };
    let come = wanted
        .iter()
        .filter_map(|document| match before(document.identity()) {
            None => Some(format!("create {}", document.identity())),
            Some(old) if old != document => Some(format!("change {}", document.identity())),
            Some(_) => None,
        });
    let stays = |document: &&::config::Document| {
        wanted
            .iter()
            .any(|other| other.identity() == document.identity())
    };
    let go = active
        .into_iter()
        .flat_map(Documents::iter)
        .filter(|document| !stays(document));
    come.chain(go.map(|document| format!("delete {}", document.identity())))
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use store::{Resource, Store, Transaction};

    use super::*;

    fn documents(text: &str) -> Documents {
        ::config::parse("test", text.as_bytes()).expect("documents")
    }

    #[test]
    fn a_link_that_is_not_there_is_told_once_the_links_are_known() {
        let api = "apiVersion: garboard/v1alpha1\n";
        let wanted = documents(&format!(
            "{api}kind: Link\nname: eth7\n---\n{api}kind: Dhcp4\nname: eth7\n---\n{api}kind: Link\nname: eth0\n"
        ));
        let store = Store::new(1);
        let told = || {
            let mut told = warnings(&wanted, &store.snapshot());
            told.retain(|it| it.contains("no link"));
            told
        };
        assert_eq!(told(), Vec::<String>::new());
        for name in ["eth0", "lo"] {
            let link = Resource::in_default(name, LinkStatus::default());
            let made = Transaction::owned("test").create(link);
            store.commit(made, Timestamp::UNIX_EPOCH).expect("made");
        }
        let expected =
            "there is no link `eth7` now, so what is said of it waits; there are: eth0, lo";
        assert_eq!(told(), [expected]);
    }

    #[test]
    fn what_etcd_advises_against_is_told() {
        let etcd = |rest: &str| {
            let text = format!("apiVersion: garboard/v1alpha1\nkind: Etcd\n{rest}");
            let mut told = warnings(&documents(&text), &Store::new(1).snapshot());
            told.retain(|it| it.contains("Etcd"));
            told
        };
        assert_eq!(etcd(""), Vec::<String>::new());
        let told = etcd("quota: 16Gi\nelection: 2s\n");
        assert_eq!(told.len(), 2, "{told:?}");
    }

    #[test]
    fn every_changed_document_is_told() {
        let api = "apiVersion: garboard/v1alpha1\n";
        let before = documents(&format!(
            "{api}kind: Hostname\nhostname: a\n---\n{api}kind: Link\nname: eth0\n"
        ));
        let after = documents(&format!(
            "{api}kind: Hostname\nhostname: b\n---\n{api}kind: Link\nname: eth1\n"
        ));
        assert_eq!(
            changes(Some(&before), &after),
            [
                "change Hostname",
                "create Link `eth1`",
                "delete Link `eth0`"
            ]
        );
        assert_eq!(changes(Some(&after), &after), Vec::<String>::new());
    }
}
