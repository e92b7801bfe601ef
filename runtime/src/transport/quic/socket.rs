//! The UDP socket under an endpoint: larger kernel buffers, and no batch the kernel would refuse.
//!
//! # Why
//! quinn hands up to ten datagrams to one system call (segmentation offload). Above an MTU of about
//! 6,500 such a batch exceeds what one UDP send may carry; the kernel answers `EMSGSIZE`, which
//! quinn-udp takes for a failed MTU probe and swallows, so the whole batch is lost in silence and
//! throughput collapses. quinn's own switch is one per connection and knows nothing of sizes, so
//! the bound is kept here, where every batch passes.
//!
//! # Invariants
//! 1. No system call is given more than [`BATCH_MAX`] bytes unless one datagram alone is larger.
//! 2. A batch that was cut short by a full socket goes on where it stopped: what was sent is not
//!    sent again. (A duplicate would be harmless, the peer drops it, but it costs a packet.)
//!
//! # Not here
//! Whether a connection batches at all, and which MTU it looks for: `config.rs`.

use std::{
    io::{self, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use quinn::{
    AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller,
    udp::{RecvMeta, Transmit, UdpSocketState},
};
use sinew_core::limits;

/// Bytes of one send call at most: a UDP datagram over IPv4 carries 65,507, and the sum of a
/// batch must stay below that too.
pub(super) const BATCH_MAX: usize = 65_000;

/// Binds a socket and hands it to the current runtime.
///
/// # Errors
/// Those of bind, and of the socket options without which QUIC cannot work.
///
/// # Panics
/// Outside a tokio runtime.
pub(super) fn bind(address: SocketAddr) -> io::Result<Arc<dyn AsyncUdpSocket>> {
    let socket = UdpSocket::bind(address)?;
    enlarge(&socket)?;
    Ok(Arc::new(BoundedSocket::over(TokioRuntime.wrap_udp_socket(socket)?)))
}

/// Asks for larger kernel buffers. Being given less is no error: loss is repaired, only later.
fn enlarge(socket: &UdpSocket) -> io::Result<()> {
    let state = UdpSocketState::new(socket.into())?;
    let asked = state
        .set_recv_buffer_size(socket.into(), limits::KERNEL_BUFFER)
        .and_then(|()| state.set_send_buffer_size(socket.into(), limits::KERNEL_BUFFER));
    tracing::debug!(
        asked = limits::KERNEL_BUFFER,
        receive = state.recv_buffer_size(socket.into()).unwrap_or_default(),
        send = state.send_buffer_size(socket.into()).unwrap_or_default(),
        refused = asked.err().map(tracing::field::display),
        "kernel buffers of the UDP socket, in bytes"
    );
    Ok(())
}

/// A socket that never gives the kernel a batch above [`BATCH_MAX`].
#[derive(Debug)]
struct BoundedSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    /// Where the last batch that met a full socket stopped. One place is enough: connections that
    /// meet a full socket at the same time overwrite each other and send duplicates.
    halfway: Mutex<Option<Halfway>>,
}

impl BoundedSocket {
    fn over(inner: Arc<dyn AsyncUdpSocket>) -> Self {
        Self { inner, halfway: Mutex::new(None) }
    }

    /// Sends an oversized batch as several.
    fn send_split(&self, transmit: &Transmit<'_>, segment: usize) -> io::Result<()> {
        let step = (BATCH_MAX / segment).max(1) * segment;
        let mut sent = self.take_progress(transmit);
        while let Some(rest) = transmit.contents.get(sent..).filter(|r| !r.is_empty()) {
            let part = &rest[..step.min(rest.len())];
            let result = self.inner.try_send(&Transmit {
                destination: transmit.destination,
                ecn: transmit.ecn,
                contents: part,
                segment_size: (part.len() > segment).then_some(segment),
                src_ip: transmit.src_ip,
            });
            if let Err(error) = result {
                if error.kind() == io::ErrorKind::WouldBlock && sent > 0 {
                    self.note_progress(Halfway::of(transmit, sent));
                }
                return Err(error);
            }
            sent += part.len();
        }
        Ok(())
    }

    /// How much of this very batch an earlier call has sent.
    fn take_progress(&self, transmit: &Transmit<'_>) -> usize {
        let mut halfway = self.halfway.lock().unwrap_or_else(PoisonError::into_inner);
        let same = halfway.take_if(|known| *known == Halfway::of(transmit, known.sent));
        same.map_or(0, |known| known.sent)
    }

    fn note_progress(&self, at: Halfway) {
        *self.halfway.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }
}

/// Identifies a batch by its first bytes, which are encrypted and therefore never repeat.
#[derive(Debug, PartialEq, Eq)]
struct Halfway {
    destination: SocketAddr,
    len: usize,
    head: [u8; 32],
    sent: usize,
}

impl Halfway {
    fn of(transmit: &Transmit<'_>, sent: usize) -> Self {
        let mut head = [0; 32];
        for (to, from) in head.iter_mut().zip(transmit.contents) {
            *to = *from;
        }
        Self { destination: transmit.destination, len: transmit.contents.len(), head, sent }
    }
}

impl AsyncUdpSocket for BoundedSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.inner).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        match transmit.segment_size {
            Some(segment) if segment > 0 && transmit.contents.len() > BATCH_MAX => {
                self.send_split(transmit, segment)
            }
            _ => self.inner.try_send(transmit),
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_recv(cx, bufs, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    /// One, whatever the kernel can coalesce: quinn multiplies its receive buffers, 64 KiB each
    /// here, by this number, and a coalesced receive never exceeds 64 KiB in all.
    fn max_receive_segments(&self) -> usize {
        1
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records what it is asked to send; answers `WouldBlock` where the script says so.
    #[derive(Debug, Default)]
    struct Kernel {
        sent: Mutex<Vec<(Vec<u8>, Option<usize>)>>,
        blocks: Mutex<Vec<bool>>,
    }

    impl AsyncUdpSocket for Kernel {
        fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
            unreachable!("these tests never wait for the socket")
        }
        fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
            let mut blocks = self.blocks.lock().unwrap();
            if !blocks.is_empty() && blocks.remove(0) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let part = (transmit.contents.to_vec(), transmit.segment_size);
            self.sent.lock().unwrap().push(part);
            Ok(())
        }
        fn poll_recv(
            &self,
            _: &mut Context<'_>,
            _: &mut [IoSliceMut<'_>],
            _: &mut [RecvMeta],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }
        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(([127, 0, 0, 1], 1).into())
        }
    }

