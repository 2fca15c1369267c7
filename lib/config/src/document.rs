//! One document of any kind, and the set of documents that is a config.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::kinds::{
    ApiServerConfig, ApiTrustConfig, ClusterIdentityConfig, ConsoleConfig, Dhcp4Config,
    EnvironmentConfig, EtcdConfig, HostnameConfig, JoinConfig, KernelModuleConfig, KubeletConfig,
    KubernetesConfig, KubernetesManifestConfig, KubernetesTrustConfig, LinkConfig,
    LogDestinationConfig, MachineConfig, RegistryAuthConfig, RegistryMirrorConfig,
    RegistryTlsConfig, ResolverConfig, StaticHostConfig, SysctlConfig, SystemDiskConfig,
    TimeConfig, TrustedRootsConfig,
};
use crate::node::{Node, Value};
use crate::problem::{Place, Position, Problems, Source, Sources};
use crate::schema::{KindSchema, Schema};

/// What every kind of document has.
pub trait Kind: Schema {
    /// The word after `kind:`.
    const KIND: &'static str;

    /// The field that tells documents of this kind apart; `None` when there is at most one.
    const NAME: Option<&'static str>;

    /// What tells documents of this kind apart; `None` when there is at most one.
    fn name(&self) -> Option<&str> {
        None
    }

    /// A name as [`Kind::name`] says it, which may have several spellings; `None` when it is no name for this kind.
    #[must_use]
    fn canonical(name: &str) -> Option<String> {
        Some(name.to_owned())
    }
}

/// A text in the one spelling that the type of a field has for it; the field is given as the way to it.
pub(crate) fn canonical<C, T: FromStr + fmt::Display>(
    _: impl Fn(&C) -> &T,
    text: &str,
) -> Option<String> {
    text.parse::<T>().ok().map(|it| it.to_string())
}

/// The body of an `impl Kind`: its word, and the field that is its name.
macro_rules! kind {
    ($kind:ident) => {
        const KIND: &'static str = stringify!($kind);
        const NAME: Option<&'static str> = None;
    };
    ($kind:ident, $name:ident) => {
        const KIND: &'static str = stringify!($kind);
        const NAME: Option<&'static str> = Some(stringify!($name));

        fn name(&self) -> Option<&str> {
            Some(self.$name.as_str())
        }

        fn canonical(name: &str) -> Option<String> {
            crate::document::canonical(|it: &Self| &it.$name, name)
        }
    };
}
pub(crate) use kind;

/// The (kind, name) by which a document is told from all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The kind.
    pub kind: &'static str,
    /// The name, for kinds of which there can be many.
    pub name: Option<String>,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        match &self.name {
            Some(name) => write!(f, " `{name}`"),
            None => Ok(()),
        }
    }
}

macro_rules! documents {
    ($($kind:ident($config:ident)),* $(,)?) => {
        /// A document of any kind.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Document {
            $(
                #[doc = concat!("See [`", stringify!($config), "`].")]
                $kind($config),
            )*
        }

        impl Document {
            /// Every kind there is.
            pub const KINDS: &'static [&'static str] = &[$($config::KIND),*];

            /// What the documents of every kind look like, in the order of [`Self::KINDS`].
            #[must_use]
            pub fn schemas() -> Vec<KindSchema> {
                vec![$(KindSchema {
                    kind: $config::KIND,
                    name: $config::NAME,
                    shape: $config::shape(),
                }),*]
            }

            /// What tells this document from all others.
            #[must_use]
            pub fn identity(&self) -> Identity {
                match self {
                    $(Self::$kind(it) => Identity {
                        kind: $config::KIND,
                        name: it.name().map(str::to_owned),
                    },)*
                }
            }

            /// A name of a document of this kind in its one spelling; `None` when it can be none.
            pub(crate) fn canonical(kind: &str, name: &str) -> Option<String> {
                match kind {
                    $($config::KIND => $config::canonical(name),)*
                    _ => None,
                }
            }

            pub(crate) fn redact(&mut self) {
                match self {
                    $(Self::$kind(it) => Schema::redact(it),)*
                }
            }

            /// Reads the fields of a document of the kind `kind`; `None` when there is no such kind.
            pub(crate) fn decode(
                kind: &str,
                entries: &[crate::node::Entry],
                place: Place,
            ) -> Option<Result<Self, crate::decode::DecodeError>> {
                match kind {
                    $($config::KIND => Some(
                        crate::decode::decode_entries::<$config>(entries, place).map(Self::$kind)
                    ),)*
                    _ => None,
                }
            }

            pub(crate) fn encode(&self) -> Result<String, serde_yaml::SerializeError> {
                match self {
                    $(Self::$kind(it) => crate::write::document($config::KIND, it),)*
                }
            }
        }

        $(impl From<$config> for Document {
            fn from(config: $config) -> Self {
                Self::$kind(config)
            }
        })*
    };
}

