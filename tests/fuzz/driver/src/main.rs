//! libFuzzer's entry point: hands each input to the target that the variable `FUZZ_TARGET` names, and without one lists the
//! targets. Checks nothing itself.

#![no_main]
#![allow(
    clippy::disallowed_methods,
    reason = "arguments are libFuzzer's, so the target comes in the environment"
)]

use std::{process, sync::OnceLock};

use libfuzzer_sys::fuzz_target;
use shelfcast_fuzz::{TARGETS, Target};

static TARGET: OnceLock<&Target> = OnceLock::new();

fuzz_target!(
    init: {
        let Ok(name) = std::env::var("FUZZ_TARGET") else {
            for Target { name, runs, bytes_max, .. } in TARGETS {
                println!("{name} {runs} {bytes_max}");
            }
            process::exit(0);
        };
        let target = Target::named(&name).expect("FUZZ_TARGET names a target");
        TARGET.set(target).expect("libFuzzer begins once");
    },
    |input: &[u8]| (TARGET.get().expect("it has begun").run)(input)
);
