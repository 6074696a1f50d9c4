//! Threads that the workers of all engines of one application thread share.

use std::cell::RefCell;
use std::io;
use std::rc::{Rc, Weak};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, LocalRuntime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::scheduling::yield_to_wakers;

/// Spawns the tasks of a worker, on its thread.
type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    /// Those of this application thread, by their numbers.
    static THREADS: RefCell<Vec<Weak<IoThread>>> = const { RefCell::new(Vec::new()) };
}

/// A thread with a current-thread runtime. It ends when the last pool drops it.
pub(super) struct IoThread {
    jobs: Option<UnboundedSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl IoThread {
    /// Returns the thread of this number, started where no pool holds it. Test runners load the
    /// package, and with it a pool, again for each file.
    ///
    /// # Errors
    ///
    /// Those of the operating system, if threads or descriptors have run out.
    pub(super) fn shared(number: usize) -> io::Result<Rc<Self>> {
        THREADS.with_borrow_mut(|threads| {
            if let Some(thread) = threads.get(number).and_then(Weak::upgrade) {
                return Ok(thread);
            }
            let thread = Rc::new(Self::start()?);
            if threads.len() <= number {
                threads.resize(number + 1, Weak::new());
            }
            if let Some(entry) = threads.get_mut(number) {
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
        // The thread says whether it has its runtime, or has died without a word.
        started.recv().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Has the thread call `job`, which may spawn tasks there.
    pub(super) fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        if let Some(jobs) = &self.jobs {
            // Without a receiver it has died, and what `job` holds is dropped.
            let _ = jobs.send(Box::new(job));
        }
    }
}

impl Drop for IoThread {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It never waits for this thread; if it panicked, it is over as well.
            let _ = thread.join();
        }
    }
}

fn runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_io().enable_time().build_local(Default::default())
}

/// The life of a thread. `ready` hears whether it begins; if not, for want of descriptors.
fn run(mut jobs: UnboundedReceiver<Job>, ready: &SyncSender<io::Result<()>>) {
    yield_to_wakers();
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
