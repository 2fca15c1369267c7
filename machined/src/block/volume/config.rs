//! The disk the config names.

use ::config::Documents;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::block::{SYSTEM_DISK, SystemDiskSpec};
use resources::config::MachineConfig;

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "block.volume.config" {
        reads MachineConfig;
        writes SystemDiskSpec;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        out.put_all(wanted(&documents).map(|spec| (SYSTEM_DISK.to_owned(), spec)));
        Ok(Outcome::Done)
    }
}

/// What `SystemDisk` says, if there is one.
#[must_use]
pub fn wanted(documents: &Documents) -> Option<SystemDiskSpec> {
    documents.system_disk().map(|it| SystemDiskSpec {
        selector: it.selector.to_string(),
        wipe: it.wipe,
    })
}

#[cfg(test)]
mod tests {
    use cosi::Runtime;
    use jiff::Timestamp;
    use resources::block;
    use resources::config::ACTIVE;
    use store::{Resource, Store, Transaction};

    use super::*;

    fn active(store: &Store, text: &str) {
        let config = MachineConfig {
            text: text.to_owned(),
            ..MachineConfig::default()
        };
        let config = Resource::in_default(ACTIVE, config);
        let transaction = Transaction::owned("test").put(config);
        store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
    }

    #[tokio::test]
    async fn the_document_becomes_the_spec_and_goes_with_it() {
        let store = Store::new(1);
        let mut runtime = Runtime::new("machined", store.clone());
        runtime.register(Config).unwrap();
        let rest = runtime.rest();
        let spec = || {
            let snapshot = store.snapshot();
            let spec = snapshot.get_as::<SystemDiskSpec>(block::NAMESPACE, SYSTEM_DISK);
            spec.map(|it| (*it.spec).clone())
        };
        let testing = async {
            let document = "apiVersion: garboard/v1alpha1\nkind: SystemDisk\nmatch: serial == \"system\"\nwipe: true\n";
            active(&store, document);
            rest.reached().await;
            let wanted = SystemDiskSpec {
                selector: "serial == \"system\"".to_owned(),
                wipe: true,
            };
            assert_eq!(spec(), Some(wanted));
            active(
                &store,
                "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: a\n",
            );
            rest.reached().await;
            assert_eq!(spec(), None);
        };
        tokio::select! {
            _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
            () = testing => {}
        }
    }
}
