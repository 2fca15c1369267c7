//! Kubernetes on the machines of a local cluster.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};
use clap::Args;
use config::{KubernetesEndpoint, Role};
use provision::Cluster;
use provision::spec::VmSpec;

use crate::exit::usage;

/// Where the API server listens, for kubectl on this computer.
const PORT: u16 = 6443;

/// How many processors a node of Kubernetes has: with one, its parts wait for each other all the time.
const PROCESSORS: u32 = 2;

/// Memory of a machine without Kubernetes, in MiB.
const MEMORY: u32 = 1024;

/// Memory of a machine with a control plane and a few pods, in MiB.
const LEAST_MEMORY: u32 = 2048;

/// Whether they run it.
#[derive(Debug, Args)]
pub(super) struct Kubernetes {
    /// Machines that run Kubernetes: one control plane, for now. `osctl bootstrap` then has its cluster begin
    #[arg(long, overrides_with = "no_kubernetes")]
    kubernetes: bool,
    /// Machines without Kubernetes, as they are unless said otherwise
    #[arg(long, overrides_with = "kubernetes")]
    no_kubernetes: bool,
}

impl Kubernetes {
    /// Memory of a machine that nobody said anything of, in MiB.
    pub(super) fn memory(&self) -> u32 {
        if self.kubernetes {
            LEAST_MEMORY
        } else {
            MEMORY
        }
    }

    /// Refuses what cannot begin: machines without images, which are in a bundle or on the medium, or without a config.
    pub(super) fn check_parts(&self, images: bool, config: bool) -> Result<()> {
        let refusal = match (images, config) {
            _ if !self.kubernetes => return Ok(()),
            (true, true) => return Ok(()),
            (false, _) => {
                "Kubernetes' images come in a bundle: build it with `cargo xtask bundle`, or name one with --bundle"
            }
            (true, false) => {
                "what runs Kubernetes is in a config: leave out --no-config or --kubernetes"
            }
        };
        Err(usage(refusal.to_owned()))
    }

    /// Refuses what would not work: so many control planes and workers, of so much memory, with or without a disk.
    pub(super) fn check(&self, planes: u8, workers: u8, memory: u32, disk: bool) -> Result<()> {
        if !self.kubernetes {
            return Ok(());
        }
        if (planes, workers) != (1, 0) {
            let text = "nodes cannot join a Kubernetes cluster yet: --kubernetes is for one control plane and no worker";
            return Err(usage(text.to_owned()));
        }
        if !disk {
            let text = "Kubernetes keeps its images and its state on a disk; leave --no-disk out";
            return Err(usage(text.to_owned()));
        }
        if memory < LEAST_MEMORY {
            return Err(usage(format!(
                "a control plane of Kubernetes needs {LEAST_MEMORY} MiB of memory; --memory {LEAST_MEMORY} gives them"
            )));
        }
        Ok(())
    }

    /// Gives a machine what it needs.
    pub(super) fn equip(&self, vm: &mut VmSpec, role: Role) {
        if self.kubernetes {
            vm.cpus = PROCESSORS;
            let forwarded = (role == Role::ControlPlane).then_some(PORT);
            vm.ports.extend(forwarded);
        }
    }

    /// Where the API is, when there is to be one: the first machine is a control plane, and all reach it by the address that
    /// it is leased.
    pub(super) fn endpoint(&self, lease: Option<Ipv4Addr>) -> Result<Option<KubernetesEndpoint>> {
        if !self.kubernetes {
            return Ok(None);
        }
        let lease = lease.context("the first control plane has no address yet")?;
        let endpoint = KubernetesEndpoint::from_host(&lease.to_string());
        endpoint.map(Some).context("the endpoint of Kubernetes")
    }

    /// What to do next, when the nodes are there.
    pub(super) fn next(&self, cluster: &Cluster) -> Option<String> {
        let forwarded = cluster.vms().first()?.endpoint(PORT)?;
        let server = format!("--server https://{forwarded}");
        self.kubernetes.then(|| {
            format!("Kubernetes waits to begin: osctl bootstrap, then osctl kubeconfig {server}")
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        kubernetes: Kubernetes,
    }

    fn of(line: &str) -> Kubernetes {
        let line = Line::try_parse_from(line.split(' '));
        line.expect("a command line").kubernetes
    }

    #[test]
    fn the_first_control_plane_has_the_api() {
        let endpoint = |line: &str, lease: Option<[u8; 4]>| {
            let endpoint = of(line).endpoint(lease.map(Ipv4Addr::from));
            endpoint.map(|it| it.map(|it| it.to_string()))
        };
        let lease = Some([10, 0, 2, 15]);
        let here = Some("https://10.0.2.15:6443".to_owned());
        let on = endpoint("create --kubernetes", lease);
        assert_eq!(on.expect("an endpoint"), here);
        assert!(endpoint("create --kubernetes", None).is_err());
        for without in [
            "create",
            "create --no-kubernetes",
            "create --kubernetes --no-kubernetes",
        ] {
            assert_eq!(endpoint(without, lease).expect("none"), None, "{without}");
        }
    }

    #[test]
    fn what_would_not_work_is_refused() {
        let on = of("create --kubernetes");
        assert!(on.check(1, 0, LEAST_MEMORY, true).is_ok());
        for (planes, workers, memory, disk, why) in [
            (2, 0, LEAST_MEMORY, true, "cannot join"),
            (1, 1, LEAST_MEMORY, true, "cannot join"),
            (1, 0, LEAST_MEMORY, false, "--no-disk"),
            (1, 0, 1024, true, "--memory 2048"),
        ] {
            let refused = on.check(planes, workers, memory, disk).expect_err(why);
            assert!(refused.to_string().contains(why), "{refused}");
        }
        assert!(of("create").check(3, 2, 128, false).is_ok());
        assert!(on.check_parts(true, true).is_ok());
        for (images, config, why) in [(false, true, "--bundle"), (true, false, "--no-config")] {
            let refused = on.check_parts(images, config).expect_err(why);
            assert!(refused.to_string().contains(why), "{refused}");
        }
        assert!(of("create").check_parts(false, false).is_ok());
    }
}
