//! Payloads of messages between JavaScript and frames: one copy in; one copy out, or none for a
//! long binary message.

use std::cell::RefCell;
use std::ptr;

use bytes::{BufMut, Bytes, BytesMut};
use napi::bindgen_prelude::{BufferSlice, FromNapiValue, TypeName, ValidateNapiValue};
use napi::{Env, Error, JsValue, Result, Status, ValueType, check_status, sys};

use crate::fanout::PreparedPacket;
use crate::proto::engine_io::{PacketType, ProtocolVersion};
use crate::proto::websocket::{FrameHeader, Opcode, encode_frame};

/// The size of the scratch buffer. Strings that fit are converted without asking for their length
/// first.
const SCRATCH_BYTES: usize = 16 * 1024;

/// The length above which a binary message becomes a Buffer over its own memory instead of a copy.
/// Measured with Node 20: an external Buffer costs 1 µs more than a short copied one, and a copy of
/// 64 KiB costs 5 to 10 µs.
const MAX_COPIED_BYTES: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into());
}

/// A payload argument: a string, sent as UTF-8 with U+FFFD for lone surrogates, or a Uint8Array.
/// Valid only during the call to which it was passed.
pub struct PayloadArgument {
    env: sys::napi_env,
    value: sys::napi_value,
}

impl TypeName for PayloadArgument {
    fn type_name() -> &'static str {
        "string | Uint8Array"
    }

    fn value_type() -> ValueType {
        ValueType::Unknown
    }
}

impl ValidateNapiValue for PayloadArgument {}

impl FromNapiValue for PayloadArgument {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        Ok(Self { env, value })
    }
}

impl PayloadArgument {
    /// Encodes a server's frame with this payload.
    pub fn encode_frame(&self, opcode: Opcode, is_fin: bool) -> Result<Bytes> {
        if self.is_string()? {
            self.encode_string(opcode, is_fin, b"")
        } else {
            Ok(encode_frame(is_fin, opcode, self.bytes()?, None))
        }
    }

    /// Encodes a server's frame with a message packet of Engine.IO; a text frame if this is a
    /// string.
    pub fn encode_packet(&self, version: ProtocolVersion) -> Result<Bytes> {
        if self.is_string()? {
            self.encode_string(Opcode::Text, true, &[PacketType::Message.digit()])
        } else {
            let packet = PreparedPacket::new(Bytes::new(), &[self.bytes()?], true);
            Ok(packet.frames(version, None).clone())
        }
    }

    /// Encodes a packet of this payload, text or binary, and its attachments. `has_v3` is true if
    /// some recipients speak Engine.IO v3.
    pub fn prepare_packet(&self, attachments: &[Self], has_v3: bool) -> Result<PreparedPacket> {
        let attachments = attachments.iter().map(Self::bytes).collect::<Result<Vec<_>>>()?;
        if self.is_string()? {
            let text_frame = self.encode_packet(ProtocolVersion::V4)?;
            return Ok(PreparedPacket::new(text_frame, &attachments, has_v3));
        }
        let all = [&[self.bytes()?], attachments.as_slice()].concat();
        Ok(PreparedPacket::new(Bytes::new(), &all, has_v3))
    }

    /// Returns the bytes of a Uint8Array.
    pub fn bytes(&self) -> Result<&[u8]> {
        let (mut data, mut length) = (ptr::null_mut(), 0);
        // SAFETY: environment and value are live within the call that they came with.
        let status =
            unsafe { sys::napi_get_buffer_info(self.env, self.value, &mut data, &mut length) };
        check_status!(status, "expected a string or a Uint8Array")?;
        if length == 0 {
            return Ok(&[]);
        }
        // SAFETY: `data` has `length` bytes, which stay in place while JavaScript does not run.
        Ok(unsafe { std::slice::from_raw_parts(data.cast(), length) })
    }

    fn is_string(&self) -> Result<bool> {
        let mut value_type = sys::ValueType::napi_undefined;
        // SAFETY: environment and value are live within the call that they came with.
        check_status!(unsafe { sys::napi_typeof(self.env, self.value, &mut value_type) })?;
        Ok(value_type == sys::ValueType::napi_string)
    }

