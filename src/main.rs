//! The scimgate command.

use std::process::ExitCode;

/// Decoding, mapping and printing make many small values: a third of the time went into the C library's allocator.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    scimgate::cli::run()
}
