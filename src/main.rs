//! The binary: everything is in the library's [`cli`](shelfcast::cli).

use std::process::ExitCode;

fn main() -> ExitCode {
    shelfcast::cli::main(std::env::args_os())
}
