//! Certificates of clients.
//!
//! As in Node.js, a handshake succeeds with any certificate whose key the client has, and the
//! certificate is judged afterwards.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use super::ClientCertificateOptions;

/// Requests certificates, accepts all, and judges them later.
#[derive(Debug)]
pub(super) struct ClientCertificates {
    /// `None` if there are no authorities: it judges no certificate then.
    judge: Option<Arc<dyn ClientCertVerifier>>,
    provider: Arc<CryptoProvider>,
    is_required: bool,
}

impl ClientCertificates {
    pub(super) fn new(
        options: &ClientCertificateOptions,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        let authorities = options.authorities.iter().cloned().map(CertificateDer::from);
        // Node.js ignores what it cannot read, too.
        roots.add_parsable_certificates(authorities);
        let judge = if roots.is_empty() {
            None
        } else {
            let provider = Arc::clone(provider);
            let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            Some(builder.build().map_err(|error| Error::General(error.to_string()))?)
        };
        Ok(Self { judge, provider: Arc::clone(provider), is_required: options.is_required })
    }

    /// Returns whether clients without an accepted certificate are turned away.
    pub(super) const fn is_required(&self) -> bool {
        self.is_required
    }

    /// Judges the chain of a client: its own certificate comes first.
    ///
    /// # Errors
    ///
    /// The name of OpenSSL's error.
    pub(super) fn verify(&self, chain: &[CertificateDer<'_>]) -> Result<(), &'static str> {
        let Some((own, intermediates)) = chain.split_first() else {
            return Err("UNABLE_TO_GET_ISSUER_CERT");
        };
        let result = match &self.judge {
            Some(judge) => judge.verify_client_cert(own, intermediates, UnixTime::now()),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        result.map(|_| ()).map_err(|error| error_name(&error, intermediates.is_empty()))
    }
}

impl ClientCertVerifier for ClientCertificates {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.judge.as_ref().map_or(&[], |judge| judge.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Returns the name of OpenSSL's error, X509_STORE_CTX_get_error(3).
const fn error_name(error: &Error, is_alone: bool) -> &'static str {
    let Error::InvalidCertificate(error) = error else { return "UNSPECIFIED" };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "CERT_HAS_EXPIRED",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "CERT_NOT_YET_VALID"
        }
        CertificateError::BadSignature => "CERT_SIGNATURE_FAILURE",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "INVALID_PURPOSE"
        }
        CertificateError::UnknownIssuer if is_alone => "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        CertificateError::UnknownIssuer => "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
        _ => "CERT_UNTRUSTED",
    }
}
