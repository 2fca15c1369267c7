//! What `osctl health` says of a cluster.

use std::time::Duration;

use anyhow::{Context as _, Result};
use provision::Deadline;
use serde_json::Value;

use crate::lab::Lab;

/// The one check that hangs on the world: where machines reach no time server, nobody vouches for their clocks.
const TIME: &str = "time";

/// Waits until every check passes; what failed last when time is up. `patience` is how long that may take on machines that are not
/// emulated.
///
/// # Errors
/// When one does not in time.
pub fn is_well(lab: &Lab, patience: Duration) -> Result<()> {
    let mut last = None;
    let well = Deadline::after(lab.patience(patience)).until(|| {
        let failed = failed(lab);
        let none = failed.as_ref().is_ok_and(Vec::is_empty);
        last = Some(failed);
        none.then_some(())
    });
    well.with_context(|| format!("the cluster is not well: {last:?}"))
}

/// The checks that fail now.
///
/// # Errors
/// When `osctl` says nothing.
pub fn failed(lab: &Lab) -> Result<Vec<Value>> {
    let said = lab.osctl("health --wait 0 -o json")?;
    let checks: Vec<Value> =
        serde_json::from_str(&said.out).with_context(|| format!("{said:?}"))?;
    let failed = checks.into_iter().filter(|it| {
        let passed = it.get("passed").and_then(Value::as_bool);
        let check = it.get("check").and_then(Value::as_str);
        passed != Some(true) && check != Some(TIME)
    });
    Ok(failed.collect())
}
