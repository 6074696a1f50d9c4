//! Counts by callgrind what each path executes. `npm run bench -- paths` runs it, since it
//! needs valgrind and the runner.

// The macros write items that nobody sees, and cannot document them.
#![allow(missing_docs)]

use gungraun::{
    Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use socket_io_turbo_paths::{Measured, all_paths};

macro_rules! count_each {
    ($($path:ident,)*) => {
        #[library_benchmark]
        $(#[bench::$path(socket_io_turbo_paths::$path())])*
        fn path(mut path: Measured) -> Measured {
            path.run();
            path
        }
    };
}

all_paths!(count_each);

library_benchmark_group!(name = paths, benchmarks = path);

main!(
    // Without ERMS, for callgrind counts each byte that `rep movsb` moves as an instruction.
    config = LibraryBenchmarkConfig::default()
        .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS")
        .tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = paths
);
