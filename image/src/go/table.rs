//! The table of Go programs. Versions are chosen by hand; docs/adr/0009-go-programs.md says by what.

use super::programs::{Build, Program, Source, Stamps};

/// All programs that are built when nobody says which.
pub const PROGRAMS: &[Program] = &[
    Program {
        name: "etcd",
        sources: &[
            Source {
                name: "server",
                module: "go.etcd.io/etcd/server/v3",
                version: "v3.7.3",
                siblings: None,
            },
            Source {
                name: "etcdctl",
                module: "go.etcd.io/etcd/etcdctl/v3",
                version: "v3.7.3",
                siblings: None,
            },
            Source {
                name: "etcdutl",
                module: "go.etcd.io/etcd/etcdutl/v3",
                version: "v3.7.3",
                siblings: None,
            },
        ],
        stamps: Stamps::InSource,
        builds: &[Build {
            tags: &[],
            mains: &[
                ("go.etcd.io/etcd/server/v3", "etcd"),
                ("go.etcd.io/etcd/etcdctl/v3", "etcdctl"),
                ("go.etcd.io/etcd/etcdutl/v3", "etcdutl"),
            ],
        }],
    },
    Program {
        name: "kubernetes/1.37",
        sources: &[Source {
            name: "kubernetes",
            module: "k8s.io/kubernetes",
            version: "v1.37.1",
            siblings: Some("v0.37.1"),
        }],
        stamps: Stamps::Kubernetes {
            date: "2026-09-23T17:06:22Z",
        },
        builds: &[Build {
            // hack/lib/golang.sh
            tags: &["selinux", "notest", "grpcnotrace"],
            mains: &[
                ("k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
                (
                    "k8s.io/kubernetes/cmd/kube-controller-manager",
                    "kube-controller-manager",
                ),
                ("k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"),
                ("k8s.io/kubernetes/cmd/kube-proxy", "kube-proxy"),
                ("k8s.io/kubernetes/cmd/kubelet", "kubelet"),
                ("k8s.io/kubernetes/cmd/kubectl", "kubectl"),
                // No node has it: the benchmark compares with it.
                ("k8s.io/kubernetes/cmd/kubeadm", "kubeadm"),
            ],
        }],
    },
    Program {
        name: "containerd",
        sources: &[Source {
            name: "containerd",
            module: "github.com/containerd/containerd/v2",
            version: "v2.3.7",
            siblings: None,
        }],
        stamps: Stamps::Version("github.com/containerd/containerd/v2/version.Version"),
        builds: &[
            Build {
                // The first is the Makefile's. A node has overlayfs alone, and nothing that traces would be sent to.
                tags: &["urfave_cli_no_docs", "no_devmapper", "no_zfs", "no_tracing"],
                mains: &[
                    (
                        "github.com/containerd/containerd/v2/cmd/containerd",
                        "containerd",
                    ),
                    // No node has it: it shows what is there when something is being looked for.
                    ("github.com/containerd/containerd/v2/cmd/ctr", "ctr"),
                ],
            },
            Build {
                // The Makefile's: every pod has one running, which is to be small.
                tags: &["urfave_cli_no_docs", "no_grpc"],
                mains: &[(
                    "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
                    "containerd-shim-runc-v2",
                )],
            },
        ],
    },
    Program {
        name: "cni",
        sources: &[Source {
            name: "plugins",
            module: "github.com/containernetworking/plugins",
            version: "v1.9.1",
            siblings: None,
        }],
        stamps: Stamps::Version(
            "github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion",
        ),
        builds: &[Build {
            tags: &[],
            mains: &[
                (
                    "github.com/containernetworking/plugins/plugins/main/bridge",
                    "bridge",
                ),
                (
                    "github.com/containernetworking/plugins/plugins/main/loopback",
                    "loopback",
                ),
                (
                    "github.com/containernetworking/plugins/plugins/ipam/host-local",
                    "host-local",
                ),
                (
                    "github.com/containernetworking/plugins/plugins/meta/portmap",
                    "portmap",
                ),
            ],
        }],
    },
    Program {
        name: "coredns",
        sources: &[Source {
            name: "coredns",
            module: "github.com/coredns/coredns",
            version: "v1.14.7",
            siblings: None,
        }],
        stamps: Stamps::InSource,
        builds: &[Build {
            // The Makefile's.
            tags: &["grpcnotrace"],
            mains: &[("github.com/coredns/coredns", "coredns")],
        }],
    },
    // No node has it: tests ask containerd by it as kubelet does.
    Program {
        name: "cri-tools",
        sources: &[Source {
            name: "cri-tools",
            module: "sigs.k8s.io/cri-tools",
            version: "v1.36.0",
            siblings: None,
        }],
        stamps: Stamps::Version("sigs.k8s.io/cri-tools/pkg/version.Version"),
        builds: &[Build {
            tags: &[],
            mains: &[("sigs.k8s.io/cri-tools/cmd/crictl", "crictl")],
        }],
    },
];

/// What is built when somebody asks for it by name: the five programs of the minor before, which a node knows too. The test of
/// `osctl upgrade-k8s` begins with them.
pub const FORMER: &[Program] = &[Program {
    name: "kubernetes/1.36",
    sources: &[Source {
        name: "kubernetes",
        module: "k8s.io/kubernetes",
        version: "v1.36.3",
        siblings: Some("v0.36.3"),
    }],
    stamps: Stamps::Kubernetes {
        date: "2026-07-22T18:07:38Z",
    },
    builds: &[Build {
        // hack/lib/golang.sh
        tags: &["selinux", "notest", "grpcnotrace"],
        mains: &[
            ("k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
            (
                "k8s.io/kubernetes/cmd/kube-controller-manager",
                "kube-controller-manager",
            ),
            ("k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"),
            ("k8s.io/kubernetes/cmd/kube-proxy", "kube-proxy"),
            ("k8s.io/kubernetes/cmd/kubelet", "kubelet"),
        ],
    }],
}];
