//! TLS on the public listener, with a certificate that can be reloaded.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::{Accept, TlsAcceptor};

use super::stream::Tcp;
use crate::config::{TlsConfig, TlsMode};

/// WebSockets start as HTTP/1.1, so a client that offers only other protocols is refused.
const ALPN: &[u8] = b"http/1.1";

/// The TLS configuration of the listener.
#[derive(Debug)]
pub(in crate::gateway) struct Tls {
    certificate_file: PathBuf,
    key_file: PathBuf,
    handshake_max: Duration,
    /// Configuration of new handshakes.
    current: RwLock<Arc<ServerConfig>>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {reason}; set tls.certificate_file and tls.key_file to readable PEM files", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: pem::Error,
    },
    /// The file holds no certificate.
    #[error(
        "{}: the file holds no PEM certificate; write the server's own certificate first",
        path.display()
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The key does not belong to the certificate, or its kind is not supported.
    #[error("{} and {} do not match: {reason}", certificate.display(), key.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What went wrong.
        reason: rustls::Error,
    },
}

/// Checks that the certificate and key that the settings name can be used.
pub fn check_certificate(config: &TlsConfig) -> Result<(), TlsError> {
    match config.mode {
        TlsMode::Off => Ok(()),
        TlsMode::On => load(&config.certificate_file, &config.key_file).map(drop),
    }
}

impl Tls {
    /// Loads the certificate and key that the settings name.
    pub(in crate::gateway) fn new(config: &TlsConfig) -> Result<Self, TlsError> {
        let current = load(&config.certificate_file, &config.key_file)?;
        Ok(Self {
            certificate_file: config.certificate_file.clone(),
            key_file: config.key_file.clone(),
            handshake_max: config.handshake_max,
            current: RwLock::new(current),
        })
    }

    /// Reads the files again, for new connections. On an error the former certificate stays in use.
    pub(in crate::gateway) fn reload(&self) -> Result<(), TlsError> {
        let fresh = load(&self.certificate_file, &self.key_file)?;
        *self
            .current
            .write()
            .expect("nothing panics while it holds the lock") = fresh;
        Ok(())
    }

    /// Performs a handshake with a client.
    pub(in crate::gateway) fn accept(&self, stream: Tcp) -> Accept<Tcp> {
        let current = self.current.read();
        let current = current
            .expect("nothing panics while it holds the lock")
            .clone();
        TlsAcceptor::from(current).accept(stream)
    }

    /// Timeout of a handshake.
    pub(in crate::gateway) fn handshake_max(&self) -> Duration {
        self.handshake_max
    }
}

fn load(certificate_file: &Path, key_file: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |reason| TlsError::File { path, reason }
    };
    let chain = CertificateDer::pem_file_iter(certificate_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(failed(certificate_file))?;
    if chain.is_empty() {
        let path = certificate_file.to_owned();
        return Err(TlsError::NoCertificate { path });
    }
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(failed(key_file))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|reason| TlsError::Mismatch {
            certificate: certificate_file.to_owned(),
            key: key_file.to_owned(),
            reason,
        })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}
