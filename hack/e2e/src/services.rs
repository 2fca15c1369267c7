//! The services of a node, as it tells of them.

use std::time::Duration;

use anyhow::{Context as _, Result};
use provision::{Boot, Deadline, Image, Medium, VmSpec};
use serde_json::Value;

use crate::agent;
use crate::lab::Lab;

/// The kernel argument that names a folder with further services, and where the agent puts them.
const ARGUMENT: &str = " garboard.services=/run/garboard/services.d";

/// A machine with so many MiB of memory and an agent, which may be given services.
///
/// # Errors
/// When the image is not there, or the agent cannot be put into it.
pub fn machine(lab: &Lab, image: &Image, memory: u32) -> Result<VmSpec> {
    let mut vm = image.vm("node".parse()?, memory, Medium::Direct, false)?;
    agent::equip(lab, &mut vm)?;
    if let Boot::Direct { cmdline, .. } = &mut vm.boot {
        cmdline.push_str(ARGUMENT);
    }
    Ok(vm)
}

/// The longest that something takes here: a daemon that is silent for half a minute is taken to hang.
const LONGEST: Duration = Duration::from_secs(60);

/// What the node says of a service now.
///
/// # Errors
/// When it does not answer, or knows of none. While its daemon hangs it is not waited for long.
pub fn of(lab: &Lab, name: &str) -> Result<Value> {
    let said = lab.osctl(&format!("get services {name} -o json --timeout 5"))?;
    let all: Vec<Value> = serde_json::from_str(&said.fine()?)?;
    let spec = all.first().and_then(|service| service.get("spec"));
    spec.cloned().context("a service without a spec")
}

/// Asks until a service is as wanted; what the node says of it then.
///
/// # Errors
/// When it is not so in time.
pub fn until(lab: &Lab, name: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let deadline = Deadline::after(lab.patience(LONGEST));
    let mut last = None;
    let told = deadline.until(|| {
        let spec = of(lab, name).ok()?;
        last = Some(spec.to_string());
        wanted(&spec).then_some(spec)
    });
    told.with_context(|| format!("{name} is not what it should be: {last:?}"))
}

/// Whether that is what the node says of a service.
#[must_use]
pub fn is(spec: &Value, field: &str, wanted: &str) -> bool {
    said(spec, field) == wanted
}

/// What the node says of a service; empty when nothing.
#[must_use]
pub fn said<'a>(spec: &'a Value, field: &str) -> &'a str {
    spec.get(field).and_then(Value::as_str).unwrap_or_default()
}
