//! Typed settings, one file per section, validated before any port binds.
//!
//! Owns the layers of values (built-in defaults, files, environment, flags) and is the only module that
//! reads the environment. It never uses the settings itself.

mod cluster;
mod delivery;
mod gateway;
mod host_port;
mod journal;
mod layers;
mod limits;
mod mistake;
mod postgres;
mod postgres_url;
mod reader;
mod secret;
mod server;
mod session;
mod telemetry;
mod text;
mod tls;
mod web_origin;

pub use cluster::ClusterConfig;
pub use delivery::DeliveryConfig;
pub use gateway::{GatewayConfig, ProxyHeader};
pub use journal::{JournalBackend, JournalConfig};
pub use layers::Layers;
pub use limits::{LimitsConfig, RateLimit};
pub use mistake::{ConfigMistake, Origin};
pub use postgres::PostgresConfig;
pub use postgres_url::PostgresUrl;
pub use secret::ClusterSecret;
pub use server::ServerConfig;
pub use session::SessionConfig;
pub use telemetry::{LogFormat, TelemetryConfig};
pub use tls::{TlsConfig, TlsMode};
pub use web_origin::{InvalidOrigin, WebOrigin};

use std::time::Duration;

use reader::Reader;

/// Part of a graceful shutdown that is left for sessions after the last connection was dropped.
const SESSION_SHUTDOWN_MIN: Duration = Duration::from_secs(2);

/// All settings of a server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The process as a whole.
    pub server: ServerConfig,
    /// TLS on the server's own port.
    pub tls: TlsConfig,
    /// The journal.
    pub journal: JournalConfig,
    /// The session actors.
    pub session: SessionConfig,
    /// Delivery of updates.
    pub delivery: DeliveryConfig,
    /// Connections.
    pub gateway: GatewayConfig,
    /// Rate limits.
    pub limits: LimitsConfig,
    /// Several nodes on one journal.
    pub cluster: ClusterConfig,
    /// Logs.
    pub telemetry: TelemetryConfig,
}

impl Config {
    /// Reads every setting. Returns all mistakes at once, in the order of the layers.
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
            let message = "cluster.secret needs a journal that nodes can share: set journal.backend to \
                           \"postgres\", or remove cluster.secret";
            reader.record_conflict(keys, message);
        }
        if config.server.stop_max < config.gateway.write_max + SESSION_SHUTDOWN_MIN {
            let keys = ["server.stop_ms_max", "gateway.write_ms_max"];
            let message = "server.stop_ms_max must be at least 2000 more than gateway.write_ms_max; \
                           otherwise one client that reads nothing delays the shutdown beyond it";
            reader.record_conflict(keys, message);
        }
        let listens = [config.server.listen, config.cluster.listen];
        let same_port = listens[0].port() == listens[1].port() && listens[0].port() != 0;
        let overlap = listens[0].ip() == listens[1].ip()
            || listens.iter().any(|listen| listen.ip().is_unspecified());
        if is_shared && same_port && overlap {
            let keys = ["cluster.listen", "server.listen"];
            let message = "players and other nodes need separate ports";
            reader.record_conflict(keys, message);
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
                "site.toml:3: journal.wal_byte_max: unknown key; did you mean \
                 journal.wal_bytes_max?",
                "site.toml:6: session.mailbox_max: 1 is out of range, 16 to 100000",
                "site.toml:7: session.turn_requests_max: expected an integer, not a string; the default is \
                 256",
                "site.toml:9: nonsense.x: unknown key; config/default.toml lists all keys",
            ]
        );
    }

    #[test]
    fn a_syntax_error_is_reported_with_its_line() {
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
    fn the_default_of_a_conflicting_key_is_called_that() {
        let secret = "0123456789abcdef0123456789abcdef";
        let found = mistakes(&format!("[cluster]\nsecret = \"{secret}\"\n"));
        assert_eq!(
            found,
            [
                "site.toml:2: cluster.secret: cluster.secret needs a journal that nodes can share: set \
                 journal.backend to \"postgres\", or remove cluster.secret (journal.backend has its \
                 default value)"
            ]
        );
    }

    #[test]
    fn an_ipv4_network_may_be_written_as_ipv6() {
        let mut layers = Layers::built_in();
        layers.add_flag("gateway.venues=['::ffff:10.0.0.0/104', '2001:db8::/32', '::/0']");
        let config = Config::read(layers).expect("they are networks");
        let venues = config.gateway.venues.iter().map(ToString::to_string);
        let venues: Vec<String> = venues.collect();
        assert_eq!(venues, ["10.0.0.0/8", "2001:db8::/32", "::/0"]);
    }

    #[test]
    fn conflicts_are_rejected() {
        let found = mistakes("[delivery]\nheads_every_ms = 5000\nring_age_ms_max = 1000\n");
        assert_eq!(
            found,
            [
                "site.toml:3: delivery.ring_age_ms_max: delivery.ring_age_ms_max must be at least \
                 delivery.heads_every_ms; otherwise a connection that died silently cannot resume \
                 from the ring (delivery.heads_every_ms is set in site.toml:2)"
            ]
        );
    }
}
