//! The command line and its documentation.

use shelfcast::config::{SETTINGS, Setting};

/// `--help` is the reference: a change of it is a change of the contract.
#[test]
fn help_is_as_documented() {
    let mut command = shelfcast::cli::command();
    insta::assert_snapshot!(command.render_help());
    for name in ["check", "notify", "watch", "trace", "healthcheck", "sign", "verify", "fake"] {
        let sub = command.find_subcommand_mut(name).unwrap();
        assert!(sub.render_help().to_string().contains("Example"), "{name} shows no example");
    }
}

#[test]
fn the_command_line_is_sound() {
    shelfcast::cli::command().debug_assert();
}

fn row(setting: &Setting) -> String {
    let default = match setting.default {
        "" => "unset".to_owned(),
        default => format!("`{default}`"),
    };
    let alias = setting.alias.map(|alias| format!(" (also read from `{alias}`)")).unwrap_or_default();
    let secret = if setting.secret { "; also `NAME_FILE`" } else { "" };
    format!("| `{}` | {default} | {}{alias}{secret} |", setting.name, setting.help)
}

/// Goal: the README never lags behind the code. Method: its table is made again from the list of settings.
#[test]
fn the_table_of_settings_in_the_readme_is_the_list_in_the_code() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("<!-- settings: begin -->\n").expect("the table is marked");
    let (table, _) = rest.split_once("<!-- settings: end -->").expect("the table is marked");
    let rows: Vec<_> = table.lines().filter(|l| l.starts_with("| `")).collect();
    let expected: Vec<_> = SETTINGS.iter().map(row).collect();
    assert_eq!(rows, expected, "the table should be:\n{}", expected.join("\n"));
}
