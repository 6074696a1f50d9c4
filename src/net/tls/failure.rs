//! The names of errors of a handshake.

use std::io::{self, ErrorKind};

use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible};

/// Returns the `code` of the error that Node.js reports.
pub(in crate::net) fn handshake_failure(error: &io::Error) -> &'static str {
    let error = match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => error,
        None if error.kind() == ErrorKind::BrokenPipe => return "EPIPE",
        None => return "ECONNRESET",
    };
    match error {
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "ERR_SSL_WRONG_VERSION_NUMBER",
        Error::PeerIncompatible(
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::SupportedVersionsExtensionRequired,
        ) => "ERR_SSL_UNSUPPORTED_PROTOCOL",
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => {
            "ERR_SSL_NO_SHARED_CIPHER"
        }
        Error::PeerIncompatible(
            PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NoSignatureSchemesInCommon,
        ) => "ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM",
        Error::NoApplicationProtocol => "ERR_SSL_NO_APPLICATION_PROTOCOL",
        Error::AlertReceived(alert) => alert_code(*alert),
        Error::DecryptError => "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
        // rustls: the resolver has no certificate.
        Error::General(_) => "ERR_SSL_NO_SHARED_CIPHER",
        _ => "ERR_SSL_BAD_HANDSHAKE",
    }
}

/// Returns OpenSSL's name of an alert that the client has sent.
const fn alert_code(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnknownCA => "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
        AlertDescription::BadCertificate => "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE",
        AlertDescription::CertificateExpired => "ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED",
        AlertDescription::CertificateUnknown => "ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        AlertDescription::HandshakeFailure => "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
        AlertDescription::ProtocolVersion => "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
        _ => "ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR",
    }
}
