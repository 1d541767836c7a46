//! The binary: everything is in the library's [`cli`](shelfcast::cli).

use std::process::ExitCode;

/// What many short connections leave free goes back to the system. With the C library's own allocator a pod stayed as
/// large as its worst minute for the rest of its life.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    shelfcast::cli::main(std::env::args_os())
}
