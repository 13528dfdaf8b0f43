//! Where calls may go: the resolver, its errors marked as its own, and which addresses are public.
//!
//! Its own file because it keeps followers' URLs away from this machine and its neighbours. The check is on the very
//! address that is connected to; it opens no connection and knows no requests.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};

/// The system's resolver, its errors marked as its own.
#[derive(Clone)]
pub(super) struct Resolver {
    inner: GaiResolver,
    guarded: bool,
}

impl Resolver {
    /// One that gives any address, or a guarded one, which gives public ones only.
    pub(super) fn new(guarded: bool) -> Resolver {
        Resolver { inner: GaiResolver::new(), guarded }
    }
}

/// Why there is no address to connect to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unresolved {
    /// The system found none.
    #[error("the host name could not be resolved")]
    Failed(#[source] std::io::Error),
    /// It found none that the call may go to.
    #[error(transparent)]
    Guarded(#[from] NotPublic),
}

/// An address that a guarded call may not go to.
#[derive(Debug, thiserror::Error)]
#[error("the host is on a private network, which this call may not reach; write allow_private = true if it may")]
pub(super) struct NotPublic;

impl tower_service::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Unresolved;
    type Future = BoxFuture<'static, Result<Self::Response, Unresolved>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Unresolved>> {
        self.inner.poll_ready(context).map_err(Unresolved::Failed)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (asked, guarded) = (self.inner.call(name), self.guarded);
        Box::pin(async move {
            let found: Vec<SocketAddr> = asked.await.map_err(Unresolved::Failed)?.filter(|at| !guarded || public(at.ip())).collect();
            if found.is_empty() { Err(NotPublic.into()) } else { Ok(found.into_iter()) }
        })
    }
}

/// Whether an address is one of the public internet: none of this machine, of private or shared networks, of a link,
/// of documentation, and no way around these through a mapping of IPv4 into IPv6.
pub(super) fn public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let reserved = matches!((a, b, c), (0 | 240..=255, ..) | (100, 64..=127, _) | (192, 0, 0) | (192, 88, 99) | (198, 18 | 19, _));
            !(reserved || v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_documentation())
        }
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4_mapped() {
                return public(IpAddr::V4(v4));
            }
            let segments = v6.segments();
            let [first, second, third, ..] = segments;
            let embedded = |high: u16, low: u16| {
                let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
                public(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
            };
            match (first, second) {
                // Only 2000::/3 is given out; of it, Teredo and documentation are not.
                (0x2001, 0 | 0xdb8) | (0x3fff, _) => false,
                (0x2002, _) => embedded(second, third),
                (0x64, 0xff9b) => matches!(segments, [_, _, 0, 0, 0, 0, high, low] if embedded(high, low)),
                _ => (0x2000..=0x3fff).contains(&first),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known() {
        for ip in ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2002:808:808::1", "64:ff9b::808:808", "::ffff:8.8.8.8"] {
            assert!(public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "203.0.113.9",
            "192.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "2002:7f00:1::1",
            "64:ff9b::a00:1",
            "2001:db8::1",
            "2001::1",
            "::127.0.0.1",
        ] {
            assert!(!public(ip.parse().unwrap()), "{ip}");
        }
    }
}
