//! Every metric by its name, unit and meaning.
//!
//! Labels come from closed lists (`labels`), except the routes of HTTP, which the server's own code
//! lists. Never here: names, addresses, tokens, codes of sessions, or anything else that a client
//! chooses.

use metrics::{Counter, Gauge, Histogram, Unit};
use protocol::{CloseCode, RejectionCode};

use super::labels::{
    AppendFailure, Attached, CodeLimit, Handshake, Late, Lost, RecoveryFailure, Refused, Write,
};
use super::recorder::{Described, Family, Metric, Peak};

/// Lists each metric once: the text is its help in `/metrics` and the field's documentation here.
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

/// Upper bounds of the buckets of every time, in seconds: from a commit on a fast disk to a stall.
pub(super) const SECONDS_BUCKETS: [f64; 15] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0,
];
/// Upper bounds of the buckets of numbers of things.
pub(super) const COUNT_BUCKETS: [f64; 11] = [
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0,
];

pub(super) const HTTP_REQUESTS: Described = Described {
    name: "cluecast_http_requests_total",
    unit: Unit::Count,
    help: "Requests answered, by route and status.",
};
pub(super) const HTTP_SECONDS: Described = Described {
    name: "cluecast_http_request_seconds",
    unit: Unit::Seconds,
    help: "From a request's header to its answer's header, by route.",
};

