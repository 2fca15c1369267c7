//! Secrets in resources: `get` shows none. Who wants those of the config asks for them with `osctl config show`.

use resources::config::MachineConfig;
use serde_json::Value;
use store::Spec as _;

/// Takes the secrets out of a spec of this type, as YAML has it.
pub(super) fn hide(ty: &str, spec: &mut Value) {
    if ty != MachineConfig::DEFINITION.ty {
        return;
    }
    if let Some(Value::String(text)) = spec.get_mut("text") {
        let documents = config::parse("config", text.as_bytes()).ok();
        let safe = documents.and_then(|it| it.redacted().to_yaml().ok());
        *text = safe.unwrap_or_else(|| config::REDACTED.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TRUST: &str = "\
apiVersion: garboard/v1alpha1
kind: ApiTrust
ca: |
  -----BEGIN CERTIFICATE-----
  AAAA
  -----END CERTIFICATE-----
serving:
  certificate: |
    -----BEGIN CERTIFICATE-----
    AAAA
    -----END CERTIFICATE-----
  key: |
    -----BEGIN PRIVATE KEY-----
    SECRET
    -----END PRIVATE KEY-----
";

    #[test]
    fn a_config_is_shown_without_its_keys() {
        let ty = MachineConfig::DEFINITION.ty;
        for (text, kept) in [(TRUST, "CERTIFICATE"), ("key: SECRET", config::REDACTED)] {
            let mut spec = json!({"generation": 3, "text": text});
            hide(ty, &mut spec);
            let shown = spec.to_string();
            assert!(!shown.contains("SECRET"), "{shown}");
            assert!(
                shown.contains(kept) && shown.contains("\"generation\":3"),
                "{shown}"
            );
        }
        let mut other = json!({"text": "SECRET"});
        hide("Others.garboard", &mut other);
        assert_eq!(other, json!({"text": "SECRET"}));
    }
}
