//! Bundles in memory: whole ones, and each way in which one can be wrong.

use serde_json::{Value, json};

use super::super::document::REF_NAME;
use super::*;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Files by their names.
#[derive(Clone, Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Content for Files {
    fn read(&self, name: Name, most: u64) -> Result<Vec<u8>, ContentError> {
        if self.bytes(name)? > most {
            return Err(ContentError::Long(most));
        }
        Ok(self.0[&name.to_string()].clone())
    }

    fn bytes(&self, name: Name) -> Result<u64, ContentError> {
        let file = self.0.get(&name.to_string());
        file.map(|it| it.len() as u64).ok_or(ContentError::Missing)
    }
}

impl Files {
    fn new() -> Self {
        let mut files = Self::default();
        files.put(Name::Layout, br#"{"imageLayoutVersion":"1.0.0"}"#);
        files
    }

    fn put(&mut self, name: Name, bytes: &[u8]) {
        self.0.insert(name.to_string(), bytes.to_vec());
    }

    fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        self.put(Name::Blob(digest), bytes);
        json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
    }

    fn json(&mut self, media_type: &str, value: &Value) -> Value {
        self.blob(media_type, value.to_string().as_bytes())
    }

    fn manifest(&mut self, layers: &[&[u8]]) -> Value {
        let config = self.blob("application/vnd.oci.image.config.v1+json", b"{}");
        let layers: Vec<_> = layers.iter().map(|it| self.blob(LAYER, it)).collect();
        self.json(
            MANIFEST,
            &json!({"schemaVersion": 2, "config": config, "layers": layers}),
        )
    }

    fn index(&mut self, manifests: &[Value]) {
        let index = json!({"schemaVersion": 2, "manifests": manifests}).to_string();
        self.put(Name::Index, index.as_bytes());
    }

    fn read_only_image(&self) -> Image {
        let mut layout = read(self).unwrap();
        assert_eq!(layout.images.len(), 1);
        layout.images.remove(0)
    }
}

fn named(mut descriptor: Value, name: &str) -> Value {
    descriptor["annotations"] = json!({ REF_NAME: name });
    descriptor
}

fn on(mut descriptor: Value, os: &str, architecture: &str) -> Value {
    descriptor["platform"] = json!({"os": os, "architecture": architecture});
    descriptor
}

fn digest(descriptor: &Value) -> Digest {
    descriptor["digest"].as_str().unwrap().parse().unwrap()
}

#[test]
fn images_have_names_sizes_and_parts() {
    let mut files = Files::new();
    let pause = files.manifest(&[b"pause", b"more"]);
    let plain = files.manifest(&[b"plain"]);
    files.index(&[
        on(
            named(pause.clone(), "registry.k8s.io/pause:3.10"),
            "linux",
            "amd64",
        ),
        plain.clone(),
    ]);
    let layout = read(&files).unwrap();
    let [first, second] = &layout.images[..] else {
        panic!("{layout:?}")
    };
    let name = first.name.as_ref().unwrap().to_string();
    assert_eq!(name, "registry.k8s.io/pause:3.10");
    assert_eq!(first.digest, digest(&pause));
    assert_eq!(first.bytes, pause["size"].as_u64().unwrap() + 2 + 5 + 4);
    assert_eq!(first.parts.len(), 4);
    assert_eq!(first.platforms, ["linux/amd64".to_owned()].into());
    assert!(second.name.is_none() && second.platforms.is_empty());
    assert!(layout.images.iter().all(|it| it.problems.is_empty()));
    // The config is the same for both.
    assert_eq!(layout.parts.len(), 2 + 3 + 1);
    assert!(layout.parts[&digest(&pause)].is_manifest());
    let layer = &layout.parts[&Digest::of(b"more")];
    assert_eq!((layer.media_type.as_str(), layer.bytes), (LAYER, 4));
}

#[test]
fn an_image_for_several_platforms_may_have_only_some() {
    let mut files = Files::new();
    let here = on(files.manifest(&[b"here"]), "linux", "amd64");
    let gone = on(files.manifest(&[b"gone"]), "linux", "arm64");
    let proof = on(files.manifest(&[b"proof"]), "unknown", "unknown");
    files.0.remove(&Name::Blob(digest(&gone)).to_string());
    let list = json!({"manifests": [here, gone, proof]});
    let list = files.json(INDEX, &list);
    files.index(&[list]);
    let image = files.read_only_image();
    assert_eq!(image.platforms, ["linux/amd64".to_owned()].into());
    assert_eq!(image.problems, BTreeMap::new());
    assert!(!image.parts.contains(&digest(&gone)));

    let mut files = Files::new();
    let list = json!({"manifests": [gone]});
    let list = files.json(INDEX, &list);
    files.index(std::slice::from_ref(&list));
    let problems = files.read_only_image().problems;
    assert!(
        problems[&digest(&list)].contains("no image in it"),
        "{problems:?}"
    );
}

/// What is told of the image when this is done to a good bundle; the other image stays good.
fn spoilt(spoil: impl FnOnce(&mut Files, &Value) -> Option<Value>) -> String {
    let mut files = Files::new();
    let good = files.manifest(&[b"good"]);
    let bad = files.manifest(&[b"bad"]);
    let bad = spoil(&mut files, &bad).unwrap_or(bad);
    files.index(&[bad, named(good, "a.b/good:1")]);
    let layout = read(&files).unwrap();
    assert_eq!(layout.images[1].problems, BTreeMap::new());
    let problems: Vec<_> = layout.images[0].problems.values().cloned().collect();
    problems.join("; ")
}

