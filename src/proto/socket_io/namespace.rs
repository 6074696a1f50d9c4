//! Namespaces.

use std::fmt;

use bytestring::ByteString;

/// The name of a namespace: starts with `/` and holds no comma.
///
/// Cheap to clone; one that was decoded is a slice of its message and keeps that
/// message in memory. Compares and hashes as its `str`, so a map keyed by
/// `Namespace` is searched with a `&str`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Namespace(ByteString);

impl Namespace {
    /// Returns the main namespace, `/`.
    #[must_use]
    pub const fn main() -> Self {
        Self(ByteString::from_static("/"))
    }

    /// Returns the namespace `name`, or `None` if that does not start with `/` or holds a comma, which
    /// ends the namespace on the wire.
    #[must_use]
    pub fn new(name: impl Into<ByteString>) -> Option<Self> {
        let name = name.into();
        (name.starts_with('/') && !name.contains(',')).then_some(Self(name))
    }

    /// Returns whether this is `/`, which is left out on the wire.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.as_str() == "/"
    }

    /// Returns the name, with its leading `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::main()
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::Namespace;

    #[test]
    fn a_namespace_starts_with_a_slash_and_has_no_comma() {
        assert!(Namespace::new("/chat").is_some());
        assert!(Namespace::new("chat").is_none());
        assert!(Namespace::new("").is_none());
        assert!(Namespace::new("/a,b").is_none());
    }
}
