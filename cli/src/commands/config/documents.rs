//! Configs before they are sent: read, and refused here where a node would refuse them.

use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use pki::{Authority, Identity, Trust};

use crate::context::Context;

/// Refuses a config that no node would take, with the place of every fault.
pub(super) fn checked(name: &str, bytes: &[u8]) -> Result<config::Documents> {
    let documents = config::parse(name, bytes)?;
    let problems = documents.validate();
    if !problems.is_empty() {
        let list: Vec<_> = problems.iter().map(ToString::to_string).collect();
        bail!("{}", list.join("\n"))
    }
    if let Some(trust) = documents.api_trust() {
        usable(trust).with_context(|| format!("{name}: ApiTrust"))?;
    }
    Ok(documents)
}

/// Reads the certificates and keys of a config as the node will.
pub(super) fn usable(trust: &config::ApiTrustConfig) -> Result<()> {
    Trust::from_pem(trust.ca.as_pem()).context("ca")?;
    if let Some(pair) = &trust.issuer {
        Authority::from_pem(pair.certificate.as_pem(), pair.key.as_pem()).context("issuer")?;
    }
    if let Some(pair) = &trust.serving {
        Identity::from_pem(pair.certificate.as_pem(), pair.key.as_pem()).context("serving")?;
    }
    Ok(())
}

/// Refuses a config after which the node would not take its sender's certificate any more: what is left then is its
/// console.
pub(super) fn keeps_the_way_in(
    name: &str,
    documents: &config::Documents,
    context: &Context,
) -> Result<()> {
    let Some(trust) = documents.api_trust() else {
        bail!(
            "{name} has no ApiTrust, and a config is applied as a whole: the node would believe nobody any more; \
             `osctl config show -n NODE --reveal-secrets` prints the one it runs, to begin with"
        );
    };
    let yours = Trust::from_pem(&context.ca).context("reading the context's authority")?;
    let theirs = Trust::from_pem(trust.ca.as_pem()).context("reading the ca of ApiTrust")?;
    if yours.fingerprints().is_disjoint(theirs.fingerprints()) {
        bail!(
            "{name} is of another cluster: with its ApiTrust the node would refuse your certificate; \
             make it with the secrets.yaml of this cluster, or let its `ca` hold both authorities"
        );
    }
    Ok(())
}

pub(super) fn read(file: &Path) -> Result<(String, Vec<u8>)> {
    // One byte over the limit is enough to be refused with the right words.
    let limit = config::MAX_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(limit)
            .read_to_end(&mut bytes)
            .context("reading standard input")?;
        return Ok(("standard input".to_owned(), bytes));
    }
    let name = file.display().to_string();
    let opened = std::fs::File::open(file).with_context(|| format!("opening {name}"))?;
    opened
        .take(limit)
        .read_to_end(&mut bytes)
        .with_context(|| format!("reading {name}"))?;
    Ok((name, bytes))
}
