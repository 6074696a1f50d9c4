//! Settings that the TLS sessions of a listener share: certificates, versions, tickets.
//!
//! Built from options by the application's thread, then read by all workers. A renewal replaces the
//! whole for connections that come later.

mod client_certificates;
mod details;
mod failure;
mod identities;
mod options;
mod tickets;

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpStream;

use rustls::{Error, ServerConfig, ServerConnection, SupportedProtocolVersion};

use client_certificates::ClientCertificates;
pub use details::TlsDetails;
pub(super) use failure::handshake_failure;
use identities::Identities;
pub use options::{ClientCertificateOptions, Identity, TlsContext, TlsOptions};
use tickets::Tickets;

/// Settings from which sessions are made.
#[derive(Debug)]
pub struct TlsSettings {
    config: Arc<ServerConfig>,
    client_certificates: Option<Arc<ClientCertificates>>,
    handshake_timeout: Duration,
}

impl TlsSettings {
    /// Creates settings.
    ///
    /// # Errors
    ///
    /// Fails for a key that rustls cannot use, or a certificate that it cannot read.
    pub fn new(options: &TlsOptions) -> Result<Self, Error> {
        let provider = Arc::new(provider_with(&options.cipher_suites));
        let identities = Identities::new(&options.contexts, &provider)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions(options.min_version, options.max_version))?;
        let client_certificates = match &options.client_certificates {
            None => None,
            Some(given) => Some(Arc::new(ClientCertificates::new(given, &provider)?)),
        };
        let builder = match &client_certificates {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier) as _),
        };
        let mut config = builder.with_cert_resolver(Arc::new(identities));
        config.alpn_protocols.clone_from(&options.alpn_protocols);
        config.ignore_client_order = options.prefers_own_ciphers;
        // Sessions are resumed by tickets: so they take no memory here.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = Arc::new(Tickets::new(options.session_timeout)?);
        let handshake_timeout = options.handshake_timeout;
        Ok(Self { config: Arc::new(config), client_certificates, handshake_timeout })
    }

    /// Begins a session.
    pub(super) fn session(&self) -> Result<ServerConnection, Error> {
        ServerConnection::new(Arc::clone(&self.config))
    }

    /// Returns the time within which a handshake must be done.
    pub(super) const fn handshake_timeout(&self) -> Duration {
        self.handshake_timeout
    }

    /// Returns the parameters that a finished handshake has negotiated.
    pub(super) fn details(&self, session: &ServerConnection, socket: &TcpStream) -> TlsDetails {
        let certificates = session.peer_certificates().unwrap_or_default();
        let verified =
            self.client_certificates.as_ref().map(|verifier| verifier.verify(certificates));
        TlsDetails::new(session, socket, verified)
    }

    /// Returns whether the client must be turned away, since its certificate is not accepted.
    pub(super) fn rejects(&self, details: &TlsDetails) -> bool {
        self.client_certificates
            .as_ref()
            .is_some_and(|verifier| verifier.is_required() && !details.is_authorized)
    }
}

/// Returns a provider with these cipher suites, in this order.
fn provider_with(cipher_suites: &[u16]) -> CryptoProvider {
    let mut provider = default_provider();
    let find = |id: &u16| {
        let mut all = provider.cipher_suites.iter();
        all.find(|suite| u16::from(suite.suite()) == *id).copied()
    };
    provider.cipher_suites = cipher_suites.iter().filter_map(find).collect();
    provider
}

/// Returns the versions from `min` to `max`, numbers of the protocol.
fn versions(min: u16, max: u16) -> Vec<&'static SupportedProtocolVersion> {
    let in_range =
        |version: &&SupportedProtocolVersion| (min..=max).contains(&u16::from(version.version));
    [&TLS13, &TLS12].into_iter().filter(in_range).collect()
}
