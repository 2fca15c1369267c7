//! The power goes at any moment: afterwards the node has the config of before or the new one, whole, and its disk is
//! usable without help.
//!
//! A node lives its life on a disk that is recorded; then the disk is made what it could have been at some moment of that
//! life, and the node is started with it, again and again.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use e2e::{Cut, Lab, Node, Recorded, places, powercut};
use provision::{Bus, Disk, Facts, Medium, OwnDisk};

const MEMORY: u32 = 512;

/// Large enough for all partitions, and little more: the time of this test is that of writing the disk.
const DISK: u64 = 3 << 30;

/// The number of the disk after the one with the root.
const OWN: usize = 1;

/// What tells the node's disk from others.
const SELECTOR: &str = "serial==\"system\"";

/// The node's names, one after the other: what it calls itself tells which config it has.
const NAMES: [&str; 4] = ["node", "second", "third", "fourth"];

/// How many cuts each of the long tests makes: a quarter of what all of them are to make.
const MANY: usize = 50;

#[test]
fn a_power_cut_leaves_the_old_config_or_the_new_one() -> Result<()> {
    power_goes(1, 2, 1)
}

#[test]
#[ignore = "long: fifty boots"]
fn fifty_power_cuts() -> Result<()> {
    power_goes(MANY / 2, MANY / 2, chance()?)
}

#[test]
#[ignore = "long: fifty boots"]
fn fifty_more_power_cuts() -> Result<()> {
    power_goes(MANY / 2, MANY / 2, chance()?)
}

#[test]
#[ignore = "long: fifty boots"]
fn fifty_power_cuts_between_applies() -> Result<()> {
    power_goes(0, MANY, chance()?)
}

#[test]
#[ignore = "long: fifty boots"]
fn fifty_power_cuts_while_the_disk_is_made() -> Result<()> {
    power_goes(MANY, 0, chance()?)
}

/// Another number every time.
fn chance() -> Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(u64::from(now.subsec_nanos()))
}

/// Cuts the power at so many moments until the first config was kept, and at so many of the applies after it and of the
/// time that follows each.
fn power_goes(making: usize, applies: usize, seed: u64) -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    vm.disks.push(Disk::Own(OwnDisk {
        serial: Some("system".parse()?),
        record: true,
        ..OwnDisk::new(DISK, Bus::Virtio)
    }));
    let mut node = lab.node(&image, vm)?;
    let file = node.cluster.disk_record(&node.name, OWN)?;
    let life = Life::live(&lab, &mut node, &file)?;

    let bytes = fs::read(&file)?;
    let recorded = Recorded::parse(&bytes, DISK)?;
    let first = life.applied.first().context("a first config")?.kept;
    let mut cuts = recorded.cuts(0..=first, making, seed);
    let sent: Vec<usize> = life.applied.iter().skip(1).map(|it| it.sent).collect();
    let ends = sent
        .iter()
        .skip(1)
        .copied()
        .chain([recorded.entries().len()]);
    let (each, more) = (applies / sent.len(), applies % sent.len());
    for ((number, sent), end) in sent.iter().enumerate().zip(ends) {
        let share = each + usize::from(number < more);
        // Each its own luck.
        cuts.extend(recorded.cuts(
            *sent..=end,
            share,
            seed.rotate_left(7) ^ u64::try_from(number)?,
        ));
    }
    let mut held = 0;
    for cut in cuts {
        recorded.image(cut, &node.disk_file(OWN)?)?;
        // What it does now is nobody's business.
        File::create(&file)?;
        life.goes_on(&lab, &mut node, cut)
            .with_context(|| format!("{cut}: {}", life.story()))?;
        node.power_cut()?;
        held += 1;
    }
    ensure!(held == making + applies, "{held} cuts");
    told(&format!("| {seed} | {making} | {applies} | {held} |\n"))
}

/// Adds a line to the report, if there is to be one.
fn told(line: &str) -> Result<()> {
    let Some(file) = places::power_cuts() else {
        return Ok(());
    };
    let mut file = File::options().append(true).open(file)?;
    // At once, since several tests write.
    Ok(file.write_all(line.as_bytes())?)
}

/// A config that a node was given.
struct Applied {
    /// The name that it gives the node.
    name: &'static str,
    /// How many entries the record had before it was sent.
    sent: usize,
    /// How many it had when the node had said that it has it.
    kept: usize,
    /// The config as the node shows it.
    shown: String,
}

/// What was done to a node.
struct Life {
    api: String,
    applied: Vec<Applied>,
}

