//! Kernel send buffers of a server on this machine.

use std::fs;
use std::net::SocketAddr;

/// Maximum number of unacknowledged bytes in one socket of a server; `None` if unknown because the
/// server is remote or the system is not Linux. Reads a line for each connection of the machine, so it
/// must not run within a measured window.
pub(super) fn socket_bytes_max(authority: &str) -> Option<u64> {
    let server: SocketAddr = authority.parse().ok()?;
    let table = match server {
        SocketAddr::V4(server) if server.ip().is_loopback() => fs::read_to_string("/proc/net/tcp"),
        SocketAddr::V6(server) if server.ip().is_loopback() => fs::read_to_string("/proc/net/tcp6"),
        SocketAddr::V4(_) | SocketAddr::V6(_) => return None,
    };
    longest_queue(&table.ok()?, server.port())
}

/// Finds the maximum send queue of sockets with this local port. Lines look like `0: 0100007F:1F90
/// 0200007F:A2C4 01 0000F000:00000000 …`: number, local and remote address, state, and bytes in the send
/// and receive queues.
fn longest_queue(table: &str, port: u16) -> Option<u64> {
    let local_port = format!(":{port:04X}");
    let queues = table.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next().filter(|local| local.ends_with(&local_port))?;
        let (to_send, _) = fields.nth(2)?.split_once(':')?;
        u64::from_str_radix(to_send, 16).ok()
    });
    queues.max()
}

#[cfg(test)]
mod tests {
    use super::{longest_queue, socket_bytes_max};

    #[test]
    fn the_longest_queue_of_the_servers_own_sockets_is_found() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000\n\
            1: 0100007F:1F90 0200007F:A2C4 01 0000F000:00000000 00:00000000 00000000\n\
            2: 0100007F:1F90 0200007F:A2C5 01 00000010:00000000 00:00000000 00000000\n\
            3: 0200007F:A2C4 0100007F:1F90 01 000FF000:00000000 00:00000000 00000000\n";
        assert_eq!(longest_queue(table, 0x1f90), Some(0xf000));
        assert_eq!(longest_queue(table, 80), None);
    }

    #[test]
    fn nothing_is_reported_for_remote_servers() {
        assert_eq!(socket_bytes_max("192.0.2.1:80"), None);
        assert_eq!(socket_bytes_max("example.org:80"), None);
    }
}
