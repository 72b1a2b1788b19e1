//! The rules of the repository as tests. Each failure names the place and what to write instead.
//!
//! The source is read as text: comments and literals are blanked first, so that only code counts, and
//! so is test code (`#[cfg(test)]` items, and the files below a `#[cfg(test)] mod name;`), which
//! may reach across rings and read the clock. What a compiler or clippy checks better is left to them.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "reads the files of the repository")]

#[path = "tidy/engine.rs"]
mod engine;
#[path = "tidy/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use source::{Source, blank, files, holds_word, read, root, sources, word_at};

/// Who may import whom: a module of `src`, and the others that it may name. The drawing is in lib.rs.
const LAYERS: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("error", &[]),
    ("command", &["limits", "event"]),
    ("event", &["limits", "command"]),
    ("time", &["limits"]),
    ("signal", &["limits", "time", "event", "error", "room", "local", "rtc"]),
    ("room", &["limits", "time", "event", "error", "signal", "local", "rtc"]),
    ("local", &["limits", "time", "command", "event", "error", "signal", "room", "rtc"]),
    ("rtc", &["limits", "time", "event", "error", "signal", "room", "local"]),
    ("session", &["limits", "time", "event", "error", "signal", "room", "local", "rtc"]),
    ("data", &["limits", "time", "event", "signal"]),
    ("media", &["limits", "time", "command", "event"]),
    ("device", &["limits", "command", "event", "local"]),
    ("config", &["limits", "command", "event", "signal", "media", "device"]),
    (
        "engine",
        &[
            "limits", "time", "command", "event", "error", "signal", "room", "local", "rtc", "session",
            "data", "media",
        ],
    ),
    (
        "io",
        &[
            "limits", "time", "command", "event", "error", "signal", "local", "rtc", "session", "data",
            "media", "engine", "config",
        ],
    ),
    (
        "appliance",
        &[
            "limits", "command", "event", "error", "signal", "local", "session", "media", "engine", "io",
            "config", "device",
        ],
    ),
    // The command: it sees the library as any other program does, as `kinglet::…`.
    ("cli", &[]),
    ("main", &[]),
];

/// What only some places may name, and what the others do instead.
const CONFINED: &[(&str, &[&str], &str)] = &[
    (
        "Instant::now",
        &["src/io/runtime/clock.rs"],
        "take `now` as an argument; the io ring calls io::clock::now",
    ),
    ("SystemTime::now", &["src/io/runtime/clock.rs"], "io::clock::unix_time_s, in the io ring or the binary"),
    ("thread::spawn", &[], "a task of the executor; io::blocking::unblock, where it can only block"),
    ("thread::Builder", &["src/io/runtime/blocking.rs"], "a task of the executor"),
    ("thread::sleep", &[], "a deadline: nothing may hold up the sound"),
    ("unsafe", &["src/io/"], "a safe call, or a function of the io ring that says why it is sound"),
    ("str0m::", &["src/rtc/"], "a plain type of rtc"),
    ("opus::", &["src/media/"], "media::send::encode, media::receive::decode"),
    ("prost::", &["src/signal/", "src/data/"], "a bounded type of signal or data"),
    ("toml::", &["src/config/section.rs", "src/config/value.rs"], "config::section"),
    ("alsa::", &["src/io/sound/"], "io::sound"),
    ("gpiocdev::", &["src/io/host/gpio.rs"], "io::gpio"),
    ("evdev::", &["src/io/host/keys.rs"], "io::keys"),
    ("polling::", &["src/io/runtime/reactor.rs"], "io::reactor"),
    ("libc::", &["src/io/"], "rustix, or a function of the io ring"),
    ("UdpSocket", &["src/io/"], "engine::turn::Ports"),
    ("TcpStream", &["src/io/"], "engine::turn::Ports"),
    (
        "std::fs",
        &["src/io/", "src/appliance/control.rs", "src/appliance/setup.rs"],
        "bytes as an argument; the io ring reads files",
    ),
    (
        "std::process::Command",
        &[
            "src/io/token/credentials.rs",
            "src/io/token/token_command.rs",
            "src/io/host/program.rs",
            "src/io/host/signals.rs",
        ],
        "nothing: the program starts no others",
    ),
    ("std::env::", &["src/cli/"], "an argument; only the command line reads the environment"),
    ("println!", &["src/cli/"], "an Event"),
    ("eprintln!", &["src/cli/"], "an Event::Warning"),
    ("crate::{", &[], "one `use crate::module::…` for each module, so that this test sees them"),
    ("super::super::", &[], "`crate::module::…`"),
];

