//! The certificates that a control plane issues to its own parts, as a table.
//!
//! [`wanted`] says which there are to be, [`CertificateSpec::plan`] whether one that is there does, and [`Authority::issue`] makes one.
//! Every file of a certificate can be replaced while its holder runs: etcd, the API server and Kubernetes' clients read theirs again.
//!
//! Nobody here is in `system:masters`, the group that no authorizer is asked about, but [`admin`]: that one is for the node itself and
//! for people, and short-lived.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose};

use crate::authority::alternative_names;
use crate::renewal::{self, Plan, Reason};
use crate::{
    Authority, Certificate, Identity, IssueError, Names, Request, SERVING_LIFETIME, Usage,
};

/// How long the certificates of a control plane hold; they are renewed at half of it.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(365 * 24);

/// How long the certificate of an administrator holds when nobody asks for more: a day of work, and none after it.
pub const ADMIN_LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// The group of the API server as a client of kubelets: `kubectl logs`, `exec` and `port-forward` go through it.
///
/// A kubelet asks the API whether that group may, so a `ClusterRoleBinding` has to give the group the `ClusterRole`
/// `system:kubelet-api-admin`, which every API server makes at its start. Until then those commands are refused, and nothing else is.
pub const KUBELET_ADMINS: &str = "garboard:kubelet-admins";

/// The group of nodes, which the node authorizer knows.
const NODES: &str = "system:nodes";

/// The group that may everything.
const MASTERS: &str = "system:masters";

/// What a control plane is, as far as its certificates say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPlane<'a> {
    /// The name of the node.
    pub node: &'a str,
    /// The addresses that others reach it by.
    pub addresses: &'a BTreeSet<IpAddr>,
    /// The host of the cluster's endpoint, a name or an address.
    pub endpoint: &'a Names,
    /// The addresses of the API within the cluster: the first of each service range.
    pub services: &'a [IpAddr],
    /// The domain of the cluster.
    pub dns_domain: &'a str,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// The API server answers with it.
    ApiServer,
    /// The API server asks kubelets with it.
    ApiServerKubeletClient,
    /// The API server asks etcd with it.
    ApiServerEtcdClient,
    /// The API server sends requests on with it, to servers that extend the API.
    FrontProxyClient,
    /// The controller manager asks the API with it.
    ControllerManager,
    /// The scheduler asks the API with it.
    Scheduler,
    /// The kubelet asks the API with it.
    Kubelet,
    /// The kubelet answers with it.
    KubeletServing,
    /// A member of etcd answers clients with it.
    EtcdServer,
    /// Members of etcd speak to each other with it.
    EtcdPeer,
    /// Somebody asks the API with it who may do everything.
    Admin,
}

impl Purpose {
    /// Its name, for files and ids.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiServer => "apiserver",
            Self::ApiServerKubeletClient => "apiserver-kubelet-client",
            Self::ApiServerEtcdClient => "apiserver-etcd-client",
            Self::FrontProxyClient => "front-proxy-client",
            Self::ControllerManager => "controller-manager",
            Self::Scheduler => "scheduler",
            Self::Kubelet => "kubelet",
            Self::KubeletServing => "kubelet-serving",
            Self::EtcdServer => "etcd-server",
            Self::EtcdPeer => "etcd-peer",
            Self::Admin => "admin",
        }
    }
}

/// Which of the cluster's authorities signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signer {
    /// The one of Kubernetes.
    Kubernetes,
    /// The one of the front proxy.
    Aggregator,
    /// The one of etcd.
    Etcd,
}

/// What a certificate is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSpec {
    /// What it is for.
    pub purpose: Purpose,
    /// Who signs it.
    pub signer: Signer,
    /// Who its holder is, as a user of Kubernetes: the common name.
    pub user: String,
    /// The group of its holder: the organisation.
    pub group: Option<&'static str>,
    /// What it answers for.
    pub names: Names,
    /// What it is good for.
    pub usage: Usage,
    /// How long it holds from its issue.
    pub lifetime: SignedDuration,
}

/// Every certificate that a control plane has, one for each purpose but [`Purpose::Admin`].
pub fn wanted(plane: &ControlPlane<'_>) -> Vec<CertificateSpec> {
    let node = user(plane.node);
    vec![
        server(Purpose::ApiServer, "kube-apiserver", plane.of_the_api()),
        client(
            Purpose::ApiServerKubeletClient,
            "kube-apiserver-kubelet-client",
        )
        .of_group(KUBELET_ADMINS),
        client(Purpose::ApiServerEtcdClient, "kube-apiserver-etcd-client").by(Signer::Etcd),
        client(Purpose::FrontProxyClient, "front-proxy-client").by(Signer::Aggregator),
        client(Purpose::ControllerManager, "system:kube-controller-manager"),
        client(Purpose::Scheduler, "system:kube-scheduler"),
        client(Purpose::Kubelet, &node).of_group(NODES),
        server(Purpose::KubeletServing, &node, plane.of_the_node()).of_group(NODES),
        // etcd asks itself with the certificate that it answers with, for the gateway it has to its own API.
        server(Purpose::EtcdServer, plane.node, plane.of_the_node())
            .by(Signer::Etcd)
            .for_both(),
        server(Purpose::EtcdPeer, plane.node, plane.of_the_node())
            .by(Signer::Etcd)
            .for_both(),
    ]
}

