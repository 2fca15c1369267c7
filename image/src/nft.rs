//! The program `nft`, which is in the root and in the image of kube-proxy: its packages and what is taken of them.

/// Where it is.
pub const PROGRAM: &str = "usr/sbin/nft";

/// Its libraries but for the libc, which others bring.
pub const LIBRARIES: &[&str] = &[
    "libbsd.so.0",
    "libedit.so.2",
    "libgmp.so.10",
    "libjansson.so.4",
    "libmd.so.0",
    "libmnl.so.0",
    "libnftables.so.1",
    "libnftnl.so.11",
    "libtinfo.so.6",
    "libxtables.so.12",
];

/// These packages, and those of `nft` and its libraries but for the libc.
macro_rules! with_nft {
    ($($other:literal),*) => {
        &[
            $($other,)*
            "libbsd0",
            "libedit2",
            "libgmp10",
            "libjansson4",
            "libmd0",
            "libmnl0",
            "libnftables1",
            "libnftnl11",
            "libtinfo6",
            "libxtables12",
            "nftables",
        ]
    };
}

pub(crate) use with_nft;
