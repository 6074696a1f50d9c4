//! Tickets by which clients resume sessions.

use std::sync::Arc;
use std::time::Duration;

use rustls::Error;
use rustls::crypto::ring::Ticketer;
use rustls::pki_types::UnixTime;
use rustls::server::ProducesTickets;

/// rustls's tickets, whose keys change every six hours, with a lifetime of our own: Node.js's
/// `sessionTimeout`.
#[derive(Debug)]
pub(super) struct Tickets {
    inner: Arc<dyn ProducesTickets>,
    /// In seconds.
    lifetime: u32,
}

impl Tickets {
    pub(super) fn new(lifetime: Duration) -> Result<Self, Error> {
        let lifetime = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
        let inner = Ticketer::new()?;
        Ok(Self { lifetime: lifetime.min(inner.lifetime()), inner })
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        self.inner.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.lifetime
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let now = UnixTime::now().as_secs().to_be_bytes();
        self.inner.encrypt(&[&now, plain].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let dated = self.inner.decrypt(cipher)?;
        let (date, plain) = dated.split_first_chunk()?;
        let age = UnixTime::now().as_secs().checked_sub(u64::from_be_bytes(*date))?;
        (age <= u64::from(self.lifetime)).then(|| plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::server::ProducesTickets;

    use super::Tickets;

    #[test]
    fn a_ticket_yields_what_is_in_it_within_its_lifetime() {
        let tickets = Tickets::new(Duration::from_secs(300)).unwrap();
        assert_eq!(tickets.lifetime(), 300);
        let ticket = tickets.encrypt(b"session").unwrap();
        assert_eq!(tickets.decrypt(&ticket).unwrap(), b"session");
        assert_eq!(Tickets::new(Duration::from_secs(300)).unwrap().decrypt(&ticket), None);
        let mut forged = ticket;
        forged[30] ^= 1;
        assert_eq!(tickets.decrypt(&forged), None);
    }

    #[test]
    fn a_ticket_that_is_too_old_yields_nothing() {
        let tickets = Tickets::new(Duration::from_secs(300)).unwrap();
        let old = [&1_u64.to_be_bytes(), &b"session"[..]].concat();
        let ticket = tickets.inner.encrypt(&old).unwrap();
        assert_eq!(tickets.decrypt(&ticket), None);
    }
}
