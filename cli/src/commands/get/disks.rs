//! `osctl disks`: the disks of nodes, and which of them a selector fits.

use std::iter::once;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use config::{DiskBus, DiskFacts, DiskSelector};
use serde::{Deserialize, Serialize};
use store::Resource;

use super::{Get, Listed, Shown, each, list, rows, shown};
use crate::fleet::Session;
use crate::output::{self, Format};

/// Which disks.
#[derive(Clone, Debug, Args)]
pub(crate) struct Disks {
    /// Try what `match` of a SystemDisk document would say, such as 'size >= 100GiB && !rotational'; fails unless exactly
    /// one disk of each node fits that can be written
    #[arg(long = "match", value_name = "SELECTOR")]
    selector: Option<DiskSelector>,
}

/// What a selector looks at in the resource of a disk, which may be of another version than this program.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Disk {
    bytes: u64,
    bus: String,
    model: String,
    serial: String,
    wwid: String,
    bus_path: String,
    rotational: bool,
    removable: bool,
    read_only: bool,
}

/// A disk as `get` shows it, and whether it fits.
#[derive(Serialize)]
struct Tried<'a> {
    #[serde(flatten)]
    shown: Shown<'a>,
    fits: bool,
}

/// Shows disks.
pub(crate) async fn run(session: &Session, disks: &Disks, format: Format) -> Result<()> {
    let get = Get::all("disks");
    let Some(selector) = &disks.selector else {
        return super::run(session, get, format).await;
    };
    let answers = session.each(|channel| list(channel, &get)).await?;
    if format == Format::Table {
        if let Some((headings, rows)) = table(&answers.good, answers.are_of_one(), selector)? {
            output::table(&headings, &rows)?;
        }
    } else {
        output::value(format, &tried(&answers.good, selector)?)?;
    }
    let judged = answers.then(|_, (_, disks)| {
        let judged = judge(&disks, selector);
        async { judged }
    });
    judged.await.finish()
}

/// Headings and rows.
type Table<'a> = (Vec<&'a str>, Vec<Vec<String>>);

/// The table of `get`, with a column more behind the names.
fn table<'a>(
    good: &'a [Listed],
    of_one: bool,
    selector: &DiskSelector,
) -> Result<Option<Table<'a>>> {
    let Some((mut headings, mut rows)) = rows(good, of_one) else {
        return Ok(None);
    };
    let behind = if of_one { 1 } else { 2 };
    headings.insert(behind, "FITS");
    for ((_, _, disk), row) in each(good).zip(&mut rows) {
        let word = if fits(disk, selector)? { "yes" } else { "no" };
        row.insert(behind, word.to_owned());
    }
    Ok(Some((headings, rows)))
}

fn tried<'a>(good: &'a [Listed], selector: &DiskSelector) -> Result<Vec<Tried<'a>>> {
    let tried = each(good).map(|(node, _, disk)| {
        Ok(Tried {
            shown: shown(node, None, disk)?,
            fits: fits(disk, selector)?,
        })
    });
    tried.collect()
}

/// Whether a node would take the disk if no other one fitted: it takes none that it cannot write.
fn fits(resource: &Resource, selector: &DiskSelector) -> Result<bool> {
    let yaml = resource.spec.yaml().context("reading a disk")?;
    let disk: Disk = serde_yaml::from_str(yaml).context("reading a disk")?;
    let facts = DiskFacts {
        name: &resource.metadata.id,
        size: disk.bytes,
        model: &disk.model,
        serial: &disk.serial,
        wwid: &disk.wwid,
        bus_path: &disk.bus_path,
        bus: DiskBus::of(&disk.bus).unwrap_or(DiskBus::Other),
        rotational: disk.rotational,
        removable: disk.removable,
    };
    Ok(!disk.read_only && disk.bytes > 0 && selector.fits(&facts))
}

