//! JavaScript strings by raw Node-API calls: one copy in, one copy out, lone surrogates kept. The
//! string types of napi-rs go through UTF-8, or allocate and clear a buffer for each string.
//!
//! Measured on Node 20 with 64 Ki characters. In: as UTF-16 3.3 to 4.5 µs whatever V8 stores, as
//! UTF-8 16 µs (ASCII) to 170 µs (two-byte). Out: as Latin-1 6 µs, as UTF-16 19 µs where V8 narrows
//! it.

use std::cell::Cell;
use std::ptr;

use crate::proto::json_string::Text;
use napi::bindgen_prelude::{FromNapiValue, ToNapiValue, TypeName, ValidateNapiValue};
use napi::{Error, Result, Status, ValueType, check_status, sys};

/// The largest buffer that is kept for reuse, in code units: 1 MiB.
const RETAINED_UNITS: usize = 1 << 19;

thread_local! {
    /// The buffer of the last [`StringArgument`], for reuse by the next.
    static SPARE: Cell<Vec<u16>> = const { Cell::new(Vec::new()) };
}

/// A string argument. Its buffer is reused by the next call.
pub struct StringArgument(Vec<u16>);

impl StringArgument {
    /// Returns the code units of the string.
    pub fn units(&self) -> &[u16] {
        &self.0
    }
}

impl Drop for StringArgument {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        if buffer.capacity() <= RETAINED_UNITS {
            SPARE.set(buffer);
        }
    }
}

impl TypeName for StringArgument {
    fn type_name() -> &'static str {
        "string"
    }

    fn value_type() -> ValueType {
        ValueType::String
    }
}

impl ValidateNapiValue for StringArgument {}

impl FromNapiValue for StringArgument {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        let mut length = 0;
        // SAFETY: the caller passes a live environment and value; a null buffer
        // asks for the length only.
        let status = unsafe {
            sys::napi_get_value_string_utf16(env, value, ptr::null_mut(), 0, &mut length)
        };
        check_status!(status)?;
        let mut buffer = SPARE.take();
        buffer.clear();
        // One more for the terminating zero that Node-API writes.
        buffer.reserve(length + 1);
        let mut written = 0;
        // SAFETY: `length + 1` units are reserved, and Node-API writes at most as many.
        let status = unsafe {
            sys::napi_get_value_string_utf16(
                env,
                value,
                buffer.as_mut_ptr(),
                length + 1,
                &mut written,
            )
        };
        check_status!(status)?;
        // SAFETY: Node-API initialised `written` units, and `written <= length`.
        unsafe { buffer.set_len(written) };
        Ok(Self(buffer))
    }
}

/// A string result.
pub struct StringResult(pub Text);

impl TypeName for StringResult {
    fn type_name() -> &'static str {
        "string"
    }

    fn value_type() -> ValueType {
        ValueType::String
    }
}

impl ToNapiValue for StringResult {
    unsafe fn to_napi_value(env: sys::napi_env, value: Self) -> Result<sys::napi_value> {
        let mut result = ptr::null_mut();
        let status = match &value.0 {
            // SAFETY: the caller passes a live environment; the pointer and the
            // length are those of one live vector.
            Text::Latin1(units) => unsafe {
                sys::napi_create_string_latin1(
                    env,
                    units.as_ptr().cast(),
                    length(units)?,
                    &mut result,
                )
            },
            // SAFETY: as above.
            Text::Utf16(units) => unsafe {
                sys::napi_create_string_utf16(env, units.as_ptr(), length(units)?, &mut result)
            },
        };
        check_status!(status, "the string exceeds V8's limit")?;
        Ok(result)
    }
}

fn length<T>(units: &[T]) -> Result<isize> {
    isize::try_from(units.len()).map_err(|_| Error::new(Status::InvalidArg, "string too long"))
}
