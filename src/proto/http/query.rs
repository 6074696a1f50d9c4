//! Parameters of a request.

use std::borrow::Cow;

/// The parameters that Engine.IO's server looks at, parsed as the WHATWG's `URLSearchParams` does;
/// the last value of a name counts, as in engine.io.
///
/// ```
/// use socket_io_turbo::proto::http::Query;
///
/// let query = Query::parse("EIO=3&transport=poll%69ng&EIO=4");
/// assert_eq!(query.protocol.as_deref(), Some("4"));
/// assert_eq!(query.transport.as_deref(), Some("polling"));
/// assert_eq!(query.sid, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query<'a> {
    /// `EIO`: the version of the protocol.
    pub protocol: Option<Cow<'a, str>>,
    /// `transport`.
    pub transport: Option<Cow<'a, str>>,
    /// `sid`: the id of a session.
    pub sid: Option<Cow<'a, str>>,
    /// `j`: JSON with padding is wanted.
    pub callback: Option<Cow<'a, str>>,
    /// `b64`: the client takes no binary messages.
    pub base64: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    /// Parses the part of a target behind the `?`.
    #[must_use]
    pub fn parse(query: &'a str) -> Self {
        let mut parsed = Self::default();
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let field = match &*decode(name) {
                "EIO" => &mut parsed.protocol,
                "transport" => &mut parsed.transport,
                "sid" => &mut parsed.sid,
                "j" => &mut parsed.callback,
                "b64" => &mut parsed.base64,
                _ => continue,
            };
            *field = Some(decode(value));
        }
        parsed
    }
}

/// Decodes a name or value: `+` is a space, and bytes that are not UTF-8 become U+FFFD.
///
/// URL Standard, "application/x-www-form-urlencoded parsing".
fn decode(text: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'%', b'+', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, behind @ ..] = rest {
        rest = behind;
        decoded.push(match (byte, behind) {
            (b'+', _) => b' ',
            (b'%', [high, low, behind @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = behind;
                    high << 4 | low
                }
                _ => b'%',
            },
            _ => *byte,
        });
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Query;

    fn sid(query: &str) -> Option<String> {
        Query::parse(query).sid.map(Into::into)
    }

    #[test]
    fn all_parameters_are_found() {
        let query = Query::parse("t=abc&j=1&EIO=4&b64=&transport=websocket&sid=a-_B&x");
        assert_eq!(query.protocol.as_deref(), Some("4"));
        assert_eq!(query.transport.as_deref(), Some("websocket"));
        assert_eq!(query.sid.as_deref(), Some("a-_B"));
        assert_eq!(query.callback.as_deref(), Some("1"));
        assert_eq!(query.base64.as_deref(), Some(""));
        assert_eq!(Query::parse(""), Query::default());
    }

    #[test]
    fn values_are_decoded_as_urlsearchparams_does() {
        for (query, expected) in [
            ("sid", ""),
            ("sid=", ""),
            ("sid=1&sid=2", "2"),
            ("sid=1&sid", ""),
            ("&&sid=a=b&&", "a=b"),
            ("%73i%64=a", "a"),
            ("sid=a+b%20c%2Bd%2b", "a b c+d+"),
            ("sid=%", "%"),
            ("sid=%4", "%4"),
            ("sid=%zz%41", "%zzA"),
            ("sid=%+1", "% 1"),
            ("sid=%25%32%30", "%20"),
            ("sid=%C3%A9", "\u{e9}"),
            ("sid=%ff%41%e2%82", "\u{fffd}A\u{fffd}"),
        ] {
            assert_eq!(sid(query).as_deref(), Some(expected), "{query}");
        }
        for query in ["SID=a", "sid%3Da", "+sid=a", "?sid=a", "=sid"] {
            assert_eq!(sid(query), None, "{query}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(value in ".{0,20}", all in any::<bool>()) {
            let encoded: String = value.bytes().map(|byte| match byte {
                b' ' if !all => "+".to_owned(),
                byte if byte.is_ascii_alphanumeric() && !all => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            }).collect();
            let query = format!("sid=0&x={encoded}&sid={encoded}&{encoded}x=1");
            prop_assert_eq!(sid(&query), Some(value));
        }

        #[test]
        fn any_query_is_parsed(query in "[%+&=sidEIO0-9a-f\u{e9}]{0,30}") {
            let parsed = Query::parse(&query);
            // Without escapes, the last value is what stands there.
            if !query.contains(['%', '+']) {
                let expected = query.split('&').rev().find_map(|parameter| match parameter.split_once('=') {
                    Some(("sid", value)) => Some(value),
                    None if parameter == "sid" => Some(""),
                    _ => None,
                });
                prop_assert_eq!(parsed.sid.as_deref(), expected);
            }
        }
    }
}
