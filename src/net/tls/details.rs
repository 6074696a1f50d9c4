//! Parameters that a handshake has negotiated.

use std::net::SocketAddr;

use rustls::{HandshakeKind, ServerConnection};
use serde::Serialize;
use tokio::net::TcpStream;

/// Facts about the session of a connection, for the application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
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
    /// The server name that the client asks for (SNI).
    pub server_name: Option<String>,
    /// The protocol that ALPN has chosen.
    pub alpn_protocol: Option<String>,
    /// The client's certificates, in DER as base64, its own first.
    pub certificates: Vec<String>,
    /// The client's address; `None` if it has gone.
    pub remote: Option<Address>,
    /// The server's address.
    pub local: Option<Address>,
}

/// The address of a socket, as Node.js has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Address {
    address: String,
    family: &'static str,
    port: u16,
}

impl TlsDetails {
    pub(super) fn new(
        session: &ServerConnection,
        socket: &TcpStream,
        verified: Option<Result<(), &'static str>>,
    ) -> Self {
        let certificates = session.peer_certificates().unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let encode = |bytes: &[u8]| base64_simd::STANDARD.encode_to_string(bytes);
        Self {
            version: session.protocol_version().map_or(0, u16::from),
            cipher_suite: session.negotiated_cipher_suite().map_or(0, |it| it.suite().into()),
            is_resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
            is_authorized: verified == Some(Ok(())),
            authorization_error: verified.and_then(Result::err),
            server_name: session.server_name().map(String::from),
            alpn_protocol: session.alpn_protocol().map(text),
            certificates: certificates.iter().map(|it| encode(it)).collect(),
            remote: socket.peer_addr().ok().map(Address::of),
            local: socket.local_addr().ok().map(Address::of),
        }
    }

    /// Returns all of it as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Address {
    fn of(address: SocketAddr) -> Self {
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        Self { address: address.ip().to_string(), family, port: address.port() }
    }
}