    /// Encodes a frame whose payload is `prefix` and this string.
    fn encode_string(&self, opcode: Opcode, is_fin: bool, prefix: &[u8]) -> Result<Bytes> {
        SCRATCH.with_borrow_mut(|scratch| {
            let (front, room) = scratch.split_at_mut(prefix.len());
            front.copy_from_slice(prefix);
            let length = self.write_utf8(room.as_mut_ptr(), room.len())?;
            // A buffer that is almost full may lack a last character that did not fit.
            let is_whole = length + 4 < room.len();
            match scratch.get(..prefix.len() + length) {
                Some(payload) if is_whole => Ok(encode_frame(is_fin, opcode, payload, None)),
                _ => self.encode_long_string(opcode, is_fin, prefix),
            }
        })
    }

    fn encode_long_string(&self, opcode: Opcode, is_fin: bool, prefix: &[u8]) -> Result<Bytes> {
        let length = self.write_utf8(ptr::null_mut(), 0)?;
        let payload_len = (prefix.len() + length) as u64;
        let header = FrameHeader { is_fin, ..FrameHeader::whole(opcode, payload_len) }.encode();
        // One more for the terminating zero that Node-API writes.
        let mut frame = BytesMut::with_capacity(header.len() + prefix.len() + length + 1);
        frame.put_slice(&header);
        frame.put_slice(prefix);
        let room = frame.spare_capacity_mut();
        let written = self.write_utf8(room.as_mut_ptr().cast(), room.len())?;
        // SAFETY: Node-API has initialised `written` bytes after the header.
        unsafe { frame.advance_mut(written) };
        Ok(frame.freeze())
    }

    /// Writes at most `room - 1` bytes and a zero, and returns the number of bytes. With a null
    /// pointer it only counts them.
    fn write_utf8(&self, buffer: *mut u8, room: usize) -> Result<usize> {
        let mut length = 0;
        // SAFETY: the callers pass either null or a buffer of `room` bytes; environment
        // and value are live within the call that they came with.
        let status = unsafe {
            sys::napi_get_value_string_utf8(self.env, self.value, buffer.cast(), room, &mut length)
        };
        check_status!(status)?;
        Ok(length)
    }
}

/// Creates a string from valid UTF-8; `None` if it exceeds V8's maximum length.
pub fn string_value(env: &Env, text: &[u8]) -> Option<sys::napi_value> {
    let length = isize::try_from(text.len()).ok()?;
    let mut value = ptr::null_mut();
    // SAFETY: the environment is live, and the pointer has `length` bytes.
    let status = unsafe {
        if text.is_ascii() {
            sys::napi_create_string_latin1(env.raw(), text.as_ptr().cast(), length, &mut value)
        } else {
            sys::napi_create_string_utf8(env.raw(), text.as_ptr().cast(), length, &mut value)
        }
    };
    (status == sys::Status::napi_ok).then_some(value)
}

/// Creates a string that has a character for each byte.
pub fn latin1_value(env: &Env, bytes: &[u8]) -> Result<sys::napi_value> {
    let mut value = ptr::null_mut();
    // SAFETY: the environment is live, and the pointer has as many bytes as given.
    check_status!(unsafe {
        let length = bytes.len() as isize;
        sys::napi_create_string_latin1(env.raw(), bytes.as_ptr().cast(), length, &mut value)
    })?;
    Ok(value)
}

/// Creates a Buffer with these bytes.
pub fn buffer_value(env: &Env, bytes: Bytes) -> Result<sys::napi_value> {
    if bytes.len() <= MAX_COPIED_BYTES {
        return Ok(BufferSlice::copy_from(env, bytes)?.raw());
    }
    match bytes.try_into_mut() {
        Ok(unique) => external_buffer(env, unique),
        Err(shared) => Ok(BufferSlice::copy_from(env, shared)?.raw()),
    }
}

fn external_buffer(env: &Env, mut bytes: BytesMut) -> Result<sys::napi_value> {
    let (data, length) = (bytes.as_mut_ptr(), bytes.len());
    // SAFETY: the bytes live on the heap, do not move with their owner, and are not shared; the
    // finalizer drops the owner.
    let buffer =
        unsafe { BufferSlice::from_external(env, data, length, bytes, |_, bytes| drop(bytes)) }?;
    Ok(buffer.raw())
}

/// Returns the opcode of this number.
pub fn opcode(bits: u32) -> Result<Opcode> {
    u8::try_from(bits)
        .ok()
        .and_then(Opcode::from_bits)
        .ok_or_else(|| Error::new(Status::InvalidArg, format!("no such opcode: {bits}")))
}
