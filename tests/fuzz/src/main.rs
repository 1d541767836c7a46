//! `shelfcast-fuzz`: runs inputs without a fuzzer. What a target checks is in the library.

#![expect(clippy::print_stdout, reason = "the answer of a command")]

use std::{env, fs, process::ExitCode};

use shelfcast_fuzz::{TARGETS, Target, replay};

const USAGE: &str =
    "shelfcast-fuzz <target> <file>...   runs these inputs; the first that fails ends it with a panic";

fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).collect();
    let target = args.first().and_then(|name| Target::named(name));
    let (Some(target), [_, files @ ..]) = (target, args.as_slice()) else {
        let targets: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        println!("{USAGE}\ntargets: {}", targets.join(", "));
        return ExitCode::FAILURE;
    };
    for file in files {
        match fs::read(file) {
            Ok(input) => replay(target, file, &input),
            Err(error) => {
                println!("{file}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{}: nothing is wrong with {}", target.name, files.join(", "));
    ExitCode::SUCCESS
}
