//! A port for a server that is going to be restarted on it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};

use rand::RngExt;

/// Below the ephemeral port range (32768 and up on Linux). In that range, a client that connects while
/// the server is down may get the server's own port as its source port, connect to itself, and keep the
/// server from binding the port again.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// Maximum number of random ports to try.
const TRIES_MAX: u32 = 64;

/// Returns an unused port on the loopback interface. It is not reserved: if another process binds it
/// first, the caller asks for another one.
pub fn free_port() -> io::Result<u16> {
    free_port_of(Ipv4Addr::LOCALHOST.into())
}

/// Like [`free_port`], on another address of this machine.
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