/// What nobody may write, tests included, and what to write instead.
const BANNED: &[(&str, &str)] = &[
    ("todo!", "the code, or leave the function out and say so in README.md, \"Limits\""),
    ("unimplemented!", "the code, or leave the function out"),
    ("dbg!", "an Event::Warning or a counter"),
    ("#[ignore", "a test that runs with the others; slow ones belong to tests/live, cards to on_board.rs"),
];

/// Tests for kernel sound cards, which the rig's board has and a build machine has not: the rig runs them by
/// `--ignored`.
const ON_THE_BOARD: &str = "src/io/sound/tests/on_board.rs";

/// What no file may hold even in comments.
const BANNED_WORDS: &[(&str, &str)] =
    &[("FIXME", "the repair, or an issue"), ("XXX", "the repair, or an issue")];

/// Lines of one file of `src`, its tests included. Longer: look for the second noun.
const LINES_MAX: usize = 400;

/// The top level, besides dotfiles.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "boards",
    "cross",
    "proto",
    "src",
    "tests",
];

/// Files that people and machines start.
const COMMANDS: &[&str] = &["tests/demo", "tests/all", ".ci/run"];

#[test]
fn every_module_imports_only_what_its_ring_may() {
    let names: Vec<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| source.path != "src/lib.rs") {
        let Some((_, may)) = LAYERS.iter().find(|(name, _)| *name == source.module()) else {
            faults.push(format!("{}: a new module: give it a place in LAYERS (tests/tidy.rs)", source.path));
            continue;
        };
        for (line, code) in source.lines() {
            // From the root of a module, `super` is the crate.
            let paths = code
                .match_indices("crate::")
                .chain(code.match_indices("super::").filter(|_| source.is_root_of_module()));
            for (at, word) in paths {
                let other = word_at(code, at + word.len());
                if names.contains(&other) && other != source.module() && !may.contains(&other) {
                    faults.push(format!(
                        "{}:{line}: `{}` may not know `{other}`: pass it a plain type, or move the code to \
                         whoever may know both (LAYERS in tests/tidy.rs)",
                        source.path,
                        source.module()
                    ));
                }
            }
        }
    }
    report(&faults);
}

#[test]
fn what_is_confined_stays_in_its_place() {
    let mut faults = Vec::new();
    for source in sources() {
        for (line, code) in source.lines() {
            for (word, places, instead) in CONFINED {
                let is_allowed = places.iter().any(|place| source.path.starts_with(place));
                // lib.rs speaks of `unsafe_code`, which is another word.
                if !is_allowed && holds_word(code, word) {
                    faults.push(format!("{}:{line}: not `{word}` here, but {instead}", source.path));
                }
            }
        }
    }
    report(&faults);
}

/// Blocks of `unsafe` in the program, all in the io ring. A new one needs a reason why no safe function does it.
const UNSAFE_BLOCKS: usize = 19;

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut faults = Vec::new();
    let blocks = |source: &Source| source.lines().filter(|(_, code)| holds_word(code, "unsafe {")).count();
    let count: usize = sources().iter().map(blocks).sum();
    if count != UNSAFE_BLOCKS {
        faults.push(format!(
            "{count} blocks of `unsafe`, and not {UNSAFE_BLOCKS} (UNSAFE_BLOCKS in tests/tidy.rs)"
        ));
    }
    for source in sources() {
        let text: Vec<&str> = source.text.lines().collect();
        for (line, _) in source.lines().filter(|(_, code)| holds_word(code, "unsafe {")) {
            let before = &text[line.saturating_sub(4)..line];
            if !before.iter().any(|line| line.trim_start().starts_with("// SAFETY:")) {
                faults.push(format!("{}:{line}: say why it is sound: `// SAFETY: …` above", source.path));
            }
        }
    }
    report(&faults);
}

#[test]
fn no_file_is_longer_than_one_idea_and_each_opens_with_it() {
    let mut faults = Vec::new();
    for path in files().iter().filter(|path| path.ends_with(".rs")) {
        let text = read(path);
        if !text.starts_with("//!") {
            faults.push(format!("{path}: open with the model in prose: `//! …`"));
        }
        let lines = text.lines().count();
        if path.starts_with("src/") && lines > LINES_MAX {
            faults.push(format!(
                "{path}: {lines} lines, more than {LINES_MAX}: move the second noun to its own file"
            ));
        }
    }
    report(&faults);
}

#[test]
fn nothing_is_left_for_later() {
    let mut faults = Vec::new();
    for path in files().iter().filter(|path| path.ends_with(".rs") && !path.starts_with("tests/tidy")) {
        let text = read(path);
        for (number, code) in blank(&text, false).lines().enumerate() {
            let on_the_board = |word: &str| word == "#[ignore" && path == ON_THE_BOARD;
            for (word, instead) in
                BANNED.iter().filter(|(word, _)| holds_word(code, word) && !on_the_board(word))
            {
                faults.push(format!("{path}:{}: not `{word}`, but {instead}", number + 1));
            }
        }
        for (number, line) in text.lines().enumerate() {
            for (word, instead) in BANNED_WORDS.iter().filter(|(word, _)| holds_word(line, word)) {
                faults.push(format!("{path}:{}: not {word}, but {instead}", number + 1));
            }
        }
    }
    report(&faults);
}