/// The certificates of a kubelet of a node that holds no authority, which goes by these names: the one it asks with and the one it
/// answers with. They hold as long as those of the node's API, since they are asked for together.
pub fn joined(node: &str, names: &Names) -> [CertificateSpec; 2] {
    let user = user(node);
    let both = [
        client(Purpose::Kubelet, &user).of_group(NODES),
        server(Purpose::KubeletServing, &user, names.clone()).of_group(NODES),
    ];
    both.map(|spec| CertificateSpec {
        lifetime: SERVING_LIFETIME,
        ..spec
    })
}

/// The certificate of somebody who may do everything, whom audit records call `user`.
pub fn admin(user: &str, lifetime: SignedDuration) -> CertificateSpec {
    CertificateSpec {
        lifetime,
        ..client(Purpose::Admin, user).of_group(MASTERS)
    }
}

/// The certificate of somebody who may do everything that etcd does, whom nothing of etcd's calls by name.
pub fn etcd_admin(user: &str, lifetime: SignedDuration) -> CertificateSpec {
    CertificateSpec {
        lifetime,
        ..client(Purpose::Admin, user).by(Signer::Etcd)
    }
}

/// A node as a user of Kubernetes.
fn user(node: &str) -> String {
    format!("system:node:{node}")
}

fn client(purpose: Purpose, user: &str) -> CertificateSpec {
    CertificateSpec {
        purpose,
        signer: Signer::Kubernetes,
        user: user.to_owned(),
        group: None,
        names: Names::default(),
        usage: Usage::CLIENT,
        lifetime: LIFETIME,
    }
}

fn server(purpose: Purpose, user: &str, names: Names) -> CertificateSpec {
    CertificateSpec {
        names,
        usage: Usage::SERVER,
        ..client(purpose, user)
    }
}

impl ControlPlane<'_> {
    /// What the node itself goes by.
    fn of_the_node(&self) -> Names {
        let mut names = Names::loopback();
        names.names.insert(self.node.to_owned());
        names.addresses.extend(self.addresses);
        names
    }

    /// What the API goes by here, from elsewhere and from within the cluster.
    fn of_the_api(&self) -> Names {
        let mut names = self.of_the_node();
        let service = "kubernetes.default.svc";
        names.names.extend([
            "kubernetes".to_owned(),
            "kubernetes.default".to_owned(),
            service.to_owned(),
            format!("{service}.{}", self.dns_domain),
        ]);
        names.names.extend(self.endpoint.names.iter().cloned());
        names.addresses.extend(&self.endpoint.addresses);
        names.addresses.extend(self.services);
        names
    }
}

impl CertificateSpec {
    fn by(self, signer: Signer) -> Self {
        Self { signer, ..self }
    }

    fn of_group(self, group: &'static str) -> Self {
        let group = Some(group);
        Self { group, ..self }
    }

    fn for_both(self) -> Self {
        let usage = Usage::BOTH;
        Self { usage, ..self }
    }

    /// Decides about `current` at `now`, which `signer` is to have signed. An authority that gives its key no identifier is not
    /// told from another.
    pub fn plan(
        &self,
        current: Option<&Certificate>,
        signer: &Certificate,
        now: Timestamp,
    ) -> Plan {
        let plan = renewal::plan(now, current, &self.names);
        let Some(current) = current else {
            return plan;
        };
        let group: Vec<&str> = self.group.into_iter().collect();
        let holder = current.subject == self.user
            && current.organizations == group
            && current.usage == self.usage
            && !current.authority;
        match plan {
            Plan::Renew(Reason::Clock) => plan,
            _ if !signer.key_id.is_empty() && current.signer_id != signer.key_id => {
                Plan::Renew(Reason::Signer)
            }
            _ if !holder => Plan::Renew(Reason::Holder),
            _ => plan,
        }
    }
}

impl Authority {
    /// Issues a certificate of a control plane, with a new key.
    ///
    /// # Errors
    /// When the authority does not hold at `now`, a name is not ASCII, or making it fails.
    pub fn issue(&self, spec: &CertificateSpec, now: Timestamp) -> Result<Identity, IssueError> {
        let params = self.of_spec(spec, now)?;
        self.sign(&spec.user, &params)
    }

    /// Issues a certificate to whoever asked for it with a key of its own: PEM.
    ///
    /// # Errors
    /// As [`issue`](Self::issue).
    pub fn certify(
        &self,
        spec: &CertificateSpec,
        request: &Request,
        now: Timestamp,
    ) -> Result<String, IssueError> {
        let params = self.of_spec(spec, now)?;
        self.sign_key(&spec.user, &params, request.key())
    }

    fn of_spec(
        &self,
        spec: &CertificateSpec,
        now: Timestamp,
    ) -> Result<CertificateParams, IssueError> {
        let mut params = self.leaf(&spec.user, spec.lifetime, now)?;
        if let Some(group) = spec.group {
            params
                .distinguished_name
                .push(DnType::OrganizationName, group);
        }
        params.subject_alt_names = alternative_names(&spec.user, &spec.names)?;
        let usages = [
            (spec.usage.client, ExtendedKeyUsagePurpose::ClientAuth),
            (spec.usage.server, ExtendedKeyUsagePurpose::ServerAuth),
        ];
        params.extended_key_usages = usages
            .into_iter()
            .filter_map(|(wanted, usage)| wanted.then_some(usage))
            .collect();
        Ok(params)
    }
}

#[cfg(test)]
mod tests;
