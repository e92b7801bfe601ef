//! quinn, tuned for what the lane carries.

use std::{
    net::{Ipv4Addr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use quinn::{
    AckFrequencyConfig, ClientConfig, Endpoint, EndpointConfig, MtuDiscoveryConfig, ServerConfig,
    TokioRuntime, TransportConfig,
    congestion::BbrConfig,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};

use crate::{
    Failure,
    args::Args,
    tls::{self, Identity},
};

/// Payloads from this size on are bulk: large datagrams halve their CPU time here. Below, batches of small ones win.
const BULK: usize = 1024;

/// What is asked of the kernel for each direction; it gives at most `net.core.rmem_max` and `wmem_max`.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// The largest datagram that IPv4 on loopback carries is a little above.
const LOOPBACK_MTU: u16 = 65_000;

/// Whether large datagrams pass, and pay.
fn is_bulk(args: &Args) -> bool {
    args.payload >= BULK && !args.is_afar()
}

/// One socket.
///
/// # Errors
/// It cannot be had.
pub(crate) fn endpoint(args: &Args, server: Option<ServerConfig>) -> Result<Endpoint, Failure> {
    let mut config = EndpointConfig::default();
    if is_bulk(args) {
        // What discovery may find is also bounded by what the other end says that it takes: 1472 by default.
        config.max_udp_payload_size(LOOPBACK_MTU)?;
    }
    let here = if args.is_afar() { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    // Servers listen where they are told.
    let socket = match server {
        Some(_) => UdpSocket::bind(args.bind())?,
        None => UdpSocket::bind((here, 0))?,
    };
    // The usual 208 KiB hold three datagrams of this size; whatever comes while the reader is busy would be lost.
    let buffers = socket2::SockRef::from(&socket);
    buffers.set_recv_buffer_size(SOCKET_BUFFER)?;
    buffers.set_send_buffer_size(SOCKET_BUFFER)?;
    Ok(Endpoint::new(config, server, socket, Arc::new(TokioRuntime))?)
}

fn transport(args: &Args) -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    // An acknowledgement of every second packet is a third of the datagrams of a busy lane.
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(10u32.into());
    acks.max_ack_delay(Some(Duration::from_millis(2)));
    config.ack_frequency_config(Some(acks));
    if is_bulk(args) {
        // Batches of segments this large would pass 64 KiB, which the kernel refuses and quinn-udp does not report.
        config.enable_segmentation_offload(false);
        let mut discovery = MtuDiscoveryConfig::default();
        discovery.upper_bound(LOOPBACK_MTU);
        config.mtu_discovery_config(Some(discovery));
    }
    if args.is_afar() {
        // Cubic, quinn's default, takes every lost packet for a full link.
        config.congestion_controller_factory(Arc::new(BbrConfig::default()));
    }
    Arc::new(config)
}

/// # Errors
/// rustls does not like the certificate.
pub(crate) fn server_config(args: &Args, identity: &Identity) -> Result<ServerConfig, Failure> {
    let tls = QuicServerConfig::try_from(identity.server_config()?)?;
    let mut config = ServerConfig::with_crypto(Arc::new(tls));
    config.transport_config(transport(args));
    Ok(config)
}

/// # Errors
/// As [`tls::client_config`].
pub(crate) fn client_config(args: &Args) -> Result<ClientConfig, Failure> {
    let tls = QuicClientConfig::try_from(tls::client_config(args.cert.as_deref())?)?;
    let mut config = ClientConfig::new(Arc::new(tls));
    config.transport_config(transport(args));
    Ok(config)
}
