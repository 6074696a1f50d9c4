//! Calls of JavaScript from other threads.

use std::sync::Arc;

use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Result, Status, check_status, sys};

/// A JavaScript function that any thread can call. It keeps the process alive only after
/// [`keep_alive`](Self::keep_alive).
#[derive(Clone)]
pub struct Wake(Arc<ThreadsafeFunction<(), (), (), Status, false, true>>);

impl Wake {
    pub fn new(function: &Function<'_, (), ()>) -> Result<Self> {
        let function = function.build_threadsafe_function::<()>().weak::<true>().build()?;
        Ok(Self(Arc::new(function)))
    }

    /// Schedules a call on the environment's thread. Fails only if the environment is ending; the
    /// calling thread is then about to end as well.
    pub fn call(&self) {
        self.0.call((), ThreadsafeFunctionCallMode::NonBlocking);
    }

    /// Sets whether the function keeps the process alive. For the environment's thread only.
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
