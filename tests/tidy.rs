//! Style as a test: the import rule, module docs, and no left-overs. It reads the source as text and runs nothing.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{fs, path::Path};

/// The modules in the order of the import rule; those in one group may not import each other.
/// A module imports only what stands before its group (see `src/lib.rs`).
const LAYERS: &[&[&str]] = &[
    &["model"],
    &["clock", "rate", "telemetry"],
    &["tasks"],
    &["redis", "web", "net"],
    &["eventlog"],
    &["ingest", "batch", "index"],
    &["fanout"],
    &["config"],
    &["app"],
    &["cli"],
];

/// Every Rust file below `folder`, with its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|group| group.contains(&module))
}

/// The names that follow `crate::`, also in nested imports: `use crate::{a::X, b::{Y, Z}}` names `a` and `b`.
fn imports(text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut names = Vec::new();
    for rest in code.split("crate::").skip(1) {
        if let Some(list) = rest.strip_prefix('{') {
            let (mut depth, mut at_start, mut name) = (0, true, String::new());
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => at_start = true,
                    c if depth == 0 && at_start && (c.is_alphanumeric() || c == '_') => name.push(c),
                    _ if !name.is_empty() => {
                        names.push(std::mem::take(&mut name));
                        at_start = false;
                    }
                    _ => {}
                }
            }
            names.extend((!name.is_empty()).then_some(name));
        } else {
            names.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    names
}

#[test]
fn imports_go_one_way() {
    let mut bad = Vec::new();
    for (file, text) in sources("src") {
        let module = file.trim_start_matches("src/").split(['/', '.']).next().unwrap().to_owned();
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let own = layer(&module).unwrap_or_else(|| panic!("{file}: {module} is not in the import rule"));
        for import in imports(&text).into_iter().filter(|i| *i != module) {
            if layer(&import).is_none_or(|theirs| theirs >= own) {
                bad.push(format!("{file} imports {import}"));
            }
        }
    }
    assert!(bad.is_empty(), "imports against the rule in src/lib.rs:\n{}", bad.join("\n"));
}

#[test]
fn nested_imports_are_seen() {
    let text = "use crate::{a::X, b::{Y, Z}, c};\nuse crate::d::E;\n// use crate::f;\n";
    assert_eq!(imports(text), ["a", "b", "c", "d"]);
}

#[test]
fn every_file_says_what_it_does() {
    let all = [sources("src"), sources("tests"), sources("benches")].concat();
    let silent: Vec<_> =
        all.iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(file, _)| file).collect();
    assert!(silent.is_empty(), "no module doc in {silent:?}");
}

#[test]
fn nothing_is_left_open() {
    // Spelt in two halves, so that this file is not found.
    let words =
        [["TO", "DO"], ["FIX", "ME"], ["X", "XX"], ["todo", "!("], ["unimplemented", "!("], ["#[ig", "nore"]];
    let all = [sources("src"), sources("tests"), sources("benches")].concat();
    for (file, text) in all {
        for word in words.map(|w| w.concat()) {
            assert!(!text.contains(&word), "{file} holds {word}");
        }
    }
}

/// S26: the gateway opens no connection that a request could name. Only the commands talk to a gateway, the one they are
/// given, and to Redis only its own kit.
#[test]
fn only_the_command_line_calls_out() {
    let calls =
        ["ureq", "reqwest", "hyper::client", "Stream::connect", "TcpSocket", "UdpSocket", "lookup_host"];
    // And spans go to the one address in the settings, with the same care. The tests of connections are clients, too.
    let may = |file: &str| {
        file.starts_with("src/cli/") || file.starts_with("src/net/tests/") || file == "src/telemetry/otlp.rs"
    };
    for (file, text) in sources("src").into_iter().filter(|(file, _)| !may(file)) {
        // The listener's socket is made there, and may do nothing but listen.
        let listens = file == "src/net/listener.rs" && !text.contains(".connect(");
        for call in calls.into_iter().filter(|call| !(listens && *call == "TcpSocket")) {
            assert!(!text.contains(call), "{file} holds {call}");
        }
        let redis = file.starts_with("src/redis/") || !text.contains("Config::from_url");
        assert!(redis, "{file} makes a connection to Redis of its own");
    }
    let agents: Vec<_> =
        sources("src").into_iter().filter(|(_, text)| text.contains("Agent::config_builder")).collect();
    assert!(
        agents.len() == 2 && agents.iter().all(|(_, text)| text.contains(".max_redirects(0)")),
        "two agents, no redirects"
    );
}

/// S28: what the compiler is told to refuse, and what it must not build.
#[test]
fn the_build_is_as_strict_as_it_was() {
    let manifest = |path: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        fs::read_to_string(path).unwrap()
    };
    let own = manifest("Cargo.toml");
    let section = |name: &str| {
        let (_, rest) = own.split_once(&format!("\n[{name}]\n")).unwrap_or_else(|| panic!("no [{name}]"));
        rest.split("\n[").next().unwrap().to_owned()
    };
    assert!(section("workspace.lints.rust").contains("unsafe_code = \"forbid\""));
    assert!(section("profile.release").contains("overflow-checks = true"));
    assert!(
        section("workspace.lints.clippy").contains("unwrap_used = \"warn\""),
        "`make check` denies warnings"
    );
    // A panic is caught where it happens: of a vital task it ends the process by way of a drain, else it ends a request.
    assert!(!own.contains("panic = "), "unwinding is part of the design");
    for path in ["Cargo.toml", "benches/load/Cargo.toml", "tests/proof/Cargo.toml"] {
        assert!(manifest(path).contains("[lints]\nworkspace = true"), "{path}");
    }
    // Parsers of older protocols and of MessagePack, where the known holes of the library were.
    let dependencies = section("dependencies");
    let socketio = dependencies.lines().find(|line| line.starts_with("socketioxide")).unwrap();
    assert!(["msgpack", "\"v4\"", "\"v3\""].iter().all(|feature| !socketio.contains(feature)), "{socketio}");
}
