//! By which reference an image is pulled.

use resources::kubernetes::ImageSource;

use super::component::Component;

/// The host in the references of images that come with the node: no public name ends in `.internal`.
pub const BUNDLE: &str = "garboard.internal";

/// Where the projects publish theirs.
const UPSTREAM: &str = "registry.k8s.io";
const UPSTREAM_ETCD: &str = "gcr.io/etcd-development";
const UPSTREAM_COREDNS: &str = "docker.io/coredns";

/// The etcd of this build. It is chosen with Kubernetes: `image/go/etcd` builds it, and a test holds this to it.
pub const ETCD: &str = "3.7.3";

/// The CoreDNS of this build, likewise.
pub const COREDNS: &str = "1.14.7";

/// The reference of the image of kube-proxy at a version of Kubernetes.
#[must_use]
pub fn proxy(kubernetes: &str, source: ImageSource) -> String {
    published("kube-proxy", kubernetes, source)
}

/// Of an image that is published with Kubernetes.
fn published(name: &str, kubernetes: &str, source: ImageSource) -> String {
    let host = match source {
        ImageSource::Bundle => BUNDLE,
        ImageSource::Upstream => UPSTREAM,
    };
    format!("{host}/{name}:v{kubernetes}")
}

/// The reference of the image of the cluster's name server.
#[must_use]
pub fn name_server(source: ImageSource) -> String {
    match source {
        ImageSource::Bundle => format!("{BUNDLE}/coredns:v{COREDNS}"),
        // That project writes its tags without the letter.
        ImageSource::Upstream => format!("{UPSTREAM_COREDNS}/coredns:{COREDNS}"),
    }
}

/// The reference of a component's image at a version of Kubernetes.
///
/// The project publishes no image of the kubelet, so that is always the node's own.
#[must_use]
pub fn reference(component: Component, kubernetes: &str, source: ImageSource) -> String {
    let name = component.name();
    match (component, source) {
        (Component::Etcd, ImageSource::Bundle) => format!("{BUNDLE}/{name}:v{ETCD}"),
        (Component::Etcd, ImageSource::Upstream) => format!("{UPSTREAM_ETCD}/{name}:v{ETCD}"),
        (Component::Kubelet, _) => published(name, kubernetes, ImageSource::Bundle),
        (_, source) => published(name, kubernetes, source),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn everybody_publishes_under_names_of_their_own() {
        let bundle = |it| reference(it, "1.37.1", ImageSource::Bundle);
        let upstream = |it| reference(it, "1.37.1", ImageSource::Upstream);
        assert_eq!(
            bundle(Component::ApiServer),
            "garboard.internal/kube-apiserver:v1.37.1"
        );
        assert_eq!(
            upstream(Component::ApiServer),
            "registry.k8s.io/kube-apiserver:v1.37.1"
        );
        assert_eq!(bundle(Component::Etcd), "garboard.internal/etcd:v3.7.3");
        assert_eq!(
            upstream(Component::Etcd),
            "gcr.io/etcd-development/etcd:v3.7.3"
        );
        assert_eq!(bundle(Component::Kubelet), upstream(Component::Kubelet));
        assert_eq!(
            proxy("1.37.1", ImageSource::Upstream),
            "registry.k8s.io/kube-proxy:v1.37.1"
        );
        assert_eq!(
            name_server(ImageSource::Bundle),
            "garboard.internal/coredns:v1.14.7"
        );
        assert_eq!(
            name_server(ImageSource::Upstream),
            "docker.io/coredns/coredns:1.14.7"
        );
    }

    #[test]
    fn what_is_run_is_what_is_built() {
        for (program, line) in [
            ("etcd", format!("go.etcd.io/etcd/server/v3 v{ETCD}")),
            ("coredns", format!("github.com/coredns/coredns v{COREDNS}")),
        ] {
            let file = format!(
                "{}/../image/go/{program}/go.mod",
                env!("CARGO_MANIFEST_DIR")
            );
            let module = fs::read_to_string(file).unwrap();
            assert!(module.contains(&line), "{line} is not in it");
        }
    }
}
