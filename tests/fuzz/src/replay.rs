//! Running kept inputs, without a fuzzer and on the stable toolchain.

use std::{
    cell::{Cell, RefCell},
    panic,
    path::{Path, PathBuf},
    sync::Once,
};

use crate::Target;

thread_local! {
    /// The input that runs, for whoever reads about a panic.
    static INPUT: RefCell<String> = const { RefCell::new(String::new()) };
    /// Panics so far. The gateway's tasks run on the thread of the target, and their runtime swallows theirs.
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// The folders with a target's kept inputs: those written by hand, and those the fuzzer found.
pub fn folders(target: &Target) -> [PathBuf; 2] {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["seeds", "corpus"].map(|folder| here.join(folder).join(target.name))
}

/// Runs one input, called `name` where it fails. Panics if something that must hold does not, or a task panicked.
pub fn replay(target: &Target, name: &str, input: &[u8]) {
    static WATCH: Once = Once::new();
    WATCH.call_once(watch_panics);
    INPUT.set(name.to_owned());
    let before = PANICS.get();
    (target.run)(input);
    assert_eq!(PANICS.get(), before, "a task of the gateway panicked");
    INPUT.take();
}

#[expect(clippy::print_stderr, reason = "beside the words of the panic itself")]
fn watch_panics() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.set(PANICS.get() + 1);
        INPUT.with_borrow(|name| eprintln!("with the input {name}:"));
        tell(info);
    }));
}
