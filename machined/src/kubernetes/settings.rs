//! Files that the API server reads beside its flags. Pure; JSON is YAML to it.

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

/// What is written down of calls: who changed what, and never what was in it. What the parts of a cluster ask each other
/// all the time is left out, and so is reading, but for secrets.
#[must_use]
pub fn audit_policy() -> Value {
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
        let policy = audit_policy();
        let rules = policy["rules"].as_array().unwrap();
        assert!(
            rules
                .iter()
                .all(|rule| ["None", "Metadata"].contains(&rule["level"].as_str().unwrap()))
        );
        assert_eq!(rules.last().unwrap(), &json!({"level": "Metadata"}));
    }
}
