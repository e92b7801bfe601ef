//! TUN devices: packets of IP in and out of a file.
#![expect(unsafe_code, reason = "the device is asked for by an `ioctl`")]

use std::{fs::File, io, os::fd::AsRawFd as _};

/// Packets of IP, with nothing before them.
const FLAGS: u16 = (libc::IFF_TUN | libc::IFF_NO_PI) as u16;

/// `struct ifreq` as `TUNSETIFF` reads it.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    flags: u16,
    rest: [u8; 22],
}

/// A new device of this name. It is gone when the file is closed.
///
/// # Errors
/// There is no `/dev/net/tun`, or no right to it.
pub(crate) fn device(name: &str) -> io::Result<File> {
    let file = File::options().read(true).write(true).open("/dev/net/tun")?;
    let mut request = Request { name: [0; libc::IFNAMSIZ], flags: FLAGS, rest: [0; 22] };
    // The last byte stays zero.
    let at = request.name.iter_mut().take(libc::IFNAMSIZ - 1);
    at.zip(name.bytes()).for_each(|(to, from)| *to = from);
    // SAFETY: the file is open, and the request has the size and the layout that the kernel reads and writes.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(file) }
}
