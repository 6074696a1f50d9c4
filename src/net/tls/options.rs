//! Options of TLS.

use std::time::Duration;

/// Options of a listener's TLS sessions.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// Certificates by name. Among those whose pattern matches, the last counts.
    pub contexts: Vec<TlsContext>,
    /// Given if a certificate is requested from clients.
    pub client_certificates: Option<ClientCertificateOptions>,
    /// The lowest version, as its number in the protocol.
    pub min_version: u16,
    /// The highest version.
    pub max_version: u16,
    /// The numbers of the cipher suites, in the order of preference.
    pub cipher_suites: Vec<u16>,
    /// True if the order of the server's cipher suites counts, not of the client's.
    pub prefers_own_ciphers: bool,
    /// Names of protocols for ALPN, in the order of preference; none for no ALPN.
    pub alpn_protocols: Vec<Vec<u8>>,
    /// Time in which a session can be resumed.
    pub session_timeout: Duration,
    /// Time within which a handshake must be done.
    pub handshake_timeout: Duration,
}

/// The certificates for some names.
#[derive(Clone, Debug)]
pub struct TlsContext {
    /// The name, in which `*` stands for any characters but a dot; `None` for clients that give no
    /// name, or one that no other context has.
    pub pattern: Option<String>,
    /// Certificates of which the first is taken that the client supports.
    pub identities: Vec<Identity>,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate and those of its issuers, in DER.
    pub certificates: Vec<Vec<u8>>,
    /// The key as PKCS #8 in DER.
    pub key: Vec<u8>,
}

/// The certificates of clients that are accepted.
#[derive(Clone, Debug)]
pub struct ClientCertificateOptions {
    /// Certificates of authorities, in DER.
    pub authorities: Vec<Vec<u8>>,
    /// True if clients without an accepted certificate are turned away.
    pub is_required: bool,
}
