//! By which reference an image is pulled.

use resources::kubernetes::ImageSource;

use super::component::Component;

/// The host in the references of images that come with the node: no public name ends in `.internal`.
const BUNDLE: &str = "garboard.internal";

/// Where the projects publish theirs.
const UPSTREAM: &str = "registry.k8s.io";
const UPSTREAM_ETCD: &str = "gcr.io/etcd-development";

/// The etcd of this build. It is chosen with Kubernetes: `image/go/etcd` builds it, and a test holds this to it.
pub const ETCD: &str = "3.7.3";

/// The reference of a component's image at a version of Kubernetes.
///
/// The project publishes no image of the kubelet, so that is always the node's own.
#[must_use]
pub fn reference(component: Component, kubernetes: &str, source: ImageSource) -> String {
    let name = component.name();
    match (component, source) {
        (Component::Etcd, ImageSource::Bundle) => format!("{BUNDLE}/{name}:v{ETCD}"),
        (Component::Etcd, ImageSource::Upstream) => format!("{UPSTREAM_ETCD}/{name}:v{ETCD}"),
        (Component::Kubelet, _) | (_, ImageSource::Bundle) => {
            format!("{BUNDLE}/{name}:v{kubernetes}")
        }
        (_, ImageSource::Upstream) => format!("{UPSTREAM}/{name}:v{kubernetes}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

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
    }

    #[test]
    fn this_etcd_is_the_one_that_is_built() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../image/go/etcd/go.mod");
        let module = fs::read_to_string(file).unwrap();
        let line = format!("go.etcd.io/etcd/server/v3 v{ETCD}");
        assert!(module.contains(&line), "{line} is not in it");
    }
}
