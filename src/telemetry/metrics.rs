//! The list of all metrics, with names, units and help texts.
//!
//! Label values come from closed lists (`labels`), or are the route patterns of the HTTP router. They are
//! never chosen by a client: no names, addresses, tokens or session codes.

use metrics::{Counter, Gauge, Histogram, Unit};
use protocol::{CloseCode, RejectionCode};

use super::kinds::{Described, Family, Metric, Peak};
use super::labels::{
    AppendFailure, AttachSource, CodeLimit, HandshakeFailure, LossReason, RecoveryFailure,
    RefusalReason, RequestPart, WriteOutcome,
};

/// Declares each metric once: the text is both its help in `/metrics` and the documentation of the field.
macro_rules! metrics {
    ($($field:ident: $kind:ty = $name:literal in $unit:ident, $help:literal;)+) => {
        /// The metrics of this process.
        pub struct Metrics {
            $(#[doc = $help] pub $field: $kind,)+
        }

        impl Metrics {
            pub(super) fn register() -> Self {
                Self {
                    $($field: <$kind>::register(Described {
                        name: $name,
                        unit: Unit::$unit,
                        help: $help,
                    }),)+
                }
            }
        }
    };
}

/// Bucket upper bounds of all durations, in seconds: from a commit on a fast disk to a stall.
pub(super) const SECONDS_BUCKETS: [f64; 15] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0,
];
/// Bucket upper bounds of counts.
pub(super) const COUNT_BUCKETS: [f64; 11] = [
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0,
];

pub(super) const HTTP_REQUESTS: Described = Described {
    name: "cluecast_http_requests_total",
    unit: Unit::Count,
    help: "HTTP requests answered, by route and status.",
};
pub(super) const HTTP_SECONDS: Described = Described {
    name: "cluecast_http_request_seconds",
    unit: Unit::Seconds,
    help: "Time from a request's header to the header of its response, by route.",
};

