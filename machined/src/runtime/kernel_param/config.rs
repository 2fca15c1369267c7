//! The settings the config names.

use std::collections::BTreeMap;

use ::config::Documents;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::runtime::KernelParamSpec;

use crate::kubernetes::kernel;

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "runtime.kernel-param.config" {
        reads MachineConfig;
        writes KernelParamSpec;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        out.put_all(wanted(&documents));
        Ok(Outcome::Done)
    }
}

/// One spec per `Sysctl`, and what Kubernetes needs where they say nothing of it. There are no other defaults: what a node is to have
/// without a config, init has set by then.
#[must_use]
pub fn wanted(documents: &Documents) -> BTreeMap<String, KernelParamSpec> {
    let needed = documents.kubernetes().map(|_| kernel::PARAMS);
    let needed = needed.into_iter().flatten();
    let needed = needed.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let said = documents
        .sysctls()
        .map(|it| (it.key().to_string(), it.value().to_string()));
    needed
        .chain(said)
        .map(|(key, value)| (key, KernelParamSpec { value }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_of_a_cluster_has_what_that_needs_unless_its_config_says_otherwise() {
        let key = "net.bridge.bridge-nf-call-iptables";
        let sysctl =
            format!("apiVersion: garboard/v1alpha1\nkind: Sysctl\nname: {key}\nvalue: 0\n");
        let cluster = "---\napiVersion: garboard/v1alpha1\nkind: Kubernetes\nversion: 1.37.1\nendpoint: https://api.example.org:6443\n";
        let of = |text: &str| wanted(&::config::parse("test", text.as_bytes()).unwrap());
        assert_eq!(of(&sysctl).len(), 1);
        let both = of(&format!("{sysctl}{cluster}"));
        assert_eq!(both.len(), kernel::PARAMS.len());
        assert_eq!(both[key].value, "0");
        assert_eq!(both["net.bridge.bridge-nf-call-ip6tables"].value, "1");
    }
}
