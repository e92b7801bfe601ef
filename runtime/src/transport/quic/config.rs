//! Every transport setting that differs from quinn's own, and why.
//!
//! # Why
//! quinn's defaults suit a client on the open internet: no limit on what a connection may buffer,
//! 100 streams at once, room for early data. Between services the bounds of `sinew_core::limits`
//! hold, and what has no bound there is decided here, by kind of path:
//!
//! | | this host | elsewhere |
//! |---|---|---|
//! | MTU | 65,000 from the first packet | 1,200, looking for 1,452 |
//! | batches | off | on |
//! | congestion | Cubic, from 390 KB | BBR |
//!
//! A large MTU makes bulk 2 to 3.5 times faster; above 65,507 everything is lost over IPv4. Large
//! datagrams gain nothing from batches, each of which would cost 650 KB of buffer. Cubic collapses
//! at 1 % random loss; BBR has stalled in bulk on loopback, where nothing is lost.
//!
//! The large MTU is not looked for but assumed: quinn reads the padding of a probe byte by byte,
//! about 1 ms for each of the eleven probes in either direction, and they fill the congestion
//! window; the first call took 20 ms instead of 0.3 ms, and each idle connection kept 60 KB more.
//! Where a loopback interface carries less, quinn notices that large packets vanish and goes on
//! with 1,200 bytes.
//!
//! # Invariants
//! 1. No early data: a server whose TLS accepts it is refused.
//! 2. A client cannot move its connection to another address.
//! 3. quinn sends no keep-alive; the engine does, while a connection is in use.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
};

use quinn::{
    AckFrequencyConfig, ClientConfig, EndpointConfig, IdleTimeout, MtuDiscoveryConfig,
    NoneTokenStore, ServerConfig, TransportConfig, VarInt,
    congestion::{BbrConfig, CubicConfig},
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use sinew_core::limits;

use super::{reset, socket::BATCH_MAX};

/// Largest UDP payload taken from a peer: all that a datagram can carry.
const PAYLOAD_MAX: u16 = 65_527;
/// UDP payload towards this host: what one send call may carry. Of Linux it is known that its
/// loopback interface carries that by default.
const LOCAL_MTU: u16 = if cfg!(target_os = "linux") { BATCH_MAX as u16 } else { ROUTED_MTU };
/// Bytes in flight at the start towards this host: six large datagrams, what a socket of a stock
/// kernel holds. quinn's 12,000 would not let one of them out.
const LOCAL_WINDOW: u64 = 390_000;
/// Largest UDP payload looked for elsewhere: Ethernet's, over IPv6.
const ROUTED_MTU: u16 = 1_452;

/// Where a peer is, as far as settings depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// On this host: what is sent never leaves it.
    Local,
    /// Anywhere else.
    Routed,
}

impl Path {
    /// The path to a peer that we call, as the kernel's routes have it. Sends nothing.
    pub(super) fn to(peer: SocketAddr) -> Self {
        let any: IpAddr = match peer {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let ours = UdpSocket::bind((any, 0)).and_then(|probe| {
            probe.connect(peer)?;
            probe.local_addr()
        });
        Self::between(ours.ok().map(|ours| ours.ip()), peer.ip())
    }

    /// The path between an address of ours, where known, and a peer: to an address of its own a
    /// host speaks from that same address.
    pub(super) fn between(ours: Option<IpAddr>, peer: IpAddr) -> Self {
        let peer = peer.to_canonical();
        if peer.is_loopback() || ours.is_some_and(|ours| ours.to_canonical() == peer) {
            Self::Local
        } else {
            Self::Routed
        }
    }
}

/// One of a thing for each kind of path.
#[derive(Clone, Debug)]
pub(super) struct ByPath<T> {
    pub(super) local: T,
    pub(super) routed: T,
}

impl<T> ByPath<T> {
    pub(super) fn each(make: impl Fn(Path) -> T) -> Self {
        Self { local: make(Path::Local), routed: make(Path::Routed) }
    }

