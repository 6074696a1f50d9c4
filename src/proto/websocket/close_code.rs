//! RFC 6455 §7.4, "Status Codes".

use std::fmt;

/// A status code that a close frame may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1002: the peer violated the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1007: the payload is not what its opcode says, as in text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: the peer violated a policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: the message is too big.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);

    /// Returns the status code `code`, or `None` if a close frame must not carry it.
    ///
    /// As in ws: the codes of RFC 6455 §7.4.1, those that IANA has registered since
    /// (1012 to 1014), and the ranges for libraries and applications (3000 to 4999).
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            // RFC 6455 §7.4.1: 1004 is reserved; 1005, 1006 and 1015 are never sent.
            1000..=1003 | 1007..=1014 => Some(Self(code)),
            // RFC 6455 §7.4.2: libraries register 3000-3999, 4000-4999 are private.
            3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// Returns the number on the wire.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::CloseCode;

    #[test]
    fn every_number_is_judged_as_by_ws() {
        for code in 0..=u16::MAX {
            let by_ws = (1000..=1014).contains(&code) && ![1004, 1005, 1006].contains(&code)
                || (3000..=4999).contains(&code);
            assert_eq!(CloseCode::new(code).map(CloseCode::value), by_ws.then_some(code));
        }
    }
}
