//! Threads that the workers of all pools of one application share.

use std::cell::RefCell;
use std::io;
use std::rc::{Rc, Weak};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, LocalRuntime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::scheduling::use_batch_scheduling;

/// A function that runs on an I/O thread and spawns the tasks of a worker there.
type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    /// The I/O threads of this application thread, by index.
    static THREADS: RefCell<Vec<Weak<IoThread>>> = const { RefCell::new(Vec::new()) };
}

/// A thread with a current-thread runtime. Pools hold a thread by reference. The thread ends, and is
/// joined, when the last pool drops it.
pub(super) struct IoThread {
    jobs: Option<UnboundedSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl IoThread {
    /// Returns the thread of this index; starts it unless a pool holds it. Several pools share a thread
    /// where a test runner loads the package again for each file.
    ///
    /// # Errors
    ///
    /// The error of the operating system, if threads or descriptors have run out.
    pub(super) fn shared(index: usize) -> io::Result<Rc<Self>> {
        THREADS.with_borrow_mut(|threads| {
            if let Some(thread) = threads.get(index).and_then(Weak::upgrade) {
                return Ok(thread);
            }
            let thread = Rc::new(Self::start()?);
            if threads.len() <= index {
                threads.resize(index + 1, Weak::new());
            }
            if let Some(entry) = threads.get_mut(index) {
                *entry = Rc::downgrade(&thread);
            }
            Ok(thread)
        })
    }

    fn start() -> io::Result<Self> {
        let (jobs, receiver) = unbounded_channel();
        let (ready, started) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("socket.io-turbo".into())
            .spawn(move || run(receiver, &ready))?;
        // The thread reports whether it has its runtime; it has panicked if it reports nothing.
        started.recv().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `job` on the thread, where it may spawn tasks.
    pub(super) fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        if let Some(jobs) = &self.jobs {
            // Fails if the thread has panicked; `job` and its captures are dropped then.
            let _ = jobs.send(Box::new(job));
        }
    }
}

impl Drop for IoThread {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It never waits for this thread. If it has panicked, it has ended as well.
            let _ = thread.join();
        }
    }
}

fn runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_io().enable_time().build_local(Default::default())
}

/// Runs jobs until the sender is dropped. Reports to `ready` whether the runtime could be built,
/// which takes descriptors.
fn run(mut jobs: UnboundedReceiver<Job>, ready: &SyncSender<io::Result<()>>) {
    use_batch_scheduling();
    match runtime() {
        Ok(runtime) => {
            let _ = ready.send(Ok(()));
            runtime.block_on(async move {
                while let Some(job) = jobs.recv().await {
                    job();
                }
            });
        }
        Err(error) => drop(ready.send(Err(error))),
    }
}