    pub(super) fn get(&self, path: Path) -> &T {
        match path {
            Path::Local => &self.local,
            Path::Routed => &self.routed,
        }
    }
}

/// The settings of the endpoint at `address`, with keys that outlive the process if there is a
/// secret.
pub(super) fn endpoint(
    secret: Option<&[u8; 32]>,
    address: SocketAddr,
) -> io::Result<EndpointConfig> {
    let mut config = match secret {
        Some(secret) => reset::stable_endpoint(secret, address)
            .ok_or_else(|| io::Error::other("the TLS provider has no SHA-256 suite"))?,
        None => EndpointConfig::default(),
    };
    config.max_udp_payload_size(PAYLOAD_MAX).map_err(io::Error::other)?;
    Ok(config)
}

/// The settings of a connection.
pub(super) fn transport(path: Path) -> TransportConfig {
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(limits::ACK_THRESHOLD.into());
    acks.max_ack_delay(Some(limits::ACK_DELAY));
    let mut mtu = MtuDiscoveryConfig::default();
    let mut config = TransportConfig::default();
    match path {
        Path::Local => {
            let mut cubic = CubicConfig::default();
            cubic.initial_window(LOCAL_WINDOW);
            config.congestion_controller_factory(Arc::new(cubic));
            mtu.upper_bound(LOCAL_MTU);
            config.initial_mtu(LOCAL_MTU);
            config.enable_segmentation_offload(false);
        }
        Path::Routed => {
            mtu.upper_bound(ROUTED_MTU);
            config.congestion_controller_factory(Arc::new(BbrConfig::default()));
        }
    }
    config
        .max_concurrent_bidi_streams(limits::PEER_BI_STREAMS_START.into())
        .max_concurrent_uni_streams(limits::PEER_UNI_STREAMS_MAX.into())
        .stream_receive_window(bytes(limits::STREAM_WINDOW))
        .receive_window(bytes(limits::CONNECTION_WINDOW))
        .send_window(limits::SEND_WINDOW as u64)
        .max_idle_timeout(Some(idle()))
        .keep_alive_interval(None)
        .initial_rtt(limits::FIRST_RTT)
        .mtu_discovery_config(Some(mtu))
        .ack_frequency_config(Some(acks))
        .datagram_receive_buffer_size(None)
        .datagram_send_buffer_size(0);
    config
}

fn bytes(count: usize) -> VarInt {
    VarInt::try_from(count as u64).unwrap_or(VarInt::MAX)
}

fn idle() -> IdleTimeout {
    let millis = u32::try_from(limits::IDLE_MAX.as_millis()).unwrap_or(u32::MAX);
    VarInt::from_u32(millis).into()
}

/// The settings of a server's connections, for either kind of path.
///
/// # Errors
/// `InvalidInput` where the TLS configuration lacks what QUIC or this protocol requires.
pub(super) fn server(tls: Arc<rustls::ServerConfig>) -> io::Result<ByPath<Arc<ServerConfig>>> {
    if tls.max_early_data_size != 0 {
        return Err(unusable("the TLS configuration accepts early data"));
    }
    if tls.alpn_protocols.is_empty() {
        return Err(unusable("the TLS configuration names no application protocol"));
    }
    let tls = QuicServerConfig::try_from(tls).map_err(|why| unusable(&why.to_string()))?;
    // One base for both: they must share the key of the retry tokens.
    let mut base = ServerConfig::with_crypto(Arc::new(tls));
    base.migration(false)
        .max_incoming(limits::HANDSHAKES_PENDING_MAX)
        .incoming_buffer_size(limits::HANDSHAKE_BYTES_MAX)
        .incoming_buffer_size_total(limits::HANDSHAKE_BYTES_TOTAL_MAX);
    Ok(ByPath::each(|path| {
        let mut config = base.clone();
        config.transport_config(Arc::new(transport(path)));
        Arc::new(config)
    }))
}

/// The settings of one connection of a client.
///
/// # Errors
/// In words, where the TLS configuration lacks what QUIC or this protocol requires.
pub(super) fn client(
    tls: Arc<rustls::ClientConfig>,
    transport: Arc<TransportConfig>,
) -> Result<ClientConfig, String> {
    if tls.alpn_protocols.is_empty() {
        return Err("the TLS configuration names no application protocol".into());
    }
    let tls = QuicClientConfig::try_from(tls).map_err(|why| why.to_string())?;
    let mut config = ClientConfig::new(Arc::new(tls));
    config.transport_config(transport).token_store(Arc::new(NoneTokenStore));
    Ok(config)
}

fn unusable(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// quinn shows its settings through `Debug` only.
    fn assert_shows(config: &TransportConfig, wanted: &[&str]) {
        let shown = format!("{config:?}");
        for wanted in wanted {
            assert!(shown.contains(wanted), "`{wanted}` is not in {shown}");
        }
    }

    #[test]
    fn bounds_are_those_of_the_limits_on_every_path() {
        for path in [Path::Local, Path::Routed] {
            assert_shows(
                &transport(path),
                &[
                    "max_concurrent_bidi_streams: 16,",
                    "max_concurrent_uni_streams: 3,",
                    "max_idle_timeout: Some(10000)",
                    "stream_receive_window: 262144,",
                    " receive_window: 4194304,",
                    "send_window: 4194304,",
                    "keep_alive_interval: None",
                    "datagram_receive_buffer_size: None",
                    "datagram_send_buffer_size: 0",
                    "initial_rtt: 100ms",
                    "ack_eliciting_threshold: 10,",
                    "max_ack_delay: Some(2ms)",
                ],
            );
        }
    }

    #[test]
    fn large_datagrams_are_sent_on_this_host_only() {
        let local = ["initial_mtu: 65000", "enable_segmentation_offload: false"];
        assert_shows(&transport(Path::Local), &local);
        let routed =
            ["initial_mtu: 1200", "upper_bound: 1452", "enable_segmentation_offload: true"];
        assert_shows(&transport(Path::Routed), &routed);
    }

    #[test]
    fn path_is_local_for_own_addresses_only() {
        for peer in ["127.0.0.1:7000", "127.8.9.10:7000", "[::1]:7000", "[::ffff:127.0.0.1]:7000"] {
            let peer: SocketAddr = peer.parse().unwrap();
            assert_eq!(Path::to(peer), Path::Local, "{peer}");
            assert_eq!(Path::between(None, peer.ip()), Path::Local, "{peer}");
        }
        // Documentation addresses belong to nobody.
        let far: SocketAddr = "192.0.2.1:7000".parse().unwrap();
        assert_eq!(Path::to(far), Path::Routed);
        assert_eq!(Path::between(Some([192, 0, 2, 2].into()), far.ip()), Path::Routed);
        assert_eq!(Path::between(Some(far.ip()), far.ip()), Path::Local);
    }

    #[test]
    fn path_is_local_for_the_address_of_an_interface() {
        let probe = UdpSocket::bind("0.0.0.0:0").unwrap();
        if probe.connect("192.0.2.1:9").is_err() {
            return; // no route, so no interface but loopback: nothing to hold
        }
        let own = probe.local_addr().unwrap();
        assert_eq!(Path::to(own), Path::Local, "{own}");
    }
}
