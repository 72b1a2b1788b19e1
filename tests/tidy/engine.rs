//! The structure of `src/engine`: a coordinator, and parts that own their state.
//!
//! ```text
//!   mod.rs, commands.rs, signal.rs ─► route.rs ─► parts: session, transport, data, audio/…      calls go one way
//! ```
//!
//! The code is read as text: a method of a type belongs to the file of its `impl`. A call `self.name(…)` goes to the type of
//! the `impl` around it, a call `self.part.name(…)` to the type of that field. Calls on other values are not followed.
//! `cargo test --test tidy engine -- --nocapture` prints the counts.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Source, holds_word, sources, word_at};
use crate::{LINES_MAX, report};

/// The files of the coordinator that may hold `impl Engine`.
const COORDINATOR: &[&str] =
    &["src/engine/mod.rs", "src/engine/commands.rs", "src/engine/signal.rs", "src/engine/route.rs"];

/// The type of each part, and where its code is. Parts do not know each other.
const PARTS: &[(&str, &str)] = &[
    ("Session", "src/engine/session/"),
    ("Transports", "src/engine/transport/"),
    ("LocalTracks", "src/engine/audio/local/"),
    ("Hearing", "src/engine/audio/hearing/"),
    ("Admission", "src/engine/audio/admission.rs"),
    ("Prompts", "src/engine/audio/prompts.rs"),
    ("OwnProfile", "src/engine/data/profile.rs"),
    ("Data", "src/engine/data/"),
];

/// Fields of one type. More: the type has several nouns.
const FIELDS_MAX: usize = 15;

#[test]
fn engine_is_implemented_by_its_coordinator_only() {
    let faults: Vec<String> = code()
        .iter()
        .filter(|source| !COORDINATOR.contains(&source.path.as_str()))
        .flat_map(|source| source.lines().map(move |line| (source, line)))
        .filter(|(_, (_, line))| line.starts_with("impl") && holds_word(line, "Engine"))
        .map(|(source, (line, _))| {
            format!("{}:{line}: `impl Engine` belongs to one of {COORDINATOR:?}", source.path)
        })
        .collect();
    report(&faults);
}

#[test]
fn engine_has_no_type_with_too_many_fields() {
    let types = types(&code());
    assert!(types.contains_key("Engine"), "src/engine was read");
    println!("Engine has {} fields", types["Engine"].fields.len());
    let large = types.iter().filter(|(_, record)| record.fields.len() > FIELDS_MAX);
    let faults: Vec<String> = large
        .map(|(name, record)| {
            format!("{}: {name} has {} fields, more than {FIELDS_MAX}", record.path, record.fields.len())
        })
        .collect();
    report(&faults);
}

#[test]
fn engine_parts_have_private_fields() {
    let types = types(&code());
    let mut owned = BTreeSet::new();
    let mut ahead: Vec<&str> = PARTS.iter().map(|(name, _)| *name).chain(["Outbox"]).collect();
    let mut faults = Vec::new();
    while let Some(name) = ahead.pop() {
        let Some(record) = types.get(name).filter(|_| owned.insert(name)) else { continue };
        // A record of plain numbers, which its owner keeps private.
        if record.path == "src/engine/counters.rs" {
            continue;
        }
        for field in &record.fields {
            if field.is_public {
                faults.push(format!("{}: the field {name}.{} must be private", record.path, field.name));
            }
            ahead.extend(
                words(&field.kind).filter_map(|word| types.get_key_value(word)).map(|(name, _)| &**name),
            );
        }
    }
    assert!(owned.len() > 20, "the parts were followed");
    report(&faults);
}

#[test]
fn engine_parts_do_not_know_each_other() {
    let mut faults = Vec::new();
    for source in code() {
        // The first that fits: the profile lies in the folder of the data.
        let part = PARTS.iter().find(|(_, place)| source.path.starts_with(place));
        let Some((part, _)) = part else { continue };
        for (line, code) in source.lines() {
            // `rtc` has events named `Data`: that part is recognised by its path.
            let named = |name: &&str| {
                if *name == "Data" { holds_word(code, "data::Data") } else { holds_word(code, name) }
            };
            let others = PARTS.iter().map(|(name, _)| *name).filter(|name| name != part).chain(["Engine"]);
            for other in others.filter(named) {
                faults.push(format!(
                    "{}:{line}: {part} may not know {other}: return an output, and let route.rs carry it out",
                    source.path
                ));
            }
        }
    }
    report(&faults);
}

