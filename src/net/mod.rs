//! I/O workers: threads that own connections, read and write them.
//!
//! An [`WorkerPool`] belongs to one application thread and owns its workers. Each worker is
//! a task on a thread with a current-thread tokio runtime, which it shares with workers of other
//! pools of the same application thread; a connection is another task there, and no
//! other thread ever touches its state. Between the threads there are two queues per
//! worker, and nothing else:
//!
//! - **commands**, in batches: what one turn of the application has queued goes to a
//!   worker in one piece, and wakes it once, if it sleeps. In the batch they are applied
//!   first; then each connection that they concern is flushed once. A broadcast is one
//!   command to each worker, which knows the rooms of its connections.
//! - **events**, in batches: what a worker has read in one go. The application is
//!   notified once and takes all that has come; until it does, it is not notified again.
//!
//! Both are bounded. An application that is too far ahead of a worker waits for it
//! ([`MAX_LAG`]), and a peer that does not take its frames is cut off (`max_backpressure`). Events carry what
//! peers send: a worker stops reading while more than [`MAX_HELD_BYTES`] of them wait
//! for the application, and TCP slows the peers down.

mod broadcaster;
mod command;
mod connection;
mod connection_options;
mod connection_task;
mod event;
mod lag;
mod mailbox;
mod pace;
mod scheduling;
mod stats;
mod threads;
mod traffic;
mod worker;
mod worker_pool;

pub use broadcaster::{Broadcaster, Outgoing, WorkerSet};
pub use command::{SocketOption, Volatile};
pub use connection_options::ConnectionOptions;
pub use event::{ConnectionId, EndReason, Event, Failure};
pub use lag::{MAX_LAG, MAX_LAG_BYTES};
#[cfg(feature = "cluster")]
pub(crate) use pace::{Pace, Tempo};
pub use stats::WorkerStats;
pub use traffic::TrafficView;
pub use worker::MAX_HELD_BYTES;
pub use worker_pool::WorkerPool;
