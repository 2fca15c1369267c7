//! `JoinService`: where workers ask for certificates.
//!
//! Every call ends in an audit record with the source and, here, with what was issued or why it was not.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::join_service_server::{JoinService, JoinServiceServer};
use ::config::{Documents, Network};
use jiff::Timestamp;
use pki::kubernetes::joined;
use pki::{Authority, SERVING_LIFETIME, Trust};
use resources::kubernetes::NodeStatus;
use resources::net::{CURRENT, HOSTNAME, HostnameSpec, NodeAddress};
use store::{Spec, Store};
use tonic::{Request, Response, Status};

use super::guesses::Guesses;
use super::judge::{Claim, Facts, Node, judge};
use super::names::Names;
use super::refusal::Refusal;
use crate::api::{Peer, Source, Target, peer};
use crate::config::{Active, active};
use crate::kubernetes::files::endpoint;

/// The longest request: three of a kilobyte, a certificate, and the rest.
const LONGEST: usize = 8 * 1024;

/// The service over the state of a node.
#[derive(Debug)]
pub struct Desk<N> {
    store: Store,
    names: N,
    guesses: Mutex<Guesses>,
    /// What the active config gives, made when it is asked for first.
    office: Mutex<Option<Arc<Office>>>,
}

/// What a control plane issues with.
#[derive(Debug)]
struct Office {
    /// Of the config it is from.
    hash: String,
    documents: Arc<Documents>,
    token: String,
    former_tokens: Vec<String>,
    api: Authority,
    trust: Trust,
    kubernetes: Authority,
    endpoint: pki::Names,
    ranges: Vec<Network>,
}

impl Office {
    /// What a config gives; none of a node that nobody joins through.
    fn of(active: Active) -> Result<Option<Self>, Refusal> {
        let Active { config, documents } = active;
        let plane = documents
            .kubernetes_trust()
            .and_then(|it| it.control_plane.as_ref());
        let api = documents.api_trust().and_then(|it| it.issuer.as_ref());
        let (Some(join), Some(kubernetes), Some(plane), Some(api)) =
            (documents.join(), documents.kubernetes(), plane, api)
        else {
            return Ok(None);
        };
        let authority = |pair: &::config::KeyPair| {
            Authority::from_pem(pair.certificate.as_pem(), pair.key.as_pem())
        };
        let trust = Trust::from_pem(api.certificate.as_pem());
        let ranges = kubernetes.pod_ranges.iter();
        let former = join.former_tokens.iter();
        Ok(Some(Self {
            hash: config.hash.clone(),
            token: join.token.as_base64().to_owned(),
            former_tokens: former.map(|it| it.as_base64().to_owned()).collect(),
            api: authority(api)?,
            trust: trust.map_err(unusable)?,
            kubernetes: authority(&plane.issuer)?,
            endpoint: endpoint(kubernetes),
            ranges: ranges.chain(&kubernetes.service_ranges).copied().collect(),
            documents,
        }))
    }

    /// Issues what was judged.
    fn issue(&self, claim: &Claim, now: Timestamp) -> Result<v1::IssueResponse, Refusal> {
        let (name, names) = (&claim.name, &claim.names);
        let [client, server] = joined(name, names);
        let api = &self.api;
        let machine = api.certify_serving(name, names, &claim.machine, SERVING_LIFETIME, now)?;
        Ok(v1::IssueResponse {
            machine,
            kubelet: self.kubernetes.certify(&client, &claim.kubelet, now)?,
            kubelet_serving: self
                .kubernetes
                .certify(&server, &claim.kubelet_serving, now)?,
        })
    }
}

impl<N: Names> Desk<N> {
    /// Issues with what the config in `store` has, to whom `names` lets have the name.
    #[must_use]
    pub fn new(store: Store, names: N) -> Self {
        Self {
            store,
            names,
            guesses: Mutex::default(),
            office: Mutex::default(),
        }
    }

    /// As the API's port serves it.
    #[must_use]
    pub fn into_service(self) -> JoinServiceServer<Self> {
        JoinServiceServer::new(self).max_decoding_message_size(LONGEST)
    }

    fn office(&self) -> Result<Arc<Office>, Refusal> {
        let active = active(&self.store.snapshot()).map_err(unusable)?;
        let active = active.ok_or(Refusal::NotHere)?;
        let mut kept = self.office.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(office) = kept.as_ref().filter(|it| it.hash == active.config.hash) {
            return Ok(Arc::clone(office));
        }
        let office = Arc::new(Office::of(active)?.ok_or(Refusal::NotHere)?);
        *kept = Some(Arc::clone(&office));
        Ok(office)
    }

