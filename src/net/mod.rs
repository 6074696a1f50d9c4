//! I/O workers: tasks on threads of their own that own connections, read and write them.
//!
//! A [`WorkerPool`] belongs to one thread, which is called the *application* here, and owns its
//! workers. Each worker is a task on a thread with a current-thread tokio runtime, which workers
//! of other pools of the same application share. Each connection is another task on that thread,
//! and no other thread ever touches its state. The threads share counters, and two queues for
//! each worker:
//!
//! - **Commands**, in batches: all commands of one turn of the application are sent to a worker
//!   at once, and wake it once if it sleeps. The worker executes the whole batch, then flushes
//!   each connection concerned once. A broadcast is one command for each worker, which keeps the
//!   rooms of its connections.
//! - **Events**, in batches: all events of one pass over the readable sockets. The application is
//!   notified once, and not again until it has taken the events.
//!
//! Both queues are bounded. The application blocks while a worker lags ([`MAX_LAG`],
//! [`MAX_LAG_BYTES`]), and a peer that does not read its frames is cut off (`max_backpressure`). A
//! worker stops reading while the application has not taken events of more than
//! [`MAX_HELD_BYTES`], so that TCP slows the peers down.

mod broadcaster;
mod clock;
mod command;
mod connection;
mod connection_options;
mod connection_task;
mod deadlines;
mod event;
mod heartbeat;
mod histogram;
mod lag;
mod listener;
mod liveness;
mod mailbox;
mod pace;
mod polling;
mod rate_limiter;
mod scheduling;
mod stats;
mod stream;
mod threads;
mod tls;
mod traffic;
mod worker;
mod worker_pool;

pub use broadcaster::{Broadcaster, OutgoingBroadcast, WorkerSet};
pub use command::{SocketOption, Volatile};
pub use connection_options::{ConnectionOptions, RateLimit, RateLimitAction, SessionOptions};
pub use event::{ConnectionId, EndReason, Event, Failure, PollingState, UpgradeStep};
pub use heartbeat::{HeartbeatEvent, HeartbeatStart};
pub use histogram::{HISTOGRAM_BOUNDS, HistogramView};
pub use lag::{MAX_LAG, MAX_LAG_BYTES};
pub use listener::{Handshake, HandshakeKey, HandshakeTransport, ListenerOptions};
pub use listener::{PassedDescriptor, PassedStream};
#[cfg(feature = "cluster")]
pub(crate) use pace::{Pace, Tempo};
pub use polling::{PollingError, PollingOptions};
pub use stats::WorkerStats;
pub use tls::{
    ClientCertificateOptions, Identity, TlsContext, TlsDetails, TlsOptions, TlsSettings,
};
pub use traffic::TrafficView;
pub use worker::MAX_HELD_BYTES;
pub use worker_pool::WorkerPool;
