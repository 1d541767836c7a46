//! docs/logs.md lists the fields of log lines, as the code writes them. What a running gateway writes is compared with it by
//! tests/e2e/logs.test.js.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The first column of the table.
fn documented() -> BTreeSet<String> {
    let text = read("docs/logs.md");
    text.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name.to_owned()))
        .collect()
}

fn sources(folder: PathBuf) -> Vec<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| match path.extension() {
            _ if path.is_dir() && !path.ends_with("tests") => sources(path),
            Some(rs) if rs == "rs" && !path.ends_with("tests.rs") => {
                vec![read(&path).split("#[cfg(test)]").next().unwrap().to_owned()]
            }
            _ => Vec::new(),
        })
        .collect()
}

/// The fields of one call, given what stands behind its opening bracket: all before the text of the message.
fn fields(call: &str) -> Vec<String> {
    let (mut depth, mut field, mut found) = (0, String::new(), Vec::new());
    for c in call.chars() {
        match c {
            // A message, unless it is the value of a field.
            '"' if depth == 0 && !field.contains('=') => break,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(std::mem::take(&mut field));
                continue;
            }
            _ => {}
        }
        field.push(c);
    }
    let name =
        |field: String| field.split('=').next().unwrap().trim().trim_start_matches(['%', '?']).to_owned();
    found.into_iter().map(name).collect()
}

#[test]
fn fields_are_seen() {
    let call = r#" %error, task = a::b(c, "d"), state = ?next, version = "1", "{text}", last = 1)"#;
    assert_eq!(fields(call), ["error", "task", "state", "version"]);
    assert_eq!(fields(r#""only words")"#), [""; 0]);
}

#[test]
fn every_field_is_documented_and_every_documented_field_written() {
    let mut written: BTreeSet<String> =
        ["timestamp", "level", "target", "message", "request_id", "trace_id"].map(str::to_owned).into();
    for source in sources(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        for level in ["error", "warn", "info", "debug", "trace"] {
            written.extend(source.split(&format!("tracing::{level}!(")).skip(1).flat_map(fields));
        }
    }
    assert!(written.len() > 30, "{written:?}");
    assert_eq!(written, documented());
}
