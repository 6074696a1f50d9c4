//! How threads wake JavaScript.

use std::sync::Arc;

use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Result, Status, check_status, sys};

/// A function of JavaScript's that any thread calls. It does not keep the process alive, unless
/// [`keep_alive`](Self::keep_alive) says so.
#[derive(Clone)]
pub struct Wake(Arc<ThreadsafeFunction<(), (), (), Status, false, true>>);

impl Wake {
    pub fn new(function: &Function<'_, (), ()>) -> Result<Self> {
        let function = function.build_threadsafe_function::<()>().weak::<true>().build()?;
        Ok(Self(Arc::new(function)))
    }

    /// Has JavaScript call it soon. Fails only when the environment ends, and then who calls does,
    /// too.
    pub fn call(&self) {
        self.0.call((), ThreadsafeFunctionCallMode::NonBlocking);
    }

    /// Whether it keeps the process alive. To be called on the environment's thread.
    pub fn keep_alive(&self, env: Env, is_alive: bool) -> Result<()> {
        // SAFETY: the environment is live on its thread, and the function until `self` is dropped.
        check_status!(unsafe {
            if is_alive {
                sys::napi_ref_threadsafe_function(env.raw(), self.0.raw())
            } else {
                sys::napi_unref_threadsafe_function(env.raw(), self.0.raw())
            }
        })
    }
}
