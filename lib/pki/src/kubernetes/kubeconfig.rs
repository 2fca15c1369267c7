//! The file that leads a client of Kubernetes to the API.
//!
//! What runs for long names the files of its certificate and key, which it reads again when they change; what is given away holds them.

use data_encoding::BASE64;
use serde::Serialize;
use serde_yaml::SerializeError;

use crate::Secret;

/// A part of a kubeconfig: PEM text that the file itself holds, or the file that has it.
#[derive(Clone, Copy)]
pub enum Part<'a> {
    /// The text.
    Text(&'a str),
    /// An absolute path.
    File(&'a str),
}

/// Not even the text of a certificate: the key is such a part too.
impl std::fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// Who asks which API.
#[derive(Clone, Copy, Debug)]
pub struct Kubeconfig<'a> {
    /// What the cluster is called in the file.
    pub cluster: &'a str,
    /// The URL of the API.
    pub server: &'a str,
    /// The authorities that the API is believed by.
    pub authority: Part<'a>,
    /// What the holder is called in the file.
    pub user: &'a str,
    /// The holder's certificate.
    pub certificate: Part<'a>,
    /// The key that belongs to it.
    pub key: Part<'a>,
}

/// A kubeconfig could not be written.
#[derive(Debug, thiserror::Error)]
#[error("write the kubeconfig as YAML")]
pub struct KubeconfigError(#[source] SerializeError);

impl Kubeconfig<'_> {
    /// The file, YAML; as secret as its key.
    ///
    /// # Errors
    /// When a name is nothing that YAML can say; no text is.
    pub fn to_yaml(&self) -> Result<Secret<String>, KubeconfigError> {
        let (cluster, user) = (self.cluster, self.user);
        let context = format!("{user}@{cluster}");
        let (authority, authority_data) = parts(self.authority);
        let (certificate, certificate_data) = parts(self.certificate);
        let (key, key_data) = parts(self.key);
        let key_data = key_data.map(Secret::new);
        let file = File {
            api_version: "v1",
            kind: "Config",
            clusters: [NamedCluster {
                name: cluster,
                cluster: Cluster {
                    server: self.server,
                    authority,
                    authority_data,
                },
            }],
            users: [NamedUser {
                name: user,
                user: User {
                    certificate,
                    certificate_data,
                    key,
                    key_data: key_data.as_ref().map(|it| it.expose().as_str()),
                },
            }],
            contexts: [NamedContext {
                name: &context,
                context: Context { cluster, user },
            }],
            current_context: &context,
        };
        let text = serde_yaml::to_string(&file).map_err(KubeconfigError)?;
        Ok(Secret::new(text))
    }
}

/// The path, or the text in base64.
fn parts(part: Part<'_>) -> (Option<&str>, Option<String>) {
    match part {
        Part::File(path) => (Some(path), None),
        Part::Text(text) => (None, Some(BASE64.encode(text.as_bytes()))),
    }
}

/// As `k8s.io/client-go/tools/clientcmd/api/v1` has it.
#[derive(Serialize)]
struct File<'a> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    clusters: [NamedCluster<'a>; 1],
    users: [NamedUser<'a>; 1],
    contexts: [NamedContext<'a>; 1],
    #[serde(rename = "current-context")]
    current_context: &'a str,
}

#[derive(Serialize)]
struct NamedCluster<'a> {
    name: &'a str,
    cluster: Cluster<'a>,
}

#[derive(Serialize)]
struct Cluster<'a> {
    server: &'a str,
    #[serde(
        rename = "certificate-authority",
        skip_serializing_if = "Option::is_none"
    )]
    authority: Option<&'a str>,
    #[serde(
        rename = "certificate-authority-data",
        skip_serializing_if = "Option::is_none"
    )]
    authority_data: Option<String>,
}

#[derive(Serialize)]
struct NamedUser<'a> {
    name: &'a str,
    user: User<'a>,
}

#[derive(Serialize)]
struct User<'a> {
    #[serde(rename = "client-certificate", skip_serializing_if = "Option::is_none")]
    certificate: Option<&'a str>,
    #[serde(
        rename = "client-certificate-data",
        skip_serializing_if = "Option::is_none"
    )]
    certificate_data: Option<String>,
    #[serde(rename = "client-key", skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(rename = "client-key-data", skip_serializing_if = "Option::is_none")]
    key_data: Option<&'a str>,
}

#[derive(Serialize)]
struct NamedContext<'a> {
    name: &'a str,
    context: Context<'a>,
}

#[derive(Serialize)]
struct Context<'a> {
    cluster: &'a str,
    user: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_for_long_names_its_files() {
        let file = Kubeconfig {
            cluster: "lab",
            server: "https://[fd00::2]:6443",
            authority: Part::Text("CA"),
            user: "system:kube-scheduler",
            certificate: Part::File("/run/garboard/kubernetes/scheduler.crt"),
            key: Part::File("/run/garboard/kubernetes/scheduler.key"),
        };
        assert_eq!(
            file.to_yaml().unwrap().expose(),
            "\
apiVersion: v1
kind: Config
clusters:
- name: lab
  cluster:
    server: https://[fd00::2]:6443
    certificate-authority-data: Q0E=
users:
- name: system:kube-scheduler
  user:
    client-certificate: /run/garboard/kubernetes/scheduler.crt
    client-key: /run/garboard/kubernetes/scheduler.key
contexts:
- name: system:kube-scheduler@lab
  context:
    cluster: lab
    user: system:kube-scheduler
current-context: system:kube-scheduler@lab
"
        );
    }

    #[test]
    fn what_is_given_away_holds_its_key_and_does_not_show_it() {
        let file = Kubeconfig {
            cluster: "lab",
            server: "https://k8s.example.org:6443",
            authority: Part::File("/ca.crt"),
            // Nothing that a name says is YAML.
            user: "mina: [x",
            certificate: Part::Text("CERTIFICATE"),
            key: Part::Text("KEY"),
        };
        let text = file.to_yaml().unwrap();
        let value: serde_json::Value = serde_yaml::from_str(text.expose()).unwrap();
        let pointer = |path: &str| value.pointer(path).and_then(|it| it.as_str());
        assert_eq!(pointer("/users/0/name"), Some("mina: [x"));
        assert_eq!(pointer("/current-context"), Some("mina: [x@lab"));
        assert_eq!(pointer("/users/0/user/client-key-data"), Some("S0VZ"));
        assert_eq!(pointer("/users/0/user/client-key"), None);
        assert_eq!(
            pointer("/clusters/0/cluster/certificate-authority"),
            Some("/ca.crt")
        );
        assert!(!format!("{file:?}").contains("KEY"));
    }
}