#[test]
fn engine_has_no_cycle_of_calls() {
    let files = code();
    let calls = calls(&files);
    let reaches_itself = |path: &str| {
        let (mut seen, mut ahead) = (BTreeSet::new(), vec![path]);
        while let Some(from) = ahead.pop() {
            for ((_, to), _) in calls.iter().filter(|((source, _), _)| source == from) {
                if seen.insert(to.as_str()) {
                    ahead.push(to);
                }
            }
        }
        seen.contains(path)
    };
    let cycle: Vec<&str> =
        files.iter().map(|source| source.path.as_str()).filter(|path| reaches_itself(path)).collect();
    let total: usize = calls.values().sum();
    println!("{} files, {total} calls between them, {} files in a cycle", files.len(), cycle.len());
    assert!(total > 300, "calls were found");
    let faults: Vec<String> = cycle
        .iter()
        .map(|path| format!("{path} is in a cycle of calls: return an output instead of a call back"))
        .collect();
    report(&faults);
}

struct Record {
    path: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    kind: String,
    is_public: bool,
}

fn code() -> Vec<Source> {
    let files: Vec<Source> =
        sources().into_iter().filter(|source| source.path.starts_with("src/engine/")).collect();
    assert!(files.len() > 20 && LINES_MAX > 0, "src/engine was read");
    files
}

/// The structs of `files`, by name.
fn types(files: &[Source]) -> BTreeMap<String, Record> {
    let mut types = BTreeMap::new();
    for source in files {
        let mut open: Option<(String, Vec<Field>)> = None;
        for (_, line) in source.lines() {
            if let Some(at) = line.find("struct ").filter(|at| *at == 0 || line.starts_with("pub")) {
                let name = word_at(line, at + "struct ".len()).to_owned();
                open = line.trim_end().ends_with('{').then_some((name, Vec::new()));
            } else if line.starts_with('}') {
                if let Some((name, fields)) = open.take() {
                    types.insert(name, Record { path: source.path.clone(), fields });
                }
            } else if let Some((_, fields)) = &mut open
                && let Some((name, kind)) = line.trim_end().trim_end_matches(',').split_once(": ")
                && line.starts_with("    ")
                && !line.starts_with("     ")
            {
                let name = name.trim();
                let is_public = name.starts_with("pub ") || name.starts_with("pub(");
                let name = name.rsplit(' ').next().unwrap_or(name).to_owned();
                fields.push(Field { name, kind: kind.to_owned(), is_public });
            }
        }
    }
    types
}

/// Calls between files: from which to which, and how many.
fn calls(files: &[Source]) -> BTreeMap<(String, String), usize> {
    let types = types(files);
    let mut owners: BTreeMap<(String, String), &str> = BTreeMap::new();
    for source in files {
        for (kind, line) in in_impls(source) {
            let declared = line.trim_start();
            if let Some(at) =
                declared.find("fn ").filter(|_| line.starts_with("    ") && !line.starts_with("     "))
            {
                let method = word_at(declared, at + "fn ".len()).to_owned();
                owners.entry((kind, method)).or_insert(&source.path);
            }
        }
    }
    let mut calls = BTreeMap::new();
    for source in files {
        for (kind, line) in in_impls(source) {
            for (at, word) in line.match_indices("self.") {
                if line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                let mut receiver = Some(kind.as_str());
                let mut rest = &line[at + word.len()..];
                let method = loop {
                    let name = word_at(rest, 0);
                    let behind = &rest[name.len()..];
                    if behind.starts_with('(') {
                        break Some(name);
                    }
                    let Some(next) = behind.strip_prefix('.') else { break None };
                    let field = receiver
                        .and_then(|kind| types.get(kind))
                        .and_then(|record| record.fields.iter().find(|field| field.name == name));
                    receiver = field.and_then(|field| words(&field.kind).find(|word| !is_wrapper(word)));
                    rest = next;
                };
                if let (Some(kind), Some(method)) = (receiver, method)
                    && let Some(owner) = owners.get(&(kind.to_owned(), method.to_owned()))
                    && *owner != source.path
                {
                    *calls.entry((source.path.clone(), (*owner).to_owned())).or_default() += 1;
                }
            }
        }
    }
    calls
}

/// The lines inside of `impl` blocks, each with the type of its block.
fn in_impls(source: &Source) -> impl Iterator<Item = (String, &str)> {
    let mut kind = None;
    source.lines().filter_map(move |(_, line)| {
        if line.starts_with("impl") {
            let subject = line.rsplit_once(" for ").map_or(line, |(_, subject)| subject);
            kind = words(subject)
                .find(|word| *word != "impl" && word.starts_with(char::is_uppercase))
                .map(str::to_owned);
        } else if line.starts_with('}') {
            kind = None;
        }
        kind.clone().map(|kind| (kind, line))
    })
}

fn is_wrapper(word: &str) -> bool {
    matches!(word, "Option" | "Box" | "Vec" | "heapless" | "std")
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}