#[test]
fn every_capacity_is_derived_and_used() {
    let code = sources();
    let mut faults = Vec::new();
    let mut constants = 0;
    for path in files().iter().filter(|path| path.starts_with("src/limits/")) {
        let text = read(path);
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let Some(name) = line.strip_prefix("pub const ").map(|rest| word_at(rest, 0)) else { continue };
            constants += 1;
            if !lines[index - 1].starts_with("///") {
                faults
                    .push(format!("{path}:{}: {name}: say where the number comes from: `/// …`", index + 1));
            }
            let is_used = |(_, code): (usize, &str)| {
                let is_relation =
                    code.starts_with("const _") || code.starts_with(&format!("pub const {name}"));
                !is_relation && holds_word(code, name)
            };
            if !code.iter().any(|source| source.lines().any(is_used)) {
                faults.push(format!("{path}:{}: {name} bounds nothing: use it or remove it", index + 1));
            }
        }
    }
    assert!(constants > 50, "limits were read");
    report(&faults);
}

#[test]
fn the_top_level_holds_only_what_is_agreed() {
    let top: BTreeSet<String> =
        files().iter().filter_map(|path| path.split('/').next()).map(str::to_owned).collect();
    let surplus = top.iter().filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(&name.as_str()));
    let faults: Vec<String> = surplus
        .map(|name| format!("{name}: not at the top level; tools go to cross/, helpers to tests/"))
        .collect();
    report(&faults);
    assert_eq!(
        read("proto/VERSION").lines().count(),
        1,
        "proto/VERSION names one upstream version, in one line"
    );
}

#[test]
fn what_is_started_can_be_started() {
    let mut faults = Vec::new();
    for path in files() {
        let Ok(bytes) = std::fs::read(root().join(&path)) else { continue };
        let is_script = bytes.starts_with(b"#!") && !bytes.starts_with(b"#![");
        let mode = std::fs::metadata(root().join(&path)).map_or(0, |found| found.permissions().mode());
        if COMMANDS.contains(&path.as_str()) && !is_script {
            faults.push(format!("{path}: begin with `#!/bin/sh` or the like"));
        }
        if is_script != (mode & 0o111 != 0) {
            faults.push(format!(
                "{path}: `#!` and the executable bit go together (chmod {}x)",
                if is_script { '+' } else { '-' }
            ));
        }
    }
    report(&faults);
}

#[test]
fn the_readme_names_only_what_there_is() {
    let readme = read("README.md");
    let help = read("src/cli/help.rs");
    let mut faults = Vec::new();
    for (number, line) in readme.lines().enumerate() {
        let mut fault = |text: String| faults.push(format!("README.md:{}: {text}", number + 1));
        for path in paths_in(line) {
            if !root().join(&path).exists() {
                fault(format!("there is no {path}"));
            }
        }
        let is_ours = !line.starts_with("cargo ") && (line.contains("kinglet ") || line.starts_with("| `--"));
        for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
            if is_ours && word.starts_with("--") && !help.contains(word) {
                fault(format!("kinglet has no option {word}"));
            }
        }
    }
    let example = |text: &str, opens: &str, prefix: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix(prefix))
            .map(|line| line.trim_start_matches(' '));
        let block =
            lines.skip_while(|line| *line != opens).skip(1).take_while(|line| !line.starts_with("```"));
        block.filter(|line| !line.starts_with("# ")).map(str::to_owned).collect()
    };
    let compiled = example(&read("src/lib.rs"), "```no_run", "//!");
    if compiled.is_empty() || example(&readme, "```rust", "") != compiled {
        faults.push("README.md: the library example is not the one that src/lib.rs compiles".to_owned());
    }
    report(&faults);
}

/// Relative link targets, and words in backticks that look like files of ours.
fn paths_in(line: &str) -> Vec<String> {
    let links = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let quoted = line.split('`').skip(1).step_by(2).filter_map(|word| word.split_whitespace().next());
    let ours = ["src/", "tests/", "proto/", "boards/", "cross/", ".ci/", ".cargo/"];
    let quoted = quoted.filter(|word| ours.iter().any(|folder| word.starts_with(folder)));
    let links = links.filter(|link| !link.is_empty() && !link.contains("://"));
    links.chain(quoted).map(|path| path.trim_end_matches('/').to_owned()).collect()
}

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
