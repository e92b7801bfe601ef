//! A quinn connection as a link: exists only once the peer's certificate was verified.

use std::{fmt, sync::Arc, time::Duration};

use quinn::{Connection, VarInt};
use rustls::pki_types::CertificateDer;
use sinew_core::{limits, spiffe::SpiffeId};

use super::{
    error::{self, ConnectError},
    network::Network,
    stream::{QuicRecv, QuicSend},
};
use crate::transport::link::{BiStream, Link, LinkError, LinkFuture, LinkPeer, LinkRecv, LinkSend};

/// Reads the one identity out of a verified certificate chain, leaf first; an error says what is
/// wrong with it.
pub(crate) type Identify = fn(&[CertificateDer<'_>]) -> Result<SpiffeId, String>;

/// How long a peer may put off an acknowledgement, unless it says otherwise (RFC 9000, section 18.2).
const PEER_ACK_DELAY: Duration = Duration::from_millis(25);
/// The code that closes a connection whose peer has no usable identity.
const CLOSE_NO_IDENTITY: u32 = 0;

/// An established connection.
pub(super) struct QuicLink {
    connection: Connection,
    peer: LinkPeer,
    network: Network,
}

impl QuicLink {
    /// Takes over a connection whose handshake is complete.
    ///
    /// # Errors
    /// [`ConnectError::Identity`]; the connection is closed then.
    pub(super) fn establish(
        connection: Connection,
        identify: Identify,
        network: Network,
    ) -> Result<Arc<dyn Link>, ConnectError> {
        let certificates = certificates(&connection);
        match identify(&certificates) {
            Ok(identity) => {
                let remote = connection.remote_address();
                let address = Some((remote.ip().to_canonical(), remote.port()).into());
                let peer = LinkPeer { identity, address };
                Ok(Arc::new(Self { connection, peer, network }))
            }
            Err(why) => {
                connection.close(CLOSE_NO_IDENTITY.into(), why.as_bytes());
                Err(ConnectError::Identity(why))
            }
        }
    }
}

/// What the peer showed in the handshake.
fn certificates(connection: &Connection) -> Vec<CertificateDer<'static>> {
    let any = connection.peer_identity();
    let shown = any.and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
    shown.map(|shown| *shown).unwrap_or_default()
}

impl Link for QuicLink {
    fn peer(&self) -> &LinkPeer {
        &self.peer
    }

    fn certificates(&self) -> Vec<Vec<u8>> {
        certificates(&self.connection).iter().map(|one| one.to_vec()).collect()
    }

    fn open_bi(&self) -> LinkFuture<'_, Result<BiStream, LinkError>> {
        Box::pin(async {
            let (send, recv) = self.connection.open_bi().await.map_err(error::connection_lost)?;
            Ok((QuicSend::boxed(send), QuicRecv::boxed(recv)))
        })
    }

    fn open_uni(&self) -> LinkFuture<'_, Result<Box<dyn LinkSend>, LinkError>> {
        Box::pin(async {
            let send = self.connection.open_uni().await.map_err(error::connection_lost)?;
            Ok(QuicSend::boxed(send))
        })
    }

    fn accept_bi(&self) -> LinkFuture<'_, Result<BiStream, LinkError>> {
        Box::pin(async {
            let (send, recv) = self.connection.accept_bi().await.map_err(error::connection_lost)?;
            Ok((QuicSend::boxed(send), QuicRecv::boxed(recv)))
        })
    }

    fn accept_uni(&self) -> LinkFuture<'_, Result<Box<dyn LinkRecv>, LinkError>> {
        Box::pin(async {
            let recv = self.connection.accept_uni().await.map_err(error::connection_lost)?;
            Ok(QuicRecv::boxed(recv))
        })
    }

    fn closed(&self) -> LinkFuture<'_, LinkError> {
        Box::pin(async { error::connection_lost(self.connection.closed().await) })
    }

    /// The first close counts: on a connection that is gone already this does nothing. Of the
    /// reason only the first [`limits::CLOSE_REASON_MAX`] bytes are sent.
    fn close(&self, code: u32, reason: &str) {
        if self.connection.close_reason().is_none() {
            let reason = &reason.as_bytes()[..reason.len().min(limits::CLOSE_REASON_MAX)];
            self.connection.close(code.into(), reason);
        }
    }

    /// quinn starts from an assumed round trip, so that one exactly means that none was seen.
    fn min_rtt(&self) -> Option<Duration> {
        Some(self.connection.min_rtt()).filter(|rtt| *rtt != limits::FIRST_RTT)
    }

    fn heard(&self) -> Option<(u64, Duration)> {
        let stats = self.connection.stats();
        // RFC 9002, section 6.2: rtt + max(4 * variation, 1 ms) + the peer's delay of acknowledgements. The variation is
        // quinn's own secret: half of the round trip, as at the start, is more than it mostly is.
        let rtt = stats.path.rtt;
        let pto = rtt + (rtt * 2).max(Duration::from_millis(1)) + PEER_ACK_DELAY;
        Some((stats.udp_rx.datagrams, pto))
    }

    fn is_refused(&self) -> LinkFuture<'_, bool> {
        Box::pin(self.network.is_refused(self.connection.remote_address()))
    }

    /// Never above [`limits::PEER_BI_STREAMS_MAX`]. Lowering it takes nothing back that was granted.
    fn set_max_peer_bi(&self, streams: u32) {
        let streams = streams.min(limits::PEER_BI_STREAMS_MAX);
        self.connection.set_max_concurrent_bi_streams(VarInt::from_u32(streams));
    }
}

impl Drop for QuicLink {
    /// Streams hold the connection open in quinn; the link's end is the end of both.
    fn drop(&mut self) {
        self.close(0, "");
    }
}

impl fmt::Debug for QuicLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicLink")
            .field("peer", &self.peer)
            .field("id", &self.connection.stable_id())
            .finish_non_exhaustive()
    }
}
