//! The types of fields: parsed once, wrong never again.

pub(crate) mod address;
mod certificate;
mod cidr;
mod credentials;
mod disk_selector;
mod document_name;
mod host;
mod hostname;
mod kubernetes_endpoint;
mod kubernetes_objects;
mod kubernetes_settings;
mod kubernetes_version;
mod label;
mod link_name;
mod log_url;
mod mtu;
mod no_proxy;
mod pem;
mod period;
mod private_key;
mod proxy_url;
mod quantity;
mod registry;
mod sha256;
mod shared_key;
mod taint;
mod time_of_day;
mod web_url;

pub use certificate::Certificate;
pub use cidr::{Cidr, CidrError, Network, NetworkError};
pub use credentials::{CredentialsError, Password, Username};
pub use disk_selector::{DiskBus, DiskFacts, DiskSelector, DiskSelectorError, DiskSelectorFault};
pub use document_name::{DocumentName, DocumentNameError};
pub use host::Host;
pub use hostname::{Hostname, HostnameError};
pub use kubernetes_endpoint::{KubernetesEndpoint, KubernetesEndpointError};
pub use kubernetes_objects::{KubernetesObjects, KubernetesObjectsError, ObjectPlace};
pub use kubernetes_settings::{KubernetesSettings, KubernetesSettingsError};
pub use kubernetes_version::{KubernetesVersion, KubernetesVersionError};
pub use label::{LabelError, LabelKey, LabelValue, NodeLabelKey};
pub use link_name::{LinkName, LinkNameError};
pub use log_url::{LogProtocol, LogUrl, LogUrlError};
pub use mtu::{Mtu, MtuError};
pub use no_proxy::{NoProxy, NoProxyError};
pub use pem::PemError;
pub use period::{Period, PeriodError};
pub use private_key::PrivateKey;
pub use proxy_url::{ProxyUrl, ProxyUrlError};
pub use quantity::{Bytes, Cpu, QuantityError};
pub(crate) use registry::is_loopback;
pub use registry::{RegistryError, RegistryHost, RegistryName};
pub use sha256::{Sha256, Sha256Error};
pub use shared_key::{SharedKey, SharedKeyError};
pub use taint::{Taint, TaintEffect, TaintError};
pub use time_of_day::{TimeOfDay, TimeOfDayError};
pub use web_url::{WebUrl, WebUrlError};

/// Reading and writing as text for a type that has `FromStr` and `Display`.
macro_rules! as_text {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = <Self as std::str::FromStr>::Err;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(reader)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
                writer.collect_str(self)
            }
        }
    };
}
pub(crate) use as_text;
