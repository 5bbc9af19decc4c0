//! Settings: typed, one file a concern, read and validated before any port is bound.
//!
//! Owns where a value comes from (the built-in file, files, the environment, flags) and is the only
//! place that reads the environment. Never here: what the settings are used for.

mod cluster;
mod delivery;
mod gateway;
mod host_port;
mod journal;
mod layers;
mod limits;
mod mistake;
mod postgres;
mod reader;
mod server;
mod session;
mod telemetry;
mod text;
mod tls;
mod web_origin;

pub use cluster::{ClusterConfig, ClusterSecret};
pub use delivery::DeliveryConfig;
pub use gateway::{GatewayConfig, ProxyHeader};
pub use journal::{JournalBackend, JournalConfig};
pub use layers::Layers;
pub use limits::{Allowance, LimitsConfig};
pub use mistake::{ConfigMistake, Origin};
pub use postgres::{PostgresConfig, PostgresUrl};
pub use server::ServerConfig;
pub use session::SessionConfig;
pub use telemetry::{LogFormat, TelemetryConfig};
pub use tls::{TlsConfig, TlsMode};
pub use web_origin::{NotAnOrigin, WebOrigin};

use std::time::Duration;

use reader::Reader;

/// What a stop has left for sessions once the last connection was given up.
const AFTER_GOODBYES: Duration = Duration::from_secs(2);

/// All settings of a server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The process as a whole.
    pub server: ServerConfig,
    /// Encryption on the server's own port.
    pub tls: TlsConfig,
    /// Where events become durable.
    pub journal: JournalConfig,
    /// The session actors.
    pub session: SessionConfig,
    /// What connections receive.
    pub delivery: DeliveryConfig,
    /// The connections.
    pub gateway: GatewayConfig,
    /// What a connection may send.
    pub limits: LimitsConfig,
    /// Other nodes on the same journal.
    pub cluster: ClusterConfig,
    /// Logs.
    pub telemetry: TelemetryConfig,
}

impl Config {
    /// Reads every setting from layers, and gives either all of them or everything that is wrong,
    /// in the order of the layers.
    pub fn read(layers: Layers) -> Result<Self, Vec<ConfigMistake>> {
        let mut reader = Reader::new(layers);
        let config = Self {
            server: ServerConfig::read(&mut reader),
            tls: TlsConfig::read(&mut reader),
            journal: JournalConfig::read(&mut reader),
            session: SessionConfig::read(&mut reader),
            delivery: DeliveryConfig::read(&mut reader),
            gateway: GatewayConfig::read(&mut reader),
            limits: LimitsConfig::read(&mut reader),
            cluster: ClusterConfig::read(&mut reader),
            telemetry: TelemetryConfig::read(&mut reader),
        };
        let is_shared = config.journal.backend == JournalBackend::Postgres;
        if config.cluster.secret.is_some() && !is_shared {
            let keys = ["cluster.secret", "journal.backend"];
            let message = "several nodes share a journal only in PostgreSQL: set journal.backend to \
                           \"postgres\", or leave cluster.secret out";
            reader.contradiction(keys, message);
        }
        if config.server.stop_max < config.gateway.write_max + AFTER_GOODBYES {
            let keys = ["server.stop_ms_max", "gateway.write_ms_max"];
            let message = "server.stop_ms_max must be at least 2000 more than gateway.write_ms_max, \
                           or one client that reads nothing uses up all of it";
            reader.contradiction(keys, message);
        }
        let listens = [config.server.listen, config.cluster.listen];
        let same_port = listens[0].port() == listens[1].port() && listens[0].port() != 0;
        let overlap = listens[0].ip() == listens[1].ip()
            || listens.iter().any(|listen| listen.ip().is_unspecified());
        if is_shared && same_port && overlap {
            let keys = ["cluster.listen", "server.listen"];
            let message = "players and other nodes need a port each";
            reader.contradiction(keys, message);
        }
        reader.finish(config)
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Layers};

    fn mistakes(file: &str) -> Vec<String> {
        let mut layers = Layers::built_in();
        layers.add_text("site.toml", file);
        match Config::read(layers) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn the_built_in_file_is_valid_and_every_key_of_it_is_read() {
        Config::read(Layers::built_in()).expect("config/default.toml is valid");
    }

    #[test]
    fn every_mistake_is_named_with_file_line_and_key() {
        let file = "[journal]\nbackend = \"papyrus\"\nwal_byte_max = 5\n\n[session]\n\
                    mailbox_max = 1\nturn_requests_max = \"many\"\n[nonsense]\nx = 1\n";
        assert_eq!(
            mistakes(file),
            [
                "site.toml:2: journal.backend: unknown variant `papyrus`, expected one of \
                 `sqlite`, `postgres`, `memory`",
                "site.toml:3: journal.wal_byte_max: no such key; did you mean \
                 journal.wal_bytes_max?",
                "site.toml:6: session.mailbox_max: 1 is out of range, 16 to 100000",
                "site.toml:7: session.turn_requests_max: a whole number is expected, not text; the \
                 default is 256",
                "site.toml:9: nonsense.x: no such key; config/default.toml lists all of them",
            ]
        );
    }

    #[test]
    fn a_file_that_is_no_toml_is_refused_with_its_place() {
        let found = mistakes("[journal]\nbackend = \n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("site.toml:2: "), "{found:?}");
    }

    #[test]
    fn later_layers_win() {
        let mut layers = Layers::built_in();
        layers.add_text("site.toml", "[session]\nmailbox_max = 100\n");
        layers.add_environment([("CLUECAST_SESSION__MAILBOX_MAX".into(), "200".into())]);
        layers.add_flag("session.turn_requests_max=7");
        let config = Config::read(layers).expect("all values are in range");
        assert_eq!(config.session.mailbox_max, 200);
        assert_eq!(config.session.turn_requests_max, 7);
    }

    #[test]
    fn contradictions_are_refused() {
        let found = mistakes("[delivery]\nheads_every_ms = 5000\nring_age_ms_max = 1000\n");
        assert_eq!(
            found,
            [
                "site.toml:3: delivery.ring_age_ms_max: delivery.ring_age_ms_max must be at least \
                 delivery.heads_every_ms, or a connection that died silently cannot resume from \
                 the ring (delivery.heads_every_ms is from site.toml:2)"
            ]
        );
    }
}
