use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::*;
use crate::fetch::Fetcher;
use crate::lock::Lock;
use crate::oci::{self, Found};
use crate::tools::unpack_set;

/// Every image that a bundle may have.
fn all() -> impl Iterator<Item = &'static Image> {
    IMAGES.iter().chain(FORMER)
}

/// A layout of all images with made-up programs, around what is Debian's; gives what is in it.
fn layout(folder: &Path) -> Vec<Found> {
    let lock = Lock::load(None).unwrap();
    let fetcher = Fetcher::new(&lock, None, None).unwrap();
    let (bin, out) = (folder.join("bin"), folder.join("out"));
    std::fs::create_dir(&bin).unwrap();
    for name in all().flat_map(Image::programs) {
        std::fs::write(bin.join(name), testkit::elf(2)).unwrap();
    }
    let programs = all().filter_map(Image::go);
    let sets = ["certificates", "kubelet", "kube-proxy"];
    let unpacked = |set| (set, unpack_set(&lock, &fetcher, set).unwrap());
    let parts = Parts {
        bin_dir: &bin,
        version: "1.2.3",
        go: programs.map(|it| (it.name, bin.clone())).collect(),
        sets: sets.map(unpacked).into(),
    };
    let mut layout = Layout::begin(&out, "amd64", 0).unwrap();
    for image in all() {
        image.add(&parts, &mut layout).unwrap();
    }
    layout.finish().unwrap();
    oci::check(&out).unwrap()
}

/// Every path in an image's layers that is no folder, with its mode, and the text of one of them.
fn files(layout: &Path, found: &Found, wanted: &str) -> (BTreeSet<String>, String) {
    let (mut paths, mut text) = (BTreeSet::new(), String::new());
    for layer in &found.layers {
        let blob = std::fs::read(layout.join("blobs/sha256").join(layer.hex())).unwrap();
        let bytes = zstd::decode_all(blob.as_slice()).unwrap();
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            assert_eq!(entry.header().mode().unwrap() & 0o6000, 0, "set-id bits");
            let path = entry.path().unwrap().display().to_string();
            if path == wanted {
                entry.read_to_string(&mut text).unwrap();
            }
            if !path.ends_with('/') {
                paths.insert(path);
            }
        }
    }
    (paths, text)
}

#[test]
fn every_image_holds_what_its_table_says_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let found = layout(folder.path());
    assert_eq!(found.len(), all().count());
    let certificates = "etc/ssl/certs/ca-certificates.crt";
    for (image, found) in all().zip(&found) {
        let (paths, text) = files(&folder.path().join("out"), found, certificates);
        let mut wanted: BTreeSet<String> =
            image.programs().map(|it| format!("usr/bin/{it}")).collect();
        if image.go().is_some() {
            wanted.extend(["etc/passwd", "etc/group", certificates].map(str::to_owned));
            assert!(text.matches("-----END CERTIFICATE-----\n").count() > 100);
        }
        if let Some(debian) = image.executes {
            let places = debian.programs.iter().map(|it| (*it).to_owned());
            let links = debian.links.iter().map(|(path, _)| (*path).to_owned());
            let libraries = debian.libraries.iter().chain([&"libc.so.6"]);
            let libraries = libraries.map(|it| format!("{}/{it}", crate::allow::LIBRARIES));
            wanted.extend(places.chain(links).chain(libraries));
            wanted.extend(["lib64", "usr/lib64/ld-linux-x86-64.so.2"].map(str::to_owned));
        }
        assert_eq!(paths, wanted, "{}", image.name);
    }
}

#[test]
fn every_image_is_named_and_tells_what_upstream_has() {
    let folder = tempfile::tempdir().unwrap();
    for (image, found) in all().zip(layout(folder.path())) {
        let version = image.go().map_or("1.2.3", GoProgram::version);
        let reference = format!("garboard.internal/{}:{version}", image.name);
        assert_eq!(found.reference, reference);
        assert_eq!(found.annotations[NAME], image.name);
        let upstream = found.annotations.get(UPSTREAM).map(String::as_str);
        assert_eq!(upstream, image.upstream);
        if let (Some(upstream), Some(_)) = (upstream, image.go()) {
            // A new version of the program asks for a new image here.
            let number = version.trim_start_matches('v');
            assert!(upstream.ends_with(number), "{upstream} is not {version}");
        }
        let run = found.config.config;
        assert_eq!(run.entrypoint, [format!("/usr/bin/{}", image.name)]);
        assert_eq!(run.user, format!("{0}:{0}", image.user));
        let root = matches!(image.name, "kubelet" | "kube-proxy");
        assert_eq!(image.user == 0, root, "{}", image.name);
    }
}

#[test]
fn the_former_minor_has_the_same_programs_of_kubernetes() {
    let same = |image: &&Image| matches!(image.origin, Origin::Go(KUBERNETES, _));
    let now = IMAGES.iter().filter(same);
    for (now, then) in now.zip(FORMER) {
        assert_eq!((now.name, now.user), (then.name, then.user));
        assert_eq!(now.upstream.is_some(), then.upstream.is_some());
        assert_ne!(now.reference("1"), then.reference("1"));
    }
    assert_eq!(IMAGES.iter().filter(same).count(), FORMER.len());
}

#[test]
fn a_program_that_asks_for_libraries_or_is_missing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let parts = Parts {
        bin_dir: folder.path(),
        version: "1",
        go: BTreeMap::new(),
        sets: BTreeMap::<&str, PathBuf>::new(),
    };
    let pause = find("pause").unwrap();
    let out = folder.path().join("out");
    let mut layout = Layout::begin(&out, "amd64", 0).unwrap();
    let error = format!("{:#}", pause.add(&parts, &mut layout).unwrap_err());
    assert!(error.contains("--bin-dir must hold"), "{error}");
    std::fs::copy("/proc/self/exe", folder.path().join("pause")).unwrap();
    let error = format!("{:#}", pause.add(&parts, &mut layout).unwrap_err());
    assert!(error.contains("allow/pause.txt"), "{error}");
    assert!(error.contains("usr/bin/pause: not static"), "{error}");
}

#[test]
fn a_name_that_is_not_there_gives_those_that_are() {
    let error = find("kublet").unwrap_err();
    assert!(error.contains("\"kublet\", only pause, "), "{error}");
}
