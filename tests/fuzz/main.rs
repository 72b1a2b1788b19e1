//! Every parser of bytes that others send, fed with its corpus and with damaged copies of it.
//!
//! ```text
//!  corpus/<target>/*  ─► as it is ─► body ─► no panic, and what is said to be bounded is bounded
//!                     └► damaged: cut, flipped, doubled, mixed with a second file
//! ```
//!
//! A target is a name, a folder of the corpus and a body of a few lines; to add one, add a line to [`TARGETS`] and a file to
//! its folder. Files that once broke something stay there. The bodies take plain bytes, so a coverage-guided fuzzer can
//! call them too. `KINGLET_FUZZ_ROUNDS` lets it run for longer than a test may.

mod bodies;

use std::path::PathBuf;

/// Damaged copies of each file, unless the environment says otherwise.
const ROUNDS: usize = 300;

/// What takes the bytes of a target.
type Body = fn(&[u8]);

/// What is fed with which folder.
const TARGETS: &[(&str, Body)] = &[
    ("signal_response", bodies::signal_response),
    ("subscriber_offer", bodies::subscriber_offer),
    ("publisher_answer", bodies::publisher_answer),
    ("candidate", bodies::candidate),
    ("datagram", bodies::datagram),
    ("framing", bodies::framing),
    ("data_packet", bodies::data_packet),
    ("binding", bodies::binding),
    ("turn", bodies::turn),
    ("refusal", bodies::refusal),
    ("regions", bodies::regions),
    ("token", bodies::token),
    ("token_answer", bodies::token_answer),
    ("endpoint_url", bodies::endpoint_url),
    ("ice_url", bodies::ice_url),
    ("server_url", bodies::server_url),
    ("command_line", bodies::command_line),
];

#[test]
fn every_target_survives_its_corpus() {
    let rounds = std::env::var("KINGLET_FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let rounds = rounds.unwrap_or(ROUNDS);
    for &(target, body) in TARGETS {
        let files = corpus(target);
        assert!(!files.is_empty(), "no corpus for {target}");
        let mut random = fastrand::Rng::with_seed(0x667a);
        for (_, bytes) in &files {
            body(bytes);
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
        assert!(TARGETS.iter().any(|(target, _)| *target == name), "nobody reads corpus/{name}");
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
