//! What an `ApiServer` sets: an API server that refuses its settings does not start, so what can be told before is.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Fault;
use crate::document::Documents;
use crate::kinds::{AdmissionConfig, AdmissionPlugin, ApiServerConfig, Role};

/// The levels of the Pod Security Standards.
const LEVELS: [&str; 3] = ["privileged", "baseline", "restricted"];

/// What calls can leave behind (`Level` of `audit.k8s.io/v1`).
const AUDIT_LEVELS: [&str; 4] = ["None", "Metadata", "Request", "RequestResponse"];

impl Documents {
    pub(super) fn check_api_server(&self, it: &ApiServerConfig) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.machine().map(|it| it.role) == Some(Role::Worker) {
            let message = "ApiServer does nothing on a worker: it has no API server";
            let help = "remove it here, and give it to every node of the control plane";
            faults.push(Fault::new(&[], message, help));
        } else if self.kubernetes().is_none() {
            let message = "ApiServer needs a Kubernetes document with the cluster it is of";
            faults.push(Fault::new(&[], message, "add one, or remove this one"));
        }
        let mut seen = BTreeSet::new();
        for (index, admission) in it.admission.iter().enumerate() {
            let number = index.to_string();
            if seen.insert(admission.plugin) {
                faults.extend(check_admission(&number, admission));
            } else {
                let message = format!("{} is there twice", admission.plugin);
                let help = "make one of the two";
                faults.push(Fault::new(&["admission", &number], message, help));
            }
        }
        if let Some(policy) = &it.audit_policy {
            if !policy.is("audit.k8s.io/v1", "Policy") {
                let message = "the policy is no `Policy` of `audit.k8s.io/v1`";
                let help = "the API server takes no other; write that as `kind` and `apiVersion`";
                faults.push(Fault::new(&["auditPolicy"], message, help));
            } else if let Some(message) = check_rules(policy.value()) {
                let help =
                    "each of `rules` has a `level`: None, Metadata, Request or RequestResponse";
                faults.push(Fault::new(&["auditPolicy"], message, help));
            }
        }
        faults
    }
}

fn check_admission(number: &str, admission: &AdmissionConfig) -> Option<Fault> {
    let plugin = admission.plugin;
    let path = ["admission", number, "configuration"];
    let settings = match (&admission.configuration, plugin.settings()) {
        (Some(settings), Some((version, kind))) if !settings.is(version, kind) => {
            let message = format!("the settings of {plugin} are no `{kind}` of `{version}`");
            let help = "the API server takes no others; write that as `kind` and `apiVersion`";
            return Some(Fault::new(&path, message, help));
        }
        (Some(_), None) => {
            let message = format!("{plugin} has no settings");
            return Some(Fault::new(&path, message, "remove `configuration`"));
        }
        (None, _) if plugin == AdmissionPlugin::EventRateLimit => {
            let message = format!("{plugin} limits nothing without settings");
            let help = "write them below `configuration: |`, with `limits`";
            return Some(Fault::new(&path[..2], message, help));
        }
        (settings, _) => settings.as_ref()?,
    };
    if plugin != AdmissionPlugin::PodSecurity {
        return None;
    }
    let defaults = settings.value().get("defaults")?;
    let (field, level) = ["enforce", "audit", "warn"]
        .into_iter()
        .filter_map(|field| Some((field, defaults.get(field)?)))
        .find(|(_, level)| !LEVELS.iter().any(|it| level == it))?;
    let message = format!("`{field}` of PodSecurity is {level}");
    let help = "it is privileged, baseline or restricted";
    Some(Fault::new(&path, message, help))
}

/// What is wrong with the rules of a policy.
fn check_rules(policy: &Value) -> Option<String> {
    let rules = policy.get("rules").and_then(Value::as_array);
    let rules = rules.map(Vec::as_slice).unwrap_or_default();
    if rules.is_empty() {
        return Some("the policy has no rules".to_owned());
    }
    let good = |rule: &Value| {
        let level = rule.get("level").and_then(Value::as_str);
        level.is_some_and(|it| AUDIT_LEVELS.contains(&it))
    };
    let wrong = rules.iter().position(|rule| !good(rule))?;
    Some(format!("rule {} of the policy has no level", wrong + 1))
}