impl Life {
    fn live(lab: &Lab, node: &mut Node<'_>, record: &Path) -> Result<Self> {
        let (pairing, api) = (node.pairing()?, node.api()?.to_string());
        lab.osctl("gen secrets")?.fine()?;
        lab.osctl(&format!("gen config node --system-disk {SELECTOR}"))?
            .fine()?;
        lab.osctl(&format!("gen crt --name node --node node={api}"))?
            .fine()?;
        let mut life = Self {
            api,
            applied: Vec::new(),
        };
        for name in NAMES {
            let sent = powercut::count(record)?;
            if life.applied.is_empty() {
                life.pair(lab, &pairing)?;
                life.ready(lab)?;
            } else {
                let patch = format!(r#"{{"kind":"Hostname","hostname":"{name}"}}"#);
                let api = &life.api;
                lab.osctl(&format!("config patch -n {api} -p {patch}"))?
                    .fine()?;
            }
            let kept = powercut::count(record)?;
            ensure!(sent < kept, "nothing was written for {name}");
            let shown = life.shown(lab)?;
            ensure!(shown.contains(&format!("hostname: {name}")), "{shown}");
            life.applied.push(Applied {
                name,
                sent,
                kept,
                shown,
            });
        }
        let api = &life.api;
        node.after(|_, _| lab.osctl(&format!("shutdown -n {api}"))?.fine().map(drop))?
            .says("reboot: Power down", lab.change_deadline())?;
        node.is_off()?;
        Ok(life)
    }

    /// What was done to the node when, for messages.
    fn story(&self) -> String {
        let told = self.applied.iter().map(|it| {
            let Applied {
                name, sent, kept, ..
            } = it;
            format!("{name} was sent after entry {sent} and kept at {kept}")
        });
        told.collect::<Vec<_>>().join(", ")
    }

    /// Starts the node with what a cut left. It has what it said it has, or what it was given since then; before it had
    /// said so for the first time it may have nothing, and then takes its config once more.
    fn goes_on(&self, lab: &Lab, node: &mut Node<'_>, cut: Cut) -> Result<()> {
        let oldest = self.applied.iter().rposition(|it| it.kept <= cut.after);
        let since = self.applied.get(oldest.unwrap_or(0)..).unwrap_or_default();
        let may: Vec<_> = since.iter().take_while(|it| it.sent < cut.after).collect();
        node.start()?.says("Linux version", lab.boot_deadline())?;
        // It is drawn as running a moment before it is drawn with its name.
        let runs = |it: &Facts| {
            let named = it.name.as_deref().is_some_and(|name| NAMES.contains(&name));
            named && it.stage.as_deref() == Some("running")
        };
        let deadline = lab.boot_deadline();
        let came = node.shows("running, or waiting where it may", deadline, |it| {
            runs(it) || (oldest.is_none() && it.pairing.is_some())
        })?;
        let expected = if runs(&came) {
            let name = came.name.as_deref().unwrap_or_default();
            let found = may.into_iter().find(|it| it.name == name);
            found.with_context(|| format!("it calls itself {name}"))?
        } else {
            let pairing = came.pairing.context("a pairing string")?;
            self.pair(lab, pairing.as_str())?;
            self.applied.first().context("a first config")?
        };
        self.ready(lab)?;
        let shown = self.shown(lab)?;
        if shown != expected.shown {
            bail!("it has\n{shown}, not\n{}", expected.shown);
        }
        Ok(())
    }

    fn pair(&self, lab: &Lab, pairing: &str) -> Result<()> {
        let api = &self.api;
        let line = format!("apply --file node.yaml -n {api} --pairing {pairing}");
        lab.osctl(&line)?.fine().map(drop)
    }

    /// Waits until both volumes are mounted, and the config is kept on one of them.
    fn ready(&self, lab: &Lab) -> Result<()> {
        let api = &self.api;
        for name in ["STATE", "EPHEMERAL"] {
            lab.osctl_until(&format!("get volumes {name} -n {api} -o json"), |said| {
                said.contains("\"phase\": \"ready\"") && said.contains("\"mountedAt\": \"/")
            })?;
        }
        lab.osctl_until(&format!("get conditions -n {api} -o json"), |said| {
            said.contains("kept on STATE")
        })?;
        Ok(())
    }

    fn shown(&self, lab: &Lab) -> Result<String> {
        lab.osctl_until_fine(&format!("config show -n {}", self.api))
    }
}
