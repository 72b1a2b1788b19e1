//! Replay of the corpora: every file as it is, and damaged copies of it.
//!
//! `KINGLET_FUZZ_ROUNDS` sets the number of damaged copies.

use std::path::PathBuf;

use crate::TARGETS;

/// Damaged copies for each target, unless the environment says otherwise.
const ROUNDS: usize = 300;

/// The same for the engine, whose inputs are whole sessions of tens of milliseconds.
const ENGINE_ROUNDS: usize = 60;

#[test]
fn every_target_survives_its_corpus() {
    let given = std::env::var("KINGLET_FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    for &(target, body) in TARGETS {
        let rounds = given.unwrap_or(if target == "engine" { ENGINE_ROUNDS } else { ROUNDS });
        let files = corpus(target);
        assert!(!files.is_empty(), "no corpus for {target}");
        let mut random = fastrand::Rng::with_seed(0x667a);
        for (name, bytes) in &files {
            let survived = std::panic::catch_unwind(|| body(bytes)).is_ok();
            assert!(survived, "{target}: {name}");
        }
        for round in 0..rounds {
            let (name, bytes) = &files[round % files.len()];
            let other = &files[random.usize(..files.len())].1;
            let damaged = damage(bytes, other, &mut random);
            let survived = std::panic::catch_unwind(|| body(&damaged)).is_ok();
            assert!(survived, "{target}: {name}, round {round}: {}", damaged.escape_ascii());
        }
        println!("{target}: {} files, {rounds} damaged copies", files.len());
    }
}

#[test]
fn every_folder_has_its_target() {
    for folder in std::fs::read_dir(root()).expect("the corpus") {
        let name = folder.expect("a folder").file_name().into_string().expect("a name");
        assert!(TARGETS.iter().any(|(target, _)| *target == name), "no target reads corpus/{name}");
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")
}

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let Ok(folder) = std::fs::read_dir(root().join(target)) else { return Vec::new() };
    let mut files: Vec<(String, Vec<u8>)> = folder
        .map(|entry| {
            let path = entry.expect("an entry").path();
            (path.display().to_string(), std::fs::read(path).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

/// Cut, flipped, doubled or mixed with another one.
fn damage(bytes: &[u8], other: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=damaged.len());
        match random.u8(..5) {
            0 => damaged.truncate(at),
            1 if at < damaged.len() => damaged[at] = random.u8(..),
            2 if at < damaged.len() => damaged[at] ^= 1 << random.u8(..8),
            3 => {
                let end = (at + random.usize(..64)).min(damaged.len());
                let piece = damaged[at..end].to_vec();
                damaged.splice(at..at, piece);
            }
            _ => {
                let from = random.usize(..=other.len());
                damaged.truncate(at);
                damaged.extend_from_slice(&other[from..]);
            }
        }
    }
    damaged
}
