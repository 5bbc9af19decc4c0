//! Metrics of a server: from `/metrics`, and the send queues of its sockets.

use testkit::{Rest, RestError};

use super::kernel;

/// Metrics of a server; `None` where the server has no such metric.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct ServerMetrics {
    pub(super) cpu_s: Option<f64>,
    pub(super) resident_bytes: Option<f64>,
    pub(super) outbox_bytes_peak: Option<f64>,
    pub(super) outboxes_overflowed: Option<f64>,
    pub(super) refused_writes_peak: Option<f64>,
    pub(super) socket_bytes_max: Option<u64>,
}

impl ServerMetrics {
    pub(super) async fn fetch(rest: &Rest) -> Result<Self, RestError> {
        Ok(Self {
            socket_bytes_max: kernel::socket_bytes_max(rest.authority()),
            ..Self::read(&rest.metrics().await?)
        })
    }

    fn read(text: &str) -> Self {
        let metric = |name: &str| {
            let mut lines = text.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value?.parse().ok()
        };
        Self {
            cpu_s: metric("process_cpu_seconds_total"),
            resident_bytes: metric("process_resident_memory_bytes"),
            outbox_bytes_peak: metric("cluecast_outbox_bytes_peak"),
            outboxes_overflowed: metric("cluecast_outboxes_overflowed_total"),
            refused_writes_peak: metric("cluecast_socket_writes_blocked_peak"),
            socket_bytes_max: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ServerMetrics;

    #[test]
    fn metrics_are_found_by_their_whole_name() {
        let text = "# HELP process_cpu_seconds_total Processor time.\n\
            process_cpu_seconds_total_more 9\nprocess_cpu_seconds_total 1.25\n\
            cluecast_outbox_bytes_peak 700\n";
        let metrics = ServerMetrics::read(text);
        assert_eq!(metrics.cpu_s, Some(1.25));
        assert_eq!(metrics.outbox_bytes_peak, Some(700.0));
        assert_eq!(metrics.resident_bytes, None);
    }
}