metrics! {
    connections_open: Gauge = "cluecast_connections_open" in Count,
        "Open connections, HTTP and WebSocket.";
    connections_unauthenticated: Gauge = "cluecast_connections_unauthenticated" in Count,
        "Open connections without a valid token, which count against the limit of their address.";
    connections_accepted: Counter = "cluecast_connections_accepted_total" in Count,
        "Connections accepted.";
    connections_refused: Family<RefusalReason> = "cluecast_connections_refused_total" in Count,
        "Connections refused, by reason.";
    requests_reserved: Counter = "cluecast_requests_reserved_total" in Count,
        "Requests served on the connections reserved for health checks, metrics, game masters and admins.";
    requests_late: Family<RequestPart> = "cluecast_requests_timed_out_total" in Count,
        "Requests whose header or body timed out, by part.";
    handshakes_failed: Family<HandshakeFailure> = "cluecast_tls_handshakes_failed_total" in Count,
        "Failed TLS handshakes, by reason.";
    origins_refused: Counter = "cluecast_origins_refused_total" in Count,
        "WebSockets refused because the origin of the web page is not allowed.";
    hellos_failed: Family<CloseCode> = "cluecast_hellos_failed_total" in Count,
        "WebSockets closed by the server before `hello` succeeded, by close code.";
    connections_closed: Family<CloseCode> = "cluecast_connections_closed_total" in Count,
        "WebSockets closed by the server, by close code.";
    connections_gone: Counter = "cluecast_connections_gone_total" in Count,
        "WebSockets that the client closed or that broke.";
    connections_lost: Family<LossReason> = "cluecast_connections_lost_total" in Count,
        "Connections dropped because a pong or a write timed out, by reason.";
    socket_writes: Family<WriteOutcome> = "cluecast_socket_writes_total" in Count,
        "Write system calls on sockets, by outcome.";
    socket_refusals_peak: Peak = "cluecast_socket_writes_blocked_peak" in Count,
        "Peak rate of blocked writes per second on one socket since the process started.";
    commands_received: Counter = "cluecast_commands_received_total" in Count,
        "Commands received from connections.";
    commands_accepted: Counter = "cluecast_commands_accepted_total" in Count,
        "Commands answered with a receipt, repeated ones included.";
    commands_rejected: Family<RejectionCode> = "cluecast_commands_rejected_total" in Count,
        "Commands answered with a rejection, by code.";
    new_teams_refused: Counter = "cluecast_new_teams_refused_total" in Count,
        "New teams refused by the rate limit of their address.";
    wrong_codes: Counter = "cluecast_wrong_codes_total" in Count,
        "Unknown session, team and link codes received.";
    code_attempts_refused: Family<CodeLimit> = "cluecast_code_attempts_refused_total" in Count,
        "Codes refused without a lookup, because a rate limit of wrong codes was exhausted, by limit.";
    mailbox_refusals: Counter = "cluecast_mailbox_refusals_total" in Count,
        "Requests refused because the session's mailbox was full.";
    requests_dropped: Counter = "cluecast_requests_dropped_total" in Count,
        "Commands, attachments and HTTP requests dropped before they ran, because the client had disconnected.";
    backlog_refusals: Counter = "cluecast_backlog_refusals_total" in Count,
        "Commands refused because the session's oldest event was not durable in time.";
    oldest_wait_seconds: Gauge = "cluecast_journal_oldest_wait_seconds" in Seconds,
        "Age of the oldest event of any session that is not durable yet, or of the longest running recovery.";
    bodies_rendered: Counter = "cluecast_bodies_rendered_total" in Count,
        "Texts of puzzles rendered to HTML.";
    bodies_shared: Counter = "cluecast_bodies_shared_total" in Count,
        "Texts of puzzles served from the cache of rendered HTML.";
    outboxes_overflowed: Counter = "cluecast_outboxes_overflowed_total" in Count,
        "Connections closed because their outbound queue was full; clients resume.";
    outbox_bytes_peak: Peak = "cluecast_outbox_bytes_peak" in Bytes,
        "Peak bytes queued for one connection since the process started.";
    outbox_frames_peak: Peak = "cluecast_outbox_frames_peak" in Count,
        "Peak frames queued for one connection since the process started.";
    updates_delivered: Counter = "cluecast_updates_delivered_total" in Count,
        "Updates queued for connections; an update to ten connections counts ten times.";
    frames_written: Counter = "cluecast_frames_written_total" in Count,
        "Frames written to sockets.";
    attachments: Family<AttachSource> = "cluecast_attachments_total" in Count,
        "Connections attached, by the source of what they had missed.";
    latest_encoded: Counter = "cluecast_latest_encoded_total" in Count,
        "Boards, standings and presence values encoded; one encoding serves all recipients of the same value.";
    latest_replaced: Counter = "cluecast_latest_replaced_total" in Count,
        "Boards, standings and presence values replaced by a newer one before they were sent.";
    client_snapshots_encoded: Counter = "cluecast_client_snapshots_encoded_total" in Count,
        "Client snapshots and overviews encoded.";
    client_snapshots_shared: Counter = "cluecast_client_snapshots_shared_total" in Count,
        "Client snapshots and overviews served from the cache.";
    ring_bytes: Gauge = "cluecast_ring_bytes" in Bytes,
        "Bytes of updates kept for reconnecting clients, in all sessions.";
    ring_evictions: Counter = "cluecast_ring_evictions_total" in Count,
        "Updates evicted from the rings.";
    commit_batches: Histogram = "cluecast_journal_commit_batches" in Count,
        "Batches per commit.";
    commit_seconds: Histogram = "cluecast_journal_commit_seconds" in Seconds,
        "Time from the start of a transaction to its durable commit.";
    append_seconds: Histogram = "cluecast_journal_append_seconds" in Seconds,
        "Time from the submission of a batch until it is durable, on PostgreSQL.";
    lane_connects_failed: Counter = "cluecast_journal_lane_connects_failed_total" in Count,
        "Failed attempts of append connections to connect to PostgreSQL.";
    append_failures: Family<AppendFailure> = "cluecast_journal_append_failures_total" in Count,
        "Batches that were not appended, or whose outcome is unknown, by kind.";
    checkpoint_seconds: Histogram = "cluecast_journal_checkpoint_seconds" in Seconds,
        "Duration of checkpoints of the write-ahead log.";
    wal_bytes: Gauge = "cluecast_journal_wal_bytes" in Bytes,
        "Size of the write-ahead log file.";
    cluster_nodes: Gauge = "cluecast_cluster_nodes" in Count,
        "Members of the cluster, this node included.";
    cluster_heartbeat_seconds: Histogram = "cluecast_cluster_heartbeat_seconds" in Seconds,
        "Round-trip time of heartbeats to the store.";
    cluster_heartbeats_failed: Counter = "cluecast_cluster_heartbeats_failed_total" in Count,
        "Heartbeats that failed or timed out.";
    cluster_heartbeats_withheld: Counter = "cluecast_cluster_heartbeats_withheld_total" in Count,
        "Heartbeats withheld because the runtime hung.";
    cluster_lease_expirations: Counter = "cluecast_cluster_lease_expirations_total" in Count,
        "Times that this node's lease expired.";
    cluster_evictions_suffered: Counter = "cluecast_cluster_evictions_suffered_total" in Count,
        "Times that other nodes declared this node dead and evicted it.";
    cluster_nodes_evicted: Counter = "cluecast_cluster_nodes_evicted_total" in Count,
        "Nodes that this node declared dead and evicted.";
    cluster_sessions_claimed: Counter = "cluecast_cluster_sessions_claimed_total" in Count,
        "Sessions claimed by this node: without an owner, of a dead node, or handed off to it.";
    cluster_sessions_released: Counter = "cluecast_cluster_sessions_released_total" in Count,
        "Sessions that this node handed off to another node or released.";
    cluster_claims_lost: Counter = "cluecast_cluster_claims_lost_total" in Count,
        "Claims lost to another node.";
    cluster_claims_busy: Counter = "cluecast_cluster_claims_busy_total" in Count,
        "Claims delayed by an append of a dead owner.";
    cluster_route_seconds: Histogram = "cluecast_cluster_route_seconds" in Seconds,
        "Time that requests waited for a node to own their session.";
    cluster_routes_missing: Counter = "cluecast_cluster_routes_missing_total" in Count,
        "Requests that timed out because no node owned their session.";
    relays_open: Gauge = "cluecast_relays_open" in Count,
        "WebSockets that this node relays to the owner of their session.";
    relays_broken: Counter = "cluecast_relays_broken_total" in Count,
        "Relayed WebSockets whose owner disconnected without a close frame.";
    requests_relayed: Counter = "cluecast_requests_relayed_total" in Count,
        "HTTP requests relayed to the owner of their session.";
    requests_misdirected: Counter = "cluecast_requests_misdirected_total" in Count,
        "Requests relayed again, because the first node was unreachable or did not own the session.";
    sessions_open: Gauge = "cluecast_sessions_open" in Count,
        "Open sessions: those with a running actor.";
    sessions_broken: Gauge = "cluecast_sessions_broken" in Count,
        "Sessions closed until an operator acts; the log has the reason.";
    sessions_finished: Counter = "cluecast_sessions_finished_total" in Count,
        "Sessions marked as finished, once per owner.";
    sessions_retired: Counter = "cluecast_sessions_retired_total" in Count,
        "Finished sessions closed after `session.idle_ms_max` without use.";
    snapshots_stored: Counter = "cluecast_snapshots_stored_total" in Count,
        "Snapshots of session states stored.";
    snapshots_failed: Counter = "cluecast_snapshots_failed_total" in Count,
        "Snapshots of session states that could not be stored.";
    snapshots_unverified: Counter = "cluecast_snapshots_unverified_total" in Count,
        "Stored snapshots that failed verification when read back.";
    snapshots_damaged: Counter = "cluecast_snapshots_damaged_total" in Count,
        "Damaged snapshots that a recovery skipped.";
    archived_events: Counter = "cluecast_archived_events_total" in Count,
        "Events archived; events that are archived again count again.";
    archive_pieces: Gauge = "cluecast_archive_pieces_in_progress" in Count,
        "Archive writes in progress; one that stays means that the archive hangs.";
    archive_stalls: Counter = "cluecast_archive_stalls_total" in Count,
        "Archive writes that were not complete after a minute.";
    archive_failures: Counter = "cluecast_archive_failures_total" in Count,
        "Failed archiving steps; the batches stay in the journal.";
    truncated_batches: Counter = "cluecast_journal_truncated_batches_total" in Count,
        "Batches deleted from the journal after they were archived.";
    recovery_seconds: Histogram = "cluecast_recovery_seconds" in Seconds,
        "Time from the claim of a session until its state is recovered, first starts included.";
    recoveries_failed: Family<RecoveryFailure> = "cluecast_recoveries_failed_total" in Count,
        "Failed attempts to recover a session: the store did not answer, or the stored data is unusable.";
    actor_panics: Counter = "cluecast_actor_panics_total" in Count,
        "Session actors that panicked.";
    commands_quarantined: Counter = "cluecast_commands_quarantined_total" in Count,
        "Commands that panicked the rules and are refused from now on.";
    process_resident: Gauge = "process_resident_memory_bytes" in Bytes,
        "Resident memory of this process (Linux only).";
    process_open_files: Gauge = "process_open_fds" in Count,
        "Open file descriptors of this process (Linux only).";
    process_threads: Gauge = "process_threads" in Count,
        "Threads of this process (Linux only).";
    process_cpu: Gauge = "process_cpu_seconds_total" in Seconds,
        "CPU time of this process, user and system (Linux only).";
}