    fn spec<S: Spec>(&self, id: &str) -> Option<Arc<S>> {
        let snapshot = self.store.snapshot();
        let found = snapshot.get_as::<S>(S::DEFINITION.namespace, id);
        found.map(|typed| typed.spec)
    }

    /// What this node and the endpoint go by.
    fn ours(&self, endpoint: &pki::Names) -> pki::Names {
        let mut ours = endpoint.clone();
        if let Some(own) = self.spec::<HostnameSpec>(HOSTNAME) {
            ours.names.insert(own.hostname.clone());
        }
        if let Some(own) = self.spec::<NodeAddress>(CURRENT) {
            ours.addresses
                .extend(own.addresses.iter().map(|it| it.address()));
        }
        ours
    }

    fn nodes(&self) -> Vec<Node> {
        let snapshot = self.store.snapshot();
        let nodes = snapshot.list_as::<NodeStatus>(NodeStatus::DEFINITION.namespace);
        let node = |name: &str, status: &NodeStatus| Node {
            name: name.to_owned(),
            addresses: status
                .addresses
                .iter()
                .filter_map(|it| it.parse().ok())
                .collect(),
            control_plane: status.control_plane,
        };
        nodes.map(|it| node(it.id(), &it.spec)).collect()
    }

    /// Judges, has the name remembered, and issues; what was issued, in words.
    async fn answer(
        &self,
        peer: &Peer,
        ask: &v1::IssueRequest,
    ) -> Result<(v1::IssueResponse, String), Refusal> {
        let (now, instant) = (Timestamp::now(), Instant::now());
        // Whatever comes of it, it is answered with this.
        let challenge = peer.take_challenge(instant);
        let office = self.office()?;
        let source: IpAddr = peer.source().ip().to_canonical();
        let limited = Source::of(source);
        if !self.guesses().listens(limited, instant) {
            return Err(Refusal::Guesses);
        }
        let (ours, nodes) = (self.ours(&office.endpoint), self.nodes());
        let judged = judge(
            ask,
            &Facts {
                token: &office.token,
                former_tokens: &office.former_tokens,
                challenge,
                source,
                ours: &ours,
                nodes: &nodes,
                ranges: &office.ranges,
                trust: &office.trust,
                now,
            },
        );
        if matches!(judged, Err(Refusal::Token)) {
            self.guesses().wrong(limited, instant);
        }
        let claim = judged?;
        let own = self.spec::<HostnameSpec>(HOSTNAME);
        let own = own.map(|it| it.hostname.clone()).unwrap_or_default();
        let key = claim.machine.fingerprint();
        self.names
            .take(&office.documents, &own, &claim.name, &key, now)
            .await?;
        let issued = office.issue(&claim, now)?;
        Ok((issued, said(&claim)))
    }

    fn guesses(&self) -> std::sync::MutexGuard<'_, Guesses> {
        // Whole between any two statements.
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unusable(error: impl std::error::Error + 'static) -> Refusal {
    Refusal::Config(cosi::report(&error))
}

fn said(claim: &Claim) -> String {
    let addresses: BTreeSet<String> = claim
        .names
        .addresses
        .iter()
        .map(IpAddr::to_string)
        .collect();
    let addresses = addresses.into_iter().collect::<Vec<_>>().join(", ");
    let key = claim.machine.fingerprint();
    let how = match claim.by_former {
        true => ", with a former token",
        false => "",
    };
    format!("{} at {addresses}, key {key}{how}", claim.name)
}

#[tonic::async_trait]
impl<N: Names> JoinService for Desk<N> {
    async fn challenge(
        &self,
        request: Request<v1::ChallengeRequest>,
    ) -> Result<Response<v1::ChallengeResponse>, Status> {
        let peer = peer(&request)?;
        let made = self
            .office()
            .and_then(|_| Ok(peer.challenge(Instant::now())?));
        match made {
            Ok(challenge) => Ok(Response::new(v1::ChallengeResponse {
                challenge: challenge.as_bytes().to_vec(),
            })),
            Err(refusal) => Err(Status::from(&refusal)),
        }
    }

    async fn issue(
        &self,
        request: Request<v1::IssueRequest>,
    ) -> Result<Response<v1::IssueResponse>, Status> {
        let peer = peer(&request)?;
        let target = request.extensions().get::<Target>().cloned();
        let target = target.unwrap_or_default();
        let ask = request.into_inner();
        target.set(&ask.name);
        match self.answer(&peer, &ask).await {
            Ok((issued, said)) => {
                target.set(said);
                Ok(Response::new(issued))
            }
            Err(refusal) => {
                target.set(format!("{}: {}", ask.name, cosi::report(&refusal)));
                Err(Status::from(&refusal))
            }
        }
    }
}
