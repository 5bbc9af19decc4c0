//! A port for a server that is going to be restarted on it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};

use rand::RngExt;

/// Below the ports that the system hands to outgoing connections (32768 and up on Linux). Among
/// those, a client that connects while the server is down may be given the server's own port as its
/// source, meet itself there, and keep the server from binding it again.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// Bounds the search; a machine on which so many random ports are taken is out of order.
const TRIES_MAX: u32 = 64;

/// A port on the loopback interface that nobody listens on at this moment. It is not reserved:
/// whoever loses the race for it to another process asks again.
pub fn free_port() -> io::Result<u16> {
    free_port_of(Ipv4Addr::LOCALHOST.into())
}

/// The same on another of this machine's addresses.
pub fn free_port_of(host: IpAddr) -> io::Result<u16> {
    let mut last_error = None;
    for _ in 0..TRIES_MAX {
        let port = rand::rng().random_range(PORTS);
        match TcpListener::bind((host, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last_error = Some(error),
        }
    }
    Err(last_error.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}