/// An error unless exactly one disk fits.
fn judge(disks: &[Resource], selector: &DiskSelector) -> Result<()> {
    let mut fitting = Vec::new();
    for disk in disks {
        if fits(disk, selector)? {
            fitting.push(disk.metadata.id.to_string());
        }
    }
    match fitting.as_slice() {
        [_] => Ok(()),
        [] => bail!("none of its disks that can be written fits, so it would take none"),
        [first, rest @ ..] => {
            let names: Vec<_> = once(first).chain(rest).map(String::as_str).collect();
            bail!(
                "{} disks fit, so it would take none of them: {}",
                names.len(),
                names.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use resources::block;
    use store::Spec;

    use super::super::Kind;
    use super::*;

    /// A node's disks as they come over the wire, where their type is not known.
    fn disks() -> Vec<Resource> {
        let disk = |id: &str, bytes, bus, read_only| {
            let disk = block::Disk {
                bytes,
                bus,
                read_only,
                serial: format!("of {id}"),
                ..block::Disk::default()
            };
            Resource::in_default(id, disk)
        };
        vec![
            disk("nvme0n1", 1 << 40, block::Bus::Nvme, false),
            disk("sda", 1 << 41, block::Bus::Scsi, false),
            disk("sr0", 0, block::Bus::Ata, false),
            disk("vda", 1 << 40, block::Bus::Virtio, true),
        ]
    }

    fn selector(text: &str) -> DiskSelector {
        text.parse().expect("a selector")
    }

    fn judged(text: &str) -> Result<(), String> {
        judge(&disks(), &selector(text)).map_err(|it| it.to_string())
    }

    #[test]
    fn a_selector_is_good_when_one_disk_fits() {
        assert_eq!(judged("bus == 'nvme'"), Ok(()));
        assert_eq!(judged("serial == 'of sda'"), Ok(()));
        assert_eq!(judged("name.startsWith('nvme')"), Ok(()));
        assert_eq!(judged("size > 1TiB"), Ok(()));
        let several = "2 disks fit, so it would take none of them: nvme0n1, sda";
        assert_eq!(judged("size > 0B"), Err(several.to_owned()));
        let none = "none of its disks that can be written fits, so it would take none";
        for text in ["size > 2TiB", "bus == 'virtio'", "bus == 'ata'"] {
            assert_eq!(judged(text), Err(none.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_disk_of_another_version_is_tried_too() {
        let old: Disk = serde_yaml::from_str("{bytes: 5, bus: abacus, colour: red}").expect("read");
        assert_eq!(
            (old.bytes, old.bus.as_str(), old.removable),
            (5, "abacus", false)
        );
    }

    #[test]
    fn it_is_told_which_ones_fit() {
        let kind = || Kind {
            definition: block::Disk::DEFINITION.to_spec(),
            namespace: block::NAMESPACE.to_owned(),
        };
        let answers: Vec<Listed> = ["cp-1", "cp-2"]
            .map(|node| (node.to_owned(), (kind(), disks())))
            .into();
        let selector = selector("size <= 1TiB");
        let one = answers.get(..1).expect("one");
        let (headings, rows) = table(one, true, &selector).expect("read").expect("some");
        assert_eq!(headings.get(..3), Some(&["ID", "FITS", "SIZE"][..]));
        let column = |rows: &[Vec<String>], at: usize| {
            let cells = rows.iter().map(|row| row.get(at).cloned());
            cells.collect::<Option<Vec<_>>>().expect("a cell")
        };
        assert_eq!(column(&rows, 1), ["yes", "no", "no", "no"]);
        let (headings, rows) = table(&answers, false, &selector)
            .expect("read")
            .expect("some");
        assert_eq!(headings.get(..3), Some(&["NODE", "ID", "FITS"][..]));
        assert_eq!(column(&rows, 2).concat(), "yesnononoyesnonono");
        let tried = tried(&answers, &selector).expect("read");
        let json = serde_json::to_value(&tried).expect("JSON");
        let first = json.get(0).expect("one");
        assert_eq!(first.get("node"), Some(&"cp-1".into()));
        assert_eq!(first.get("fits"), Some(&true.into()));
        assert_eq!(first.pointer("/metadata/id"), Some(&"nvme0n1".into()));
        assert_eq!(first.pointer("/spec/bus"), Some(&"nvme".into()));
    }
}
