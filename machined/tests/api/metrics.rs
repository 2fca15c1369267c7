//! `/metrics` as scrapers ask for it: over either HTTP, by role, and by Prometheus itself.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::machine_service_client::MachineServiceClient;
use pki::{Role, tls};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Code;

use super::fixture::{Cluster, DEADLINE, Served, dial, serve};

const METRICS: &str = "/metrics";

/// The same client, wanting these protocols.
fn wanting(config: &ClientConfig, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
    Arc::new(config)
}

async fn connect(served: &Served, config: Arc<ClientConfig>) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(served.address).await.unwrap();
    let name = tls::server_name("127.0.0.1").unwrap();
    let connecting = TlsConnector::from(config).connect(name, stream);
    connecting.await.unwrap()
}

/// One request of HTTP/1.1 and what came back: head and body. Empty when the node closed the connection instead.
async fn ask(stream: &mut TlsStream<TcpStream>, what: &str) -> (String, String) {
    let request = format!("{what} HTTP/1.1\r\nHost: node-1\r\n\r\n");
    let asked = async {
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        Ok::<_, std::io::Error>((head, String::from_utf8(body).unwrap()))
    };
    let asked = timeout(DEADLINE, asked).await.expect("an end in time");
    asked.unwrap_or_default()
}

#[tokio::test]
async fn over_http_1_1_a_connection_answers_scrape_after_scrape() {
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    // A scraper that asks for no protocol means this one, too.
    for protocols in [&[&b"http/1.1"[..]][..], &[]] {
        let client = wanting(&cluster.client(Role::Reader), protocols);
        let mut stream = connect(&served, client).await;
        for _ in 0..2 {
            let (head, body) = ask(&mut stream, "GET /metrics").await;
            assert!(head.starts_with("http/1.1 200"), "{head}");
            let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
            assert!(head.contains(kind), "{head}");
            assert!(body.contains("garboard_uptime_seconds "), "{body}");
            assert!(body.ends_with("# EOF\n"), "{body}");
        }
    }
    let mut stream = connect(&served, http_1(&cluster, Role::Reader)).await;
    let (_, body) = ask(&mut stream, "GET /metrics").await;
    let counted = "garboard_api_calls_total{method=\"/metrics\",code=\"Ok\"} 4\n";
    assert!(body.contains(counted), "{body}");
}

fn http_1(cluster: &Cluster, role: Role) -> Arc<ClientConfig> {
    wanting(&cluster.client(role), &[b"http/1.1"])
}

#[tokio::test]
async fn over_http_1_1_nothing_else_is_to_be_had_and_refusals_are_in_its_words() {
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    let mut reader = connect(&served, http_1(&cluster, Role::Reader)).await;
    let (head, body) = ask(&mut reader, "POST /metrics").await;
    assert!(head.starts_with("http/1.1 405"), "{head}{body}");
    let (head, body) = ask(
        &mut reader,
        "GET /garboard.machine.v1alpha1.MachineService/Version",
    )
    .await;
    assert!(head.starts_with("http/1.1 404"), "{head}{body}");
    assert!(body.contains("gRPC over HTTP/2"), "{body}");
    let mut backup = connect(&served, http_1(&cluster, Role::EtcdBackup)).await;
    let (head, body) = ask(&mut backup, "GET /metrics").await;
    assert!(head.starts_with("http/1.1 403"), "{head}{body}");
    assert!(body.contains("has the role etcd-backup"), "{body}");

    let find = async |method: &str, result| {
        let found = |record: &machined::api::Record| {
            record.method == method && record.result == result && record.subject == "mina"
        };
        served.records.wait(found).await
    };
    find(METRICS, Code::InvalidArgument).await;
    find(METRICS, Code::PermissionDenied).await;
    find(
        "/garboard.machine.v1alpha1.MachineService/Version",
        Code::Unimplemented,
    )
    .await;
}

