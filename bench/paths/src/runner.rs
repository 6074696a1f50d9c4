//! The runner of gungraun, in the version that the benchmarks are compiled for.

use anyhow::Result;

fn main() -> Result<()> {
    gungraun_runner::runner::run::run()
}
