//! Calls of `lib/server/`: the TLS of listeners.

use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::Uint8Array;
use napi::{Error, Result};
use napi_derive::napi;

use super::workers::Workers;
use crate::net::{
    ClientCertificateOptions, Identity, TlsContext, TlsOptions, TlsSettings as Settings,
};

/// Options of TLS sessions. Times in milliseconds.
#[napi(object)]
pub struct NativeTlsOptions {
    /// The first is for clients that give no name, or one that the others do not have.
    pub contexts: Vec<NativeTlsContext>,
    /// Given if clients are asked for a certificate.
    pub client_certificates: Option<NativeClientCertificates>,
    /// Versions, as their numbers in the protocol.
    pub min_version: u32,
    pub max_version: u32,
    /// The numbers of the cipher suites, most preferred first.
    pub cipher_suites: Vec<u32>,
    pub prefers_own_ciphers: bool,
    pub alpn_protocols: Vec<Uint8Array>,
    pub session_timeout: f64,
    pub handshake_timeout: f64,
}

/// Certificates for a name, in which `*` stands for any characters but a dot.
#[napi(object)]
pub struct NativeTlsContext {
    pub pattern: Option<String>,
    pub identities: Vec<NativeIdentity>,
}

/// A certificate, those of its issuers, and its key as PKCS #8; all in DER.
#[napi(object)]
pub struct NativeIdentity {
    pub certificates: Vec<Uint8Array>,
    pub key: Uint8Array,
}

/// The authorities whose certificates are accepted, in DER.
#[napi(object)]
pub struct NativeClientCertificates {
    pub authorities: Vec<Uint8Array>,
    /// True if other clients are turned away.
    pub is_required: bool,
}

/// Settings of TLS sessions.
#[napi]
pub struct TlsSettings {
    settings: Arc<Settings>,
}

#[napi]
impl TlsSettings {
    /// Throws if there is a key or a certificate that rustls cannot use.
    #[napi(constructor, catch_unwind)]
    pub fn new(options: NativeTlsOptions) -> Result<Self> {
        match Settings::new(&tls_options(options)) {
            Ok(settings) => Ok(Self { settings: Arc::new(settings) }),
            Err(error) => Err(Error::from_reason(error.to_string())),
        }
    }
}

#[napi]
impl Workers {
    /// Gives a listener's connections TLS, or other settings of it. To be called before `flush()` the
    /// first time.
    #[napi(catch_unwind)]
    pub fn secure_listener(&self, id: u32, settings: &TlsSettings) {
        self.pool().secure_listener(id, Arc::clone(&settings.settings));
    }

    /// Goes on with a connection of `Stream`. Returns its id; `undefined` if it has been gone on with.
    #[napi(catch_unwind)]
    pub fn carry(&self, worker: u32, key: u32) -> Option<u32> {
        self.pool().carry(worker as usize, key)
    }

    /// Returns what TLS has negotiated with a client, as JSON; `undefined` without TLS.
    #[napi(catch_unwind)]
    pub fn tls_details(&self, id: u32) -> Option<String> {
        self.pool().tls_details(id).map(|details| details.to_json())
    }

    /// Returns the same for a handshake that has not been answered.
    #[napi(catch_unwind)]
    pub fn tls_details_of_handshake(&self, worker: u32, key: u32) -> Option<String> {
        self.pool().tls_details_of_handshake(worker as usize, key).map(|details| details.to_json())
    }
}

fn tls_options(options: NativeTlsOptions) -> TlsOptions {
    let milliseconds = |time: f64| Duration::from_millis(time as u64);
    TlsOptions {
        contexts: options.contexts.into_iter().map(context).collect(),
        client_certificates: options.client_certificates.map(|given| ClientCertificateOptions {
            authorities: bytes(given.authorities),
            is_required: given.is_required,
        }),
        min_version: options.min_version as u16,
        max_version: options.max_version as u16,
        cipher_suites: options.cipher_suites.into_iter().map(|id| id as u16).collect(),
        prefers_own_ciphers: options.prefers_own_ciphers,
        alpn_protocols: bytes(options.alpn_protocols),
        session_timeout: milliseconds(options.session_timeout),
        handshake_timeout: milliseconds(options.handshake_timeout),
    }
}

fn context(context: NativeTlsContext) -> TlsContext {
    let identity = |it: NativeIdentity| Identity {
        certificates: bytes(it.certificates),
        key: it.key.to_vec(),
    };
    TlsContext {
        pattern: context.pattern,
        identities: context.identities.into_iter().map(identity).collect(),
    }
}

fn bytes(arrays: Vec<Uint8Array>) -> Vec<Vec<u8>> {
    arrays.iter().map(|array| array.to_vec()).collect()
}