metrics! {
    connections_open: Gauge = "cluecast_connections_open" in Count,
        "Connections that have a place, HTTP and WebSocket.";
    connections_unauthenticated: Gauge = "cluecast_connections_unauthenticated" in Count,
        "Connections that have not shown a valid token and count against their address.";
    connections_accepted: Counter = "cluecast_connections_accepted_total" in Count,
        "Connections that were given a place.";
    connections_refused: Family<Refused> = "cluecast_connections_refused_total" in Count,
        "Connections that were sent away, by reason.";
    requests_reserved: Counter = "cluecast_requests_reserved_total" in Count,
        "Requests answered on connections beyond the bounds: of monitors, game masters and admins.";
    requests_late: Family<Late> = "cluecast_requests_late_total" in Count,
        "Requests whose header or body was not complete in time.";
    handshakes_failed: Family<Handshake> = "cluecast_tls_handshakes_failed_total" in Count,
        "TLS handshakes that came to nothing.";
    origins_refused: Counter = "cluecast_origins_refused_total" in Count,
        "WebSockets refused to web pages of another origin that is not listed.";
    hellos_failed: Family<CloseCode> = "cluecast_hellos_failed_total" in Count,
        "Connections closed before they were attached, by close code.";
    connections_closed: Family<CloseCode> = "cluecast_connections_closed_total" in Count,
        "WebSockets closed by the server, by close code.";
    connections_gone: Counter = "cluecast_connections_gone_total" in Count,
        "WebSockets that the other side closed or that broke.";
    connections_lost: Family<Lost> = "cluecast_connections_lost_total" in Count,
        "WebSockets given up because the other side took nothing or gave no sign of life.";
    socket_writes: Family<Write> = "cluecast_socket_writes_total" in Count,
        "Tries to write to a socket, each a system call, by whether anything was taken.";
    socket_refusals_peak: Peak = "cluecast_socket_writes_refused_peak" in Count,
        "The most writes a second to a socket that took nothing, since the process started.";
    commands_received: Counter = "cluecast_commands_received_total" in Count,
        "Commands that were read from connections.";
    commands_accepted: Counter = "cluecast_commands_accepted_total" in Count,
        "Commands answered with a receipt, those that were sent again included.";
    commands_rejected: Family<RejectionCode> = "cluecast_commands_rejected_total" in Count,
        "Commands answered with a rejection, by code.";
    new_teams_refused: Counter = "cluecast_new_teams_refused_total" in Count,
        "Teams that were not founded, because too many before were from the same address.";
    wrong_codes: Counter = "cluecast_wrong_codes_total" in Count,
        "Session, team and link codes that nothing has.";
    code_attempts_refused: Family<CodeLimit> = "cluecast_code_attempts_refused_total" in Count,
        "Attempts at a code that were not looked at, because too many before were wrong.";
    mailbox_refusals: Counter = "cluecast_mailbox_refusals_total" in Count,
        "Requests that a session's mailbox was too full for.";
    requests_dropped: Counter = "cluecast_requests_dropped_total" in Count,
        "Commands, attachments and HTTP requests dropped before they ran: their client was gone.";
    backlog_refusals: Counter = "cluecast_backlog_refusals_total" in Count,
        "Commands refused because a session's oldest event waited too long to become durable.";
    oldest_wait_seconds: Gauge = "cluecast_journal_oldest_wait_seconds" in Seconds,
        "How long the oldest event of any session has been waiting to become durable, or a session for its recovery.";
    outboxes_overflowed: Counter = "cluecast_outboxes_overflowed_total" in Count,
        "Connections that read too slowly and were told to resume.";
    outbox_bytes_peak: Peak = "cluecast_outbox_bytes_peak" in Bytes,
        "The most that waited for one connection since the process started.";
    outbox_frames_peak: Peak = "cluecast_outbox_frames_peak" in Count,
        "The most frames that waited for one connection since the process started.";
    updates_delivered: Counter = "cluecast_updates_delivered_total" in Count,
        "Updates handed to connections: one that goes to ten of them counts ten times.";
    frames_written: Counter = "cluecast_frames_written_total" in Count,
        "Frames written to sockets.";
    attachments: Family<Attached> = "cluecast_attachments_total" in Count,
        "Connections attached, by how they got up to date.";
    latest_encoded: Counter = "cluecast_latest_encoded_total" in Count,
        "Boards, standings and presences encoded: once for all who get the same.";
    latest_replaced: Counter = "cluecast_latest_replaced_total" in Count,
        "Boards, standings and presences that a newer one replaced before they were sent.";
    client_snapshots_encoded: Counter = "cluecast_client_snapshots_encoded_total" in Count,
        "Snapshots and overviews encoded for clients.";
    client_snapshots_shared: Counter = "cluecast_client_snapshots_shared_total" in Count,
        "Snapshots and overviews that clients were given as encoded for another one.";
    ring_bytes: Gauge = "cluecast_ring_bytes" in Bytes,
        "Updates kept for those who come back, of all sessions.";
    ring_evictions: Counter = "cluecast_ring_evictions_total" in Count,
        "Updates that the rings let go of.";
    commit_batches: Histogram = "cluecast_journal_commit_batches" in Count,
        "Batches that one commit made durable.";
    commit_seconds: Histogram = "cluecast_journal_commit_seconds" in Seconds,
        "From the begin of a transaction to its commit on the disk.";
    append_seconds: Histogram = "cluecast_journal_append_seconds" in Seconds,
        "From handing a batch in to its being durable, on PostgreSQL.";
    lane_connects_failed: Counter = "cluecast_journal_lane_connects_failed_total" in Count,
        "Attempts of the journal's lanes to connect to PostgreSQL that failed.";
    append_failures: Family<AppendFailure> = "cluecast_journal_append_failures_total" in Count,
        "Batches that were not appended or may not have been, by kind.";
    checkpoint_seconds: Histogram = "cluecast_journal_checkpoint_seconds" in Seconds,
        "How long moving the write-ahead log into the database took.";
    wal_bytes: Gauge = "cluecast_journal_wal_bytes" in Bytes,
        "Size of the write-ahead log's file.";
    cluster_nodes: Gauge = "cluecast_cluster_nodes" in Count,
        "Nodes that the store knows, this one included.";
    cluster_heartbeat_seconds: Histogram = "cluecast_cluster_heartbeat_seconds" in Seconds,
        "How long the store took to answer that this node is alive.";
    cluster_heartbeats_failed: Counter = "cluecast_cluster_heartbeats_failed_total" in Count,
        "Beats that the store did not answer well or in time.";
    cluster_heartbeats_withheld: Counter = "cluecast_cluster_heartbeats_withheld_total" in Count,
        "Beats that were left out because the runtime hung.";
    cluster_lease_expirations: Counter = "cluecast_cluster_lease_expirations_total" in Count,
        "Times that the node might not speak for its sessions, because no beat was answered.";
    cluster_evictions_suffered: Counter = "cluecast_cluster_evictions_suffered_total" in Count,
        "Times that other nodes took this one for dead.";
    cluster_nodes_evicted: Counter = "cluecast_cluster_nodes_evicted_total" in Count,
        "Nodes that this one found dead.";
    cluster_sessions_claimed: Counter = "cluecast_cluster_sessions_claimed_total" in Count,
        "Sessions that this node claimed: free ones, those of the dead, and those given to it.";
    cluster_sessions_released: Counter = "cluecast_cluster_sessions_released_total" in Count,
        "Sessions that this node gave to others or released.";
    cluster_claims_lost: Counter = "cluecast_cluster_claims_lost_total" in Count,
        "Claims that another node's came before.";
    cluster_claims_busy: Counter = "cluecast_cluster_claims_busy_total" in Count,
        "Claims that an append of a dead owner held up.";
    cluster_route_seconds: Histogram = "cluecast_cluster_route_seconds" in Seconds,
        "How long requests waited for somebody to own their session.";
    cluster_routes_missing: Counter = "cluecast_cluster_routes_missing_total" in Count,
        "Requests whose session nobody owned for as long as they may wait.";
    relays_open: Gauge = "cluecast_relays_open" in Count,
        "WebSockets that this node relays to the owners of their sessions.";
    relays_broken: Counter = "cluecast_relays_broken_total" in Count,
        "Relayed WebSockets whose owner went away without a goodbye.";
    requests_relayed: Counter = "cluecast_requests_relayed_total" in Count,
        "Requests that were passed on to the owner of their session.";
    requests_misdirected: Counter = "cluecast_requests_misdirected_total" in Count,
        "Requests that came to the wrong node or to none, and were passed on again.";
    sessions_open: Gauge = "cluecast_sessions_open" in Count,
        "Sessions whose actor runs.";
    sessions_broken: Gauge = "cluecast_sessions_broken" in Count,
        "Sessions that stay closed until somebody acts: the log says why.";
    sessions_finished: Counter = "cluecast_sessions_finished_total" in Count,
        "Sessions that were noted as finished, each once an owner.";
    sessions_retired: Counter = "cluecast_sessions_retired_total" in Count,
        "Finished sessions that were closed because nobody used them any more.";
    snapshots_stored: Counter = "cluecast_snapshots_stored_total" in Count,
        "States of sessions that were stored.";
    snapshots_failed: Counter = "cluecast_snapshots_failed_total" in Count,
        "States of sessions that could not be stored.";
    snapshots_unverified: Counter = "cluecast_snapshots_unverified_total" in Count,
        "States that were stored and, read back, were not what they should be or could not be read.";
    snapshots_damaged: Counter = "cluecast_snapshots_damaged_total" in Count,
        "Stored states that a recovery passed over, because they were damaged.";
    archived_events: Counter = "cluecast_archived_events_total" in Count,
        "Events that the archive took; those of a piece that is archived again count again.";
    archive_pieces: Gauge = "cluecast_archive_pieces_under_way" in Count,
        "Pieces that the archive is taking; one for long means that the archive hangs.";
    archive_stalls: Counter = "cluecast_archive_stalls_total" in Count,
        "Pieces that the archive had not taken after a minute.";
    archive_failures: Counter = "cluecast_archive_failures_total" in Count,
        "Times that old batches stayed in the journal because a step of archiving failed.";
    truncated_batches: Counter = "cluecast_journal_truncated_batches_total" in Count,
        "Old batches that were deleted from the journal, after they were archived.";
    recovery_seconds: Histogram = "cluecast_recovery_seconds" in Seconds,
        "From the claim of a session to its state, also at the first start.";
    recoveries_failed: Family<RecoveryFailure> = "cluecast_recoveries_failed_total" in Count,
        "Attempts to recover a session that failed: the store did not answer, or what is stored cannot be used.";
    actor_panics: Counter = "cluecast_actor_panics_total" in Count,
        "Actors that an invariant which did not hold brought down.";
    commands_quarantined: Counter = "cluecast_commands_quarantined_total" in Count,
        "Commands that the rules failed on and that are not tried again.";
    process_resident: Gauge = "process_resident_memory_bytes" in Bytes,
        "Memory of this process that is in RAM (Linux only).";
    process_open_files: Gauge = "process_open_fds" in Count,
        "Files and sockets that this process has open (Linux only).";
    process_threads: Gauge = "process_threads" in Count,
        "Threads of this process (Linux only).";
    process_cpu: Gauge = "process_cpu_seconds_total" in Seconds,
        "Processor time of this process, user and system (Linux only).";
}
