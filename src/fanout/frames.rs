//! Frames on their way to connections, some of which compress messages.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::proto::websocket::Compression;

/// Whole frames that several connections share, with each of their compressed forms.
///
/// A form is made when the first recipient needs it, on the thread that asks for it; other threads
/// wait for it.
#[derive(Debug)]
pub struct SharedFrames {
    plain: Bytes,
    compressed: OnceLock<Box<CompressedForm>>,
}

/// A form for recipients with these parameters, and the forms for others.
#[derive(Debug)]
struct CompressedForm {
    compression: Compression,
    frames: Bytes,
    next: OnceLock<Box<Self>>,
}

impl SharedFrames {
    /// Creates frames that are not compressed yet.
    #[must_use]
    pub const fn new(plain: Bytes) -> Self {
        Self { plain, compressed: OnceLock::new() }
    }

    /// Returns the frames without compression.
    #[must_use]
    pub const fn plain(&self) -> &Bytes {
        &self.plain
    }

    /// Returns the frames for a peer that takes compressed messages with these parameters; `None` for
    /// one that does not.
    #[must_use]
    pub fn for_peer(&self, compression: Option<&Compression>) -> &Bytes {
        let Some(compression) = compression else { return &self.plain };
        let mut next = &self.compressed;
        loop {
            let form =
                next.get_or_init(|| Box::new(CompressedForm::new(*compression, &self.plain)));
            if form.compression == *compression {
                return &form.frames;
            }
            next = &form.next;
        }
    }
}

impl CompressedForm {
    fn new(compression: Compression, plain: &Bytes) -> Self {
        let frames = compression.compress(plain).unwrap_or_else(|| plain.clone());
        Self { compression, frames, next: OnceLock::new() }
    }
}

/// Whole frames on their way to one connection.
#[derive(Clone, Debug)]
pub enum Frames {
    /// To be sent as they are.
    Plain(Bytes),
    /// To be compressed, if the peer takes compressed messages.
    Compressible(Bytes),
    /// As [`Compressible`](Self::Compressible), but other connections get them, too.
    Shared(Arc<SharedFrames>),
}

impl Frames {
    /// Returns the frames without compression.
    #[must_use]
    pub fn plain(&self) -> &Bytes {
        match self {
            Self::Plain(bytes) | Self::Compressible(bytes) => bytes,
            Self::Shared(shared) => shared.plain(),
        }
    }

    /// Returns the frames for a peer; see [`SharedFrames::for_peer`].
    #[must_use]
    pub fn for_peer(self, compression: Option<&Compression>) -> Bytes {
        match (self, compression) {
            (Self::Compressible(bytes), Some(compression)) => {
                compression.compress(&bytes).unwrap_or(bytes)
            }
            (Self::Plain(bytes) | Self::Compressible(bytes), _) => bytes,
            (Self::Shared(shared), compression) => shared.for_peer(compression).clone(),
        }
    }
}

impl From<Bytes> for Frames {
    /// Creates frames to be sent as they are.
    fn from(bytes: Bytes) -> Self {
        Self::Plain(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;
    use std::thread;

    use super::*;
    use crate::proto::websocket::{Opcode, encode_frame};

    const DEFAULT: Compression = Compression::DEFAULT;
    const NARROW: Compression = Compression { window_bits: 9, ..DEFAULT };

    fn text() -> Bytes {
        encode_frame(true, Opcode::Text, &b"0123456789".repeat(300), None)
    }

    #[test]
    fn each_form_is_made_once_for_all_threads() {
        let shared = SharedFrames::new(text());
        let addresses = |shared: &SharedFrames| {
            [None, Some(&DEFAULT), Some(&NARROW)]
                .map(|compression| ptr::from_ref(shared.for_peer(compression)).addr())
        };
        let first = addresses(&shared);
        assert!(first.iter().all(|address| first.iter().filter(|a| *a == address).count() == 1));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(addresses(&shared), first));
            }
        });
    }

    #[test]
    fn frames_are_compressed_for_those_that_take_it_only() {
        let len = |frames: Frames, compression| frames.for_peer(compression).len();
        let plain = text().len();
        for compressible in
            [Frames::Compressible(text()), Frames::Shared(SharedFrames::new(text()).into())]
        {
            assert_eq!(compressible.plain().len(), plain);
            assert_eq!(len(compressible.clone(), None), plain);
            assert!(len(compressible, Some(&DEFAULT)) < plain / 10);
        }
        assert_eq!(len(text().into(), Some(&DEFAULT)), plain);
    }

    #[test]
    fn what_cannot_be_compressed_is_shared_as_it_is() {
        let short = encode_frame(true, Opcode::Text, b"short", None);
        let shared = SharedFrames::new(short.clone());
        assert_eq!(shared.for_peer(Some(&DEFAULT)).as_ptr(), short.as_ptr());
    }
}
