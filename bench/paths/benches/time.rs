//! `cargo bench --features time`: has criterion take the time of each path.

// The macros write items that nobody sees, and cannot document them.
#![allow(missing_docs)]

use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use socket_io_turbo_paths::{Measured, all_paths};

/// A run has an input of its own. So many are prepared at a time, which together fit
/// into the caches for all but the largest.
const BATCH: BatchSize = BatchSize::NumIterations(64);

macro_rules! time_each {
    ($($path:ident,)*) => {
        fn paths(criterion: &mut Criterion) {
            $(time(criterion, stringify!($path), socket_io_turbo_paths::$path);)*
        }
    };
}

all_paths!(time_each);

fn time(criterion: &mut Criterion, name: &str, prepare: fn() -> Measured) {
    criterion.bench_function(name, |bencher| {
        bencher.iter_batched_ref(prepare, Measured::run, BATCH);
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1));
    targets = paths
}
criterion_main!(benches);
