//! What monitoring reads from a node: every family there is, with numbers of the machine's own.

mod client;

use anyhow::{Context, Result, ensure};
use e2e::{Lab, places};
use pki::tls;
use provision::Medium;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use client::{Secrets, block_on};

const MEMORY: u32 = 512;

/// More than our processes use together, in bytes: a number in another unit is above or below.
const MUCH: f64 = 128.0 * 1024.0 * 1024.0;
const LITTLE: f64 = 64.0 * 1024.0;

#[test]
fn a_scrape_over_http_1_1_tells_of_every_process() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    let mut node = lab.node(&image, vm)?;
    node.configure()?;
    let api = node.api()?;
    let mut config = ClientConfig::clone(&*Secrets::read(&lab)?.admin()?);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let answer = block_on(&lab, async {
        let connector = TlsConnector::from(std::sync::Arc::new(config));
        let stream = TcpStream::connect(api).await?;
        let mut stream = connector.connect(tls::server_name("node")?, stream).await?;
        let request = b"GET /metrics HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    })?;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let value = |sample: &str| -> Result<f64> {
        let line = answer.lines().find_map(|line| line.strip_prefix(sample));
        let value = line.with_context(|| format!("no {sample} in\n{answer}"))?;
        Ok(value.trim().parse()?)
    };
    for process in ["init", "machined", "networkd"] {
        let whole = format!("garboard_process_resident_memory_bytes{{process=\"{process}\"}}");
        let share = format!("garboard_process_proportional_memory_bytes{{process=\"{process}\"}}");
        let (whole, share) = (value(&whole)?, value(&share)?);
        ensure!(LITTLE < share && share <= whole && whole < MUCH, "{answer}");
    }
    for (sample, wanted) in [
        ("garboard_stage{stage=\"running\"}", 1.0),
        ("garboard_config_generation", 1.0),
        ("garboard_service_restarts_total{service=\"networkd\"}", 0.0),
    ] {
        let found = value(sample)?;
        ensure!(
            (found - wanted).abs() < f64::EPSILON,
            "{sample} {found} in\n{answer}"
        );
    }
    Ok(())
}
