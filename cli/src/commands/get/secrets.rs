//! Secrets in resources: `get` shows none. Who wants those of the config asks for them with `osctl config show`.

use config::ProxyUrl;
use config::schema::Schema as _;
use resources::config::MachineConfig;
use resources::runtime::EnvironmentSpec;
use serde_json::Value;
use store::Spec as _;

/// Takes the secrets out of a spec of this type, as YAML has it.
pub(super) fn hide(ty: &str, spec: &mut Value) {
    if ty == EnvironmentSpec::DEFINITION.ty {
        let variables = spec.get_mut("variables").and_then(Value::as_array_mut);
        return variables.into_iter().flatten().for_each(hide_password);
    }
    if ty != MachineConfig::DEFINITION.ty {
        return;
    }
    if let Some(Value::String(text)) = spec.get_mut("text") {
        let documents = config::parse("config", text.as_bytes()).ok();
        let safe = documents.and_then(|it| it.redacted().to_yaml().ok());
        *text = safe.unwrap_or_else(|| config::REDACTED.to_owned());
    }
}

/// Takes the password out of `NAME=VALUE`, where that is the URL of a proxy.
fn hide_password(variable: &mut Value) {
    let Value::String(text) = variable else {
        return;
    };
    if let Some((name, value)) = text.split_once('=')
        && let Ok(mut url) = value.parse::<ProxyUrl>()
    {
        url.redact();
        *text = format!("{name}={}", url.to_url());
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
    fn what_is_shown_has_no_secret() {
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
        let mut spec =
            json!({"variables": ["A=1", "no=", "HTTP_PROXY=http://me:SECRET@proxy:3128"]});
        hide(EnvironmentSpec::DEFINITION.ty, &mut spec);
        let safe =
            json!({"variables": ["A=1", "no=", "HTTP_PROXY=http://**redacted**@proxy:3128"]});
        assert_eq!(spec, safe);
        let mut other = json!({"text": "SECRET"});
        hide("Others.garboard", &mut other);
        assert_eq!(other, json!({"text": "SECRET"}));
    }
}