    fn transmit(contents: &[u8], segment: usize) -> Transmit<'_> {
        Transmit {
            destination: ([127, 0, 0, 1], 9).into(),
            ecn: None,
            contents,
            segment_size: Some(segment),
            src_ip: None,
        }
    }

    fn socket(blocks: &[bool]) -> (Arc<Kernel>, BoundedSocket) {
        let kernel = Arc::new(Kernel::default());
        *kernel.blocks.lock().unwrap() = blocks.to_vec();
        (Arc::clone(&kernel), BoundedSocket::over(kernel))
    }

    fn batch(len: usize, seed: u8) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8 ^ seed).collect()
    }

    #[test]
    fn batch_below_the_bound_is_passed_on_whole() {
        let (kernel, socket) = socket(&[]);
        let data = batch(14_520, 0);
        socket.try_send(&transmit(&data, 1452)).unwrap();
        assert_eq!(*kernel.sent.lock().unwrap(), [(data, Some(1452))]);
    }

    #[test]
    fn batch_above_the_bound_keeps_whole_segments_in_order() {
        let (kernel, socket) = socket(&[]);
        let data = batch(9 * 9_000 + 17, 0);
        socket.try_send(&transmit(&data, 9_000)).unwrap();
        let sent = kernel.sent.lock().unwrap();
        assert_eq!(sent.len(), 2);
        assert_eq!((sent[0].0.len(), sent[0].1), (63_000, Some(9_000)));
        assert_eq!((sent[1].0.len(), sent[1].1), (18_017, Some(9_000)));
        assert_eq!([&sent[0].0[..], &sent[1].0[..]].concat(), data);
    }

    #[test]
    fn huge_segments_go_one_by_one_without_offload() {
        let (kernel, socket) = socket(&[]);
        let data = batch(2 * 65_000 + 40, 0);
        socket.try_send(&transmit(&data, 65_000)).unwrap();
        let shape: Vec<_> = kernel.sent.lock().unwrap().iter().map(|s| (s.0.len(), s.1)).collect();
        assert_eq!(shape, [(65_000, None), (65_000, None), (40, None)]);
    }

    #[test]
    fn nothing_is_sent_twice_when_the_socket_fills_up_halfway() {
        let (kernel, socket) = socket(&[false, true, true, false, false]);
        let data = batch(3 * 65_000, 0);
        for _ in 0..2 {
            let error = socket.try_send(&transmit(&data, 65_000)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
        socket.try_send(&transmit(&data, 65_000)).unwrap();
        let sent: Vec<u8> = kernel.sent.lock().unwrap().iter().flat_map(|s| s.0.clone()).collect();
        assert!(sent == data, "{} bytes sent of {}", sent.len(), data.len());
    }

    #[test]
    fn another_batch_starts_at_its_beginning_after_one_stopped_halfway() {
        let (kernel, socket) = socket(&[false, true]);
        let (first, second) = (batch(2 * 65_000, 0), batch(2 * 65_000, 7));
        socket.try_send(&transmit(&first, 65_000)).unwrap_err();
        socket.try_send(&transmit(&second, 65_000)).unwrap();
        let sent: Vec<u8> = kernel.sent.lock().unwrap().iter().flat_map(|s| s.0.clone()).collect();
        assert!(sent == [&first[..65_000], &second[..]].concat());
    }

    #[tokio::test]
    async fn kernel_grants_larger_buffers_than_its_default_where_it_may() {
        let plain = UdpSocket::bind("127.0.0.1:0").unwrap();
        let state = UdpSocketState::new((&plain).into()).unwrap();
        let before = state.recv_buffer_size((&plain).into()).unwrap();
        enlarge(&plain).unwrap();
        assert!(state.recv_buffer_size((&plain).into()).unwrap() >= before);
    }
}
