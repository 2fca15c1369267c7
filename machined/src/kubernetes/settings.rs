//! Files that the API server reads beside its flags. Pure; JSON is YAML to it.

use ::config::{AdmissionPlugin, ApiServerConfig};
use serde_json::{Value, json};

/// Paths that anybody may ask for: whoever looks after a control plane from outside, as a load balancer, has no certificate.
const FOR_ANYBODY: [&str; 3] = ["/healthz", "/livez", "/readyz"];

/// Who callers are: those with a certificate, service accounts, and for a few paths nobody in particular.
#[must_use]
pub fn authentication() -> Value {
    let conditions: Vec<_> = FOR_ANYBODY.map(|path| json!({"path": path})).into();
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": true, "conditions": conditions},
    })
}

/// What is kept encrypted in etcd: secrets. Those that were written in plain are read all the same; with another key, none.
///
/// `key` is base64 of 32 bytes.
#[must_use]
pub fn encryption(key: &str) -> Value {
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{
            "resources": ["secrets"],
            "providers": [
                {"secretbox": {"keys": [{"name": "key1", "secret": key}]}},
                {"identity": {}},
            ],
        }],
    })
}

/// What plugins have a say in what is admitted beside those that Kubernetes runs by itself, separated by commas.
#[must_use]
pub fn admission_plugins(config: &ApiServerConfig) -> String {
    // What kubelets may change is for nobody to choose.
    let chosen = config.admission.iter().map(|it| it.plugin.name());
    let mut all: Vec<_> = chosen.chain(["NodeRestriction"]).collect();
    all.sort_unstable();
    all.join(",")
}

/// How plugins are set. Without a word of the config, pods may not be more than most need: hosts are nobody's to change, and
/// who runs a privileged pod says so by a label of its namespace.
#[must_use]
pub fn admission(config: &ApiServerConfig) -> Value {
    let set = config.admission.iter().filter_map(|it| {
        let settings = it.configuration.as_ref()?;
        Some((it.plugin, settings.value().clone()))
    });
    let mut plugins: Vec<_> = set.collect();
    if !plugins
        .iter()
        .any(|(it, _)| *it == AdmissionPlugin::PodSecurity)
    {
        plugins.push((AdmissionPlugin::PodSecurity, pod_security()));
    }
    let plugins: Vec<_> = plugins
        .into_iter()
        .map(|(plugin, settings)| json!({"name": plugin.name(), "configuration": settings}))
        .collect();
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": plugins,
    })
}

fn pod_security() -> Value {
    json!({
        "apiVersion": "pod-security.admission.config.k8s.io/v1",
        "kind": "PodSecurityConfiguration",
        "defaults": {
            "enforce": "baseline",
            "enforce-version": "latest",
            "audit": "restricted",
            "audit-version": "latest",
            "warn": "restricted",
            "warn-version": "latest",
        },
        "exemptions": {"namespaces": ["kube-system"]},
    })
}

/// What is written down of calls, as the config has it or else as it is by default.
#[must_use]
pub fn audit_policy(config: &ApiServerConfig) -> Value {
    let own = config.audit_policy.as_ref();
    own.map_or_else(default_audit_policy, |it| it.value().clone())
}

/// What is written down of calls: who changed what, and never what was in it. What the parts of a cluster ask each other
/// all the time is left out, and so is reading, but for secrets.
fn default_audit_policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi*"]},
            {"level": "Metadata", "resources": [{"group": "", "resources": ["secrets"]}]},
            {"level": "None", "verbs": ["get", "list", "watch"]},
            {"level": "None", "resources": [
                {"group": "", "resources": ["events"]},
                {"group": "events.k8s.io", "resources": ["events"]},
                {"group": "coordination.k8s.io", "resources": ["leases"]},
                {"group": "authentication.k8s.io", "resources": ["tokenreviews"]},
                {"group": "authorization.k8s.io", "resources": ["subjectaccessreviews"]},
            ]},
            {"level": "None", "userGroups": ["system:nodes"], "resources": [
                {"group": "", "resources": ["nodes/status", "pods/status"]},
            ]},
            {"level": "Metadata"},
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_may_ask_for_more_than_health() {
        let conditions = &authentication()["anonymous"]["conditions"];
        let paths: Vec<_> = conditions
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["path"].as_str().unwrap())
            .collect();
        assert_eq!(paths, ["/healthz", "/livez", "/readyz"]);
    }

    #[test]
    fn the_first_provider_writes_and_it_encrypts() {
        let encryption = encryption("a2V5");
        let providers = &encryption["resources"][0]["providers"];
        assert_eq!(providers[0]["secretbox"]["keys"][0]["secret"], "a2V5");
        assert!(providers[1].get("identity").is_some());
    }

    #[test]
    fn what_is_in_a_secret_is_never_written_down() {
        let policy = audit_policy(&ApiServerConfig::default());
        let rules = policy["rules"].as_array().unwrap();
        assert!(
            rules
                .iter()
                .all(|rule| ["None", "Metadata"].contains(&rule["level"].as_str().unwrap()))
        );
        assert_eq!(rules.last().unwrap(), &json!({"level": "Metadata"}));
    }

    #[test]
    fn what_the_config_sets_stands_in_the_place_of_the_default() {
        let plugins = |config: &ApiServerConfig| {
            let admission = admission(config);
            let plugins = admission["plugins"].as_array().unwrap().iter();
            let of = |it: &Value| it["configuration"]["defaults"]["enforce"].clone();
            let all: Vec<_> = plugins.map(|it| (it["name"].clone(), of(it))).collect();
            (admission_plugins(config), all)
        };
        let default = ApiServerConfig::default();
        let (names, all) = plugins(&default);
        assert_eq!(names, "NodeRestriction");
        assert_eq!(all, [(json!("PodSecurity"), json!("baseline"))]);

        let text = "apiVersion: garboard/v1alpha1\nkind: ApiServer\nadmission:\n  - plugin: PodSecurity\n    configuration: |\n      apiVersion: pod-security.admission.config.k8s.io/v1\n      kind: PodSecurityConfiguration\n      defaults: {enforce: restricted}\n  - plugin: AlwaysPullImages\nauditPolicy: |\n  apiVersion: audit.k8s.io/v1\n  kind: Policy\n  rules: [{level: None}]\n";
        let documents = ::config::parse("test", text.as_bytes()).unwrap();
        let own = documents.api_server().unwrap();
        let (names, all) = plugins(own);
        assert_eq!(names, "AlwaysPullImages,NodeRestriction,PodSecurity");
        assert_eq!(all, [(json!("PodSecurity"), json!("restricted"))]);
        assert_eq!(audit_policy(own)["rules"], json!([{"level": "None"}]));
        assert_ne!(audit_policy(own), audit_policy(&default));
    }
}
