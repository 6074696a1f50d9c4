//! What a handshake has negotiated.

use rustls::{HandshakeKind, ServerConnection};

/// Facts about the session of a connection, for the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsDetails {
    /// The version, as its number in the protocol.
    pub version: u16,
    /// The number of the cipher suite.
    pub cipher_suite: u16,
    /// True if an earlier session has been resumed.
    pub is_resumed: bool,
    /// True if the client has a certificate that is accepted.
    pub is_authorized: bool,
    /// OpenSSL's name for the error of the client's certificate, if one was requested.
    pub authorization_error: Option<&'static str>,
    /// The name to which the client wants to talk.
    pub server_name: Option<String>,
    /// The protocol that ALPN has chosen.
    pub alpn_protocol: Option<Vec<u8>>,
    /// The client's certificates in DER, its own first.
    pub certificates: Vec<Vec<u8>>,
}

impl TlsDetails {
    pub(super) fn new(
        session: &ServerConnection,
        verified: Option<Result<(), &'static str>>,
    ) -> Self {
        let certificates = session.peer_certificates().unwrap_or_default();
        Self {
            version: session.protocol_version().map_or(0, u16::from),
            cipher_suite: session.negotiated_cipher_suite().map_or(0, |it| it.suite().into()),
            is_resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
            is_authorized: verified == Some(Ok(())),
            authorization_error: verified.and_then(Result::err),
            server_name: session.server_name().map(String::from),
            alpn_protocol: session.alpn_protocol().map(<[u8]>::to_vec),
            certificates: certificates.iter().map(|it| it.to_vec()).collect(),
        }
    }
}