#[test]
fn what_is_wrong_with_an_image_is_told_of_it() {
    let layer = Name::Blob(Digest::of(b"bad"));
    let gone = spoilt(|files, _| {
        files.0.remove(&layer.to_string());
        None
    });
    assert!(gone.ends_with(": it is missing"), "{gone}");
    let longer = spoilt(|files, _| {
        files.put(layer, b"much longer");
        None
    });
    assert!(longer.ends_with("has 11 bytes instead of 3"), "{longer}");
    let changed = spoilt(|files, bad| {
        let file = files.0.get_mut(&Name::Blob(digest(bad)).to_string())?;
        *file.last_mut()? = b' ';
        None
    });
    assert!(
        changed.ends_with("other bytes than its digest says"),
        "{changed}"
    );
    let no_manifest = spoilt(|files, _| Some(files.blob(MANIFEST, b"[]")));
    assert!(
        no_manifest.contains("is not what it should be: "),
        "{no_manifest}"
    );
    let other_digest = spoilt(|files, _| {
        let layer = json!({"mediaType": LAYER, "digest": "sha512:00", "size": 1});
        let manifest = json!({"config": layer, "layers": []});
        Some(files.json(MANIFEST, &manifest))
    });
    assert!(
        other_digest.contains("a digest begins with sha256:"),
        "{other_digest}"
    );
    let no_image = spoilt(|files, _| Some(files.blob(LAYER, b"bad")));
    assert!(
        no_image.contains("no image in it for any platform"),
        "{no_image}"
    );
    let wrong_name = spoilt(|_, bad| Some(named(bad.clone(), "3.10")));
    assert!(
        wrong_name.starts_with("it has a wrong name: a registry is"),
        "{wrong_name}"
    );
    let name = format!("a.b/c@{}", Digest::of(b"other"));
    let other_name = spoilt(|_, bad| Some(named(bad.clone(), &name)));
    assert!(
        other_name.starts_with("its name says sha256:"),
        "{other_name}"
    );
}

#[test]
fn a_bundle_without_a_list_of_images_is_refused() {
    let of = |change: fn(&mut Files)| {
        let mut files = Files::new();
        files.index(&[]);
        assert!(read(&files).is_ok());
        change(&mut files);
        cosi::report(&read(&files).unwrap_err())
    };
    let no_index = of(|files| drop(files.0.remove("index.json")));
    assert_eq!(no_index, "index.json: it is missing");
    let torn = of(|files| files.put(Name::Index, b"{\"manifests\": [{"));
    assert!(
        torn.starts_with("index.json is not what it should be: EOF"),
        "{torn}"
    );
    let no_layout = of(|files| drop(files.0.remove("oci-layout")));
    assert_eq!(no_layout, "oci-layout: it is missing");
    let newer = of(|files| files.put(Name::Layout, br#"{"imageLayoutVersion":"2.0.0"}"#));
    assert!(newer.contains("\"2.0.0\""), "{newer}");
    let long = of(|files| files.put(Name::Index, &[b' '; (1 << 20) + 1]));
    assert_eq!(long, "index.json: it is longer than 1048576 bytes");
    let no_type = of(|files| {
        let mut manifest = files.manifest(&[]);
        manifest["mediaType"] = json!("text/html\r\nset-cookie: a");
        files.index(&[manifest]);
    });
    assert!(no_type.contains("a media type is two words"), "{no_type}");
}

#[test]
fn lists_of_lists_are_read_once_each() {
    let mut files = Files::new();
    let mut list = files.manifest(&[b"a"]);
    // Each list has the one before it a thousand times: read for each time, these would be 1000^30 manifests.
    for _ in 0..30 {
        let again: Vec<_> = std::iter::repeat_n(list, 1000).collect();
        list = files.json(INDEX, &json!({ "manifests": again }));
    }
    files.index(&[list]);
    let image = files.read_only_image();
    assert_eq!((image.parts.len(), image.problems.len()), (30 + 3, 0));
}

#[test]
fn a_bundle_has_no_more_parts_than_fit() {
    let mut files = Files::new();
    let (layer, media_type) = (files.blob(LAYER, b"")["digest"].clone(), LAYER);
    let of = |number: usize| {
        let digest = Digest::of(&number.to_le_bytes());
        (
            digest,
            json!({"mediaType": media_type, "digest": digest.to_string(), "size": 0}),
        )
    };
    // More than one document can list.
    let mut manifests = Vec::new();
    for from in (0..MOST_PARTS + 10).step_by(4096) {
        let mut layers = Vec::new();
        for number in from..from + 4096 {
            let (digest, layer) = of(number);
            files.put(Name::Blob(digest), b"");
            layers.push(layer);
        }
        let config = json!({"mediaType": media_type, "digest": layer, "size": 0});
        manifests.push(files.json(MANIFEST, &json!({"config": config, "layers": layers})));
    }
    files.index(&manifests);
    let layout = read(&files).unwrap();
    assert_eq!(layout.parts.len(), MOST_PARTS);
    let last = layout
        .images
        .last()
        .unwrap()
        .problems
        .values()
        .next()
        .unwrap();
    assert!(last.contains("more than 16384 parts"), "{last}");
}

#[test]
fn a_sentence_is_short_and_plain() {
    assert_eq!(sentence("a\u{1b}[31m\nb"), "a [31m b");
    let long = sentence(&"é".repeat(1000));
    assert_eq!(long.chars().count(), LONGEST_PROBLEM + 1);
}
