//! The images of a version of Kubernetes, fetched before anything is started from them.

use ::api::v1alpha1 as v1;
use ::config::KubernetesVersion;
use containerd::Client;
use futures_util::stream::{Stream, try_unfold};
use resources::kubernetes::{KubernetesSpec, PodNetwork};
use tonic::Status;

use crate::kubernetes::component::Component;
use crate::kubernetes::image;

/// What a node runs at a version, in the order in which it is needed. Pure.
pub(super) fn of(cluster: &KubernetesSpec, version: KubernetesVersion) -> Vec<String> {
    let version = version.to_string();
    let plane = [
        Component::ApiServer,
        Component::ControllerManager,
        Component::Scheduler,
    ];
    let plane = plane.into_iter().filter(|_| cluster.control_plane);
    let parts = plane.chain([Component::Kubelet]);
    let mut all: Vec<_> = parts
        .map(|it| image::reference(it, &version, cluster.images))
        .collect();
    if cluster.network == PodNetwork::Builtin {
        all.push(image::proxy(&version, cluster.images));
    }
    all.push(image::name_server(cluster.images));
    all
}

/// Fetches them one by one: a disk has one line, and a registry is not to be stormed.
pub(super) fn pull(
    client: Client,
    images: Vec<String>,
) -> impl Stream<Item = Result<v1::PullImagesResponse, Status>> {
    let total = u32::try_from(images.len()).unwrap_or(u32::MAX);
    let told = move |image: &str, present: u32| v1::PullImagesResponse {
        image: image.to_owned(),
        present,
        total,
    };
    // Of each image there are two things to say: that it is fetched, and that it is there.
    let begin = (images.into_iter(), None::<String>, 0);
    try_unfold(begin, move |(mut images, fetching, present)| {
        let client = client.clone();
        async move {
            if let Some(image) = fetching {
                fetch(&client, &image).await?;
                let present = present + 1;
                return Ok(Some((told(&image, present), (images, None, present))));
            }
            let next = images.next();
            Ok(next.map(|image| (told(&image, present), (images, Some(image), present))))
        }
    })
}

async fn fetch(client: &Client, image: &str) -> Result<(), Status> {
    let there = async {
        if client.image(image).await?.is_none() {
            tracing::info!(image, "pulls an image ahead");
            client.pull(image).await?;
        }
        Ok(())
    };
    there.await.map_err(|error: containerd::Error| {
        Status::failed_precondition(format!(
            "the image {image} cannot be had: {}; {}",
            cosi::report(&error),
            way_out(image)
        ))
    })
}

/// What helps when an image cannot be had.
fn way_out(image: &str) -> &'static str {
    match image.starts_with(image::BUNDLE) {
        true => {
            "it comes with the node: give it a bundle that has it, as docs/image-cache.md tells"
        }
        false => "see that the node reaches that registry",
    }
}

#[cfg(test)]
mod tests {
    use containerd::fake::{Fake, Pullable};
    use futures_util::StreamExt as _;
    use resources::kubernetes::ImageSource;

    use super::*;

    #[tokio::test]
    async fn each_is_told_before_and_after_and_one_that_is_missing_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("containerd.sock");
        let fake = Fake::default();
        let images = [
            "registry.lab/a:1",
            "registry.lab/b:1",
            "garboard.internal/c:1",
        ];
        for image in &images[..2] {
            let pullable = Pullable {
                id: "sha256:00".to_owned(),
                ..Pullable::default()
            };
            fake.state().registry.insert((*image).to_owned(), pullable);
        }
        let told = pull(Client::new(&socket), images.map(str::to_owned).into());
        let told = async { told.collect::<Vec<_>>().await };
        let told = tokio::select! {
            served = fake.clone().serve(&socket) => panic!("it ended: {served:?}"),
            told = told => told,
        };
        let (last, told) = told.split_last().unwrap();
        let told = told.iter().map(|it| it.as_ref().unwrap());
        let told: Vec<_> = told.map(|it| (&*it.image, it.present, it.total)).collect();
        assert_eq!(
            told,
            [
                (images[0], 0, 3),
                (images[0], 1, 3),
                (images[1], 1, 3),
                (images[1], 2, 3),
                (images[2], 2, 3),
            ]
        );
        let why = last.as_ref().unwrap_err().message();
        assert!(
            why.contains(images[2]) && why.contains("give it a bundle"),
            "{why}"
        );
        assert_eq!(fake.state().pulled.len(), 2);
    }

    #[test]
    fn a_node_fetches_what_it_would_run() {
        let mut cluster = KubernetesSpec {
            images: ImageSource::Upstream,
            ..KubernetesSpec::default()
        };
        let worker = of(&cluster, "1.37.1".parse().unwrap());
        assert_eq!(
            worker[..2],
            [
                "garboard.internal/kubelet:v1.37.1",
                "registry.k8s.io/kube-proxy:v1.37.1"
            ]
        );
        assert_eq!(worker.len(), 3);
        cluster.control_plane = true;
        cluster.network = PodNetwork::None;
        let plane = of(&cluster, "1.36.3".parse().unwrap());
        assert_eq!(plane[0], "registry.k8s.io/kube-apiserver:v1.36.3");
        assert!(
            plane.iter().all(|it| !it.contains("kube-proxy")),
            "{plane:?}"
        );
        assert_eq!(plane.len(), 5);
    }
}
