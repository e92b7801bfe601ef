//! A network with many addresses for one program: what comes from loopback is exempt from the limits of an address.
//!
//! # Why
//! In a network namespace of its own a program may give its loopback device a whole network, of which every address is
//! then its own. Nothing leaves the machine, and nothing is left when the program ends. It takes `unshare` and `ip`, and
//! root or a system that lets users make namespaces.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::{Command, Output},
};

/// Set for a program that is inside.
const INSIDE: &str = "HOSTILE_NETWORK";

/// Where a server listens there: a port that the system picks. The network is the one that RFC 2544 keeps for tests.
pub const SERVER: &str = "198.18.0.1:0";

/// The addresses from which peers come.
pub fn peers() -> impl Iterator<Item = IpAddr> {
    (1..=250).map(|host| Ipv4Addr::new(198, 18, 1, host).into())
}

/// Whether this program is inside.
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs a program inside: what it printed, and how it ended.
///
/// # Errors
/// Why this machine does not allow it, or lacks it.
pub fn run(program: &Path, arguments: &[&str]) -> Result<Output, String> {
    let enter = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--net", "--map-root-user", "sh", "-c", script]).arg(program);
        command
    };
    let prepare = format!("ip link set lo up && ip addr add {}/16 dev lo", server_ip());
    let tried = enter(&prepare).output().map_err(|why| format!("`unshare`: {why}"))?;
    if !tried.status.success() {
        let why = String::from_utf8_lossy(&tried.stderr).trim().replace('\n', ", ");
        return Err(format!("a network namespace cannot be made: {why}"));
    }
    let mut command = enter(&format!("{prepare} && exec \"$0\" \"$@\""));
    command.args(arguments).env(INSIDE, "1").output().map_err(|why| why.to_string())
}

fn server_ip() -> &'static str {
    SERVER.split(':').next().unwrap_or(SERVER)
}