#[tokio::test]
async fn http_1_1_is_not_for_strangers_nor_for_who_agreed_on_http_2() {
    let waiting = serve(None);
    let pin = waiting.pairing.borrow().pin;
    let stranger = tls::pinned_client(pin).unwrap();
    let mut silent = connect(&waiting, wanting(&stranger, &[])).await;
    assert_eq!(ask(&mut silent, "GET /metrics").await, Default::default());
    let mut lying = connect(&waiting, stranger).await;
    assert_eq!(ask(&mut lying, "GET /metrics").await, Default::default());

    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    let mut lying = connect(&served, cluster.client(Role::Reader)).await;
    assert_eq!(ask(&mut lying, "GET /metrics").await, Default::default());
    // Those who do what they agreed on are served.
    let channel = dial(served.address, cluster.client(Role::Reader)).await;
    let mut client = MachineServiceClient::new(channel.unwrap());
    client.version(v1::VersionRequest {}).await.unwrap();
}

/// Where `cargo xtask test` puts Prometheus.
fn prometheus() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Path::new(&std::env::var_os("HOME").unwrap()).join(".cache");
    let programs = cache
        .unwrap_or_else(home)
        .join("garboard/prometheus/usr/bin");
    assert!(
        programs.join("prometheus").exists(),
        "there is no Prometheus in {}: `cargo xtask test` fetches it",
        programs.display()
    );
    programs
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Two jobs: one over HTTP/2, one over HTTP/1.1.
fn configure(folder: &Path, cluster: &Cluster, target: &str) -> PathBuf {
    let person = cluster.person(Role::Reader.into());
    let authority = cluster.authority.identity().certificate_pem();
    fs::write(folder.join("ca.crt"), authority).unwrap();
    fs::write(folder.join("own.crt"), person.certificate_pem()).unwrap();
    fs::write(folder.join("own.key"), person.key_pem().expose()).unwrap();
    let job = |name: &str, http_2: bool| {
        format!(
            "- job_name: {name}\n  scheme: https\n  enable_http2: {http_2}\n  scrape_interval: 2s\n  scrape_timeout: 2s\n  \
             tls_config: {{ca_file: ca.crt, cert_file: own.crt, key_file: own.key}}\n  \
             static_configs: [{{targets: ['{target}']}}]\n"
        )
    };
    let file = folder.join("prometheus.yml");
    let jobs = [job("second", true), job("first", false)].concat();
    fs::write(&file, format!("scrape_configs:\n{jobs}")).unwrap();
    file
}

#[tokio::test]
async fn prometheus_understands_it() {
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    let folder = tempfile::tempdir().unwrap();
    let config = configure(folder.path(), &cluster, &served.address.to_string());
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let argument = |name: &str, value: &Path| format!("--{name}={}", value.display());
    let child = Command::new(prometheus().join("prometheus"))
        .arg(argument("config.file", &config))
        .arg(argument("storage.tsdb.path", &data))
        .arg("--web.listen-address=127.0.0.1:0")
        .stdout(Stdio::null())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let running = Running(child);
    // Both jobs in turns: when one is there for the third time, what it and the other got before is written.
    let often = |records: &[machined::api::Record]| (records.len() >= 6).then_some(());
    served.records.until(often).await;
    drop(running);
    let dump = Command::new(prometheus().join("promtool"))
        .args(["tsdb", "dump"])
        .arg(&data)
        .output()
        .unwrap();
    let dump = String::from_utf8(dump.stdout).unwrap();
    for job in ["first", "second"] {
        let labels = format!("job=\"{job}\"}} 1 ");
        for name in ["{__name__=\"up\",", "{__name__=\"garboard_build_info\","] {
            let told = |line: &str| line.starts_with(name) && line.contains(&labels);
            let log = fs::read_to_string(&log).unwrap();
            assert!(
                dump.lines().any(told),
                "no {name} of {job} in\n{dump}\n{log}"
            );
        }
    }
}