documents! {
    Machine(MachineConfig),
    ApiTrust(ApiTrustConfig),
    ClusterIdentity(ClusterIdentityConfig),
    Hostname(HostnameConfig),
    Link(LinkConfig),
    Dhcp4(Dhcp4Config),
    Resolver(ResolverConfig),
    StaticHost(StaticHostConfig),
    Time(TimeConfig),
    TrustedRoots(TrustedRootsConfig),
    Environment(EnvironmentConfig),
    Console(ConsoleConfig),
    LogDestination(LogDestinationConfig),
    Sysctl(SysctlConfig),
    KernelModule(KernelModuleConfig),
    SystemDisk(SystemDiskConfig),
    RegistryMirror(RegistryMirrorConfig),
    RegistryAuth(RegistryAuthConfig),
    RegistryTls(RegistryTlsConfig),
    Kubernetes(KubernetesConfig),
    KubernetesTrust(KubernetesTrustConfig),
    Join(JoinConfig),
    Kubelet(KubeletConfig),
    Etcd(EtcdConfig),
    KubernetesManifest(KubernetesManifestConfig),
    ApiServer(ApiServerConfig),
}

/// A document and where it stood.
#[derive(Clone)]
pub(crate) struct Placed {
    pub(crate) document: Document,
    /// What it was read from.
    pub(crate) node: Option<Arc<Node>>,
}

impl Placed {
    /// Where it stood.
    pub(crate) fn place(&self) -> Option<Place> {
        Some(self.node.as_ref()?.place)
    }

    /// Where a part of it stood, or the last on the way there that did: keys, and numbers of items. Of a list or map that
    /// is its key, since that is what a person looks for.
    pub(crate) fn place_of(&self, path: &[&str]) -> Option<Place> {
        let mut node = self.node.as_ref()?;
        let mut place = node.place;
        for step in path {
            (node, place) = match &node.value {
                Value::List(items) => {
                    let Some(item) = step.parse().ok().and_then(|at: usize| items.get(at)) else {
                        break;
                    };
                    (item, item.place)
                }
                _ => {
                    let mut entries = node.entries().unwrap_or_default().iter();
                    let Some(entry) = entries.find(|it| it.key == *step) else {
                        break;
                    };
                    let single = entry.value.text().is_some();
                    let value = entry.value.place;
                    (&entry.value, if single { value } else { entry.place })
                }
            };
        }
        Some(place)
    }
}

/// The sources of documents that were not read from anywhere.
fn built() -> Arc<Sources> {
    Arc::new(Sources::new(Source::new("config", "")))
}

/// A config: documents in the order of the stream, no two with the same identity.
#[derive(Clone)]
pub struct Documents {
    pub(crate) placed: Vec<Placed>,
    pub(crate) sources: Arc<Sources>,
}

impl Documents {
    /// Makes a config of documents that were built, not read.
    ///
    /// # Errors
    /// When two documents have the same identity.
    pub fn new(documents: impl IntoIterator<Item = Document>) -> Result<Self, Problems> {
        let placed = documents.into_iter().map(|document| Placed {
            document,
            node: None,
        });
        Self::unique(placed.collect(), built())
    }

    pub(crate) fn unique(placed: Vec<Placed>, sources: Arc<Sources>) -> Result<Self, Problems> {
        let documents = Self { placed, sources };
        let mut seen = BTreeMap::new();
        let mut problems = Vec::new();
        for it in &documents.placed {
            match seen.entry(it.document.identity()) {
                Entry::Vacant(entry) => {
                    entry.insert(it.place());
                }
                Entry::Occupied(entry) => {
                    let mut message = format!("duplicate document {}", entry.key());
                    if let Some(Place {
                        position: Position { line, .. },
                        ..
                    }) = entry.get()
                    {
                        message.push_str(&format!(", first in line {line}"));
                    }
                    let help = "give the fields of both to one of them, and remove the other";
                    let problem = documents.sources.problem(it.place(), message);
                    problems.push(problem.help(Some(help.to_owned())));
                }
            }
        }
        match Problems::new(problems) {
            Some(problems) => Err(problems),
            None => Ok(documents),
        }
    }

    /// The documents in the order of the stream.
    pub fn iter(&self) -> impl Iterator<Item = &Document> {
        self.placed.iter().map(|it| &it.document)
    }

    /// The same config without its secrets, for showing; it cannot be read back.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut placed = self.placed.clone();
        for it in &mut placed {
            it.document.redact();
            // It still has the secrets.
            it.node = None;
        }
        Self {
            placed,
            sources: built(),
        }
    }
}

/// A config that says nothing.
impl Default for Documents {
    fn default() -> Self {
        Self {
            placed: Vec::new(),
            sources: built(),
        }
    }
}

/// Equal when the documents are; where they stood does not count.
impl PartialEq for Documents {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
