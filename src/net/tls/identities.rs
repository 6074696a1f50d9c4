//! The choice of a certificate by the server name that the client asks for.

use std::sync::Arc;

use rustls::Error;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{Identity, TlsContext};

/// Certificates by name.
#[derive(Debug)]
pub(super) struct Identities {
    contexts: Vec<Context>,
}

#[derive(Debug)]
struct Context {
    /// In lower case, as rustls gives names.
    pattern: Option<String>,
    keys: Vec<Arc<CertifiedKey>>,
}

impl Identities {
    pub(super) fn new(contexts: &[TlsContext], provider: &CryptoProvider) -> Result<Self, Error> {
        let read = |context: &TlsContext| {
            let keys = context.identities.iter().map(|identity| certified_key(identity, provider));
            let pattern = context.pattern.as_deref().map(str::to_ascii_lowercase);
            Ok(Context { pattern, keys: keys.collect::<Result<_, Error>>()? })
        };
        Ok(Self { contexts: contexts.iter().map(read).collect::<Result<_, Error>>()? })
    }

    fn context(&self, name: Option<&str>) -> Option<&Context> {
        let matches = |context: &&Context| match (&context.pattern, name) {
            (Some(pattern), Some(name)) => is_match(pattern.as_bytes(), name.as_bytes()),
            _ => false,
        };
        let by_name = self.contexts.iter().rev().find(matches);
        by_name.or_else(|| self.contexts.iter().find(|context| context.pattern.is_none()))
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let keys = &self.context(hello.server_name())?.keys;
        let is_supported =
            |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        // rustls answers with the right alert if there is none.
        keys.iter().find(is_supported).or_else(|| keys.first()).cloned()
    }
}

fn certified_key(
    identity: &Identity,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, Error> {
    let certificates = identity.certificates.iter().cloned().map(CertificateDer::from).collect();
    let key = PrivatePkcs8KeyDer::from(identity.key.clone());
    CertifiedKey::from_der(certificates, key.into(), provider).map(Arc::new)
}

/// Returns whether a pattern matches a name as in `addContext()` of Node.js: `*` stands for any
/// characters but a dot, also for none.
fn is_match(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern, mut rest) = (pattern, name);
    // Where to go on if the last `*` has to stand for one character more.
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern, rest) {
            ([], []) => return true,
            ([b'*', behind @ ..], _) => {
                star = Some((behind, rest));
                pattern = behind;
            }
            ([expected, behind @ ..], [found, left @ ..]) if expected == found => {
                (pattern, rest) = (behind, left);
            }
            _ => match star {
                Some((behind, [skipped, left @ ..])) if *skipped != b'.' => {
                    star = Some((behind, left));
                    (pattern, rest) = (behind, left);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_match;

    fn matches(pattern: &str, name: &str) -> bool {
        is_match(pattern.as_bytes(), name.as_bytes())
    }

    #[test]
    fn a_star_stands_for_anything_but_a_dot() {
        for (pattern, name) in [
            ("a.example", "a.example"),
            ("*.example", "a.example"),
            ("*.example", ".example"),
            ("*", "localhost"),
            ("*.*.example", "a.b.example"),
            ("a*c.example", "abcbc.example"),
            ("*a*", "banana"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("a.example", "a.exampl"),
            ("a.example", "b.a.example"),
            ("*.example", "a.b.example"),
            ("*.example", "a.example.org"),
            ("*", "a.example"),
            ("a*c.example", "ab.c.example"),
            ("*a*b", "a.b"),
            ("", "a"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
