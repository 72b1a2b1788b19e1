//! Files: the configuration, board files, sound files.

use kinglet::config::Config;
use kinglet::config::board::Board;
use kinglet::config::{Problem, Severity};
use kinglet::io::sound::microphone::Microphone;
use kinglet::io::sound::setup::SoundSetup;
use kinglet::io::sound::spec::InputSpec;
use kinglet::io::sound::status::Captured;
use kinglet::media::block::Block;

use crate::parsers::now;

/// Blocks that are read of a sound file: five seconds.
const BLOCKS_MAX: usize = 500;

/// The configuration of a box. It is usable, or a problem says why not; problems are printable and name their line.
pub fn configuration(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (config, problems) = Config::read(&text);
    check(config.is_some(), &problems, &text);
}

/// A board file.
pub fn board(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (board, problems) = Board::read(&text);
    check(board.is_some(), &problems, &text);
}

fn check(is_usable: bool, problems: &[Problem], text: &str) {
    let is_wrong = problems.iter().any(|problem| problem.severity == Severity::Wrong);
    assert_eq!(is_usable, !is_wrong, "usable, or a reason why not: {problems:?}");
    for problem in problems {
        let line = problem.to_string();
        assert!(line.len() < 4 * text.len() + 1000, "{} bytes for a file of {}", line.len(), text.len());
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

/// A WAV file as an input, once or in a loop.
pub fn wav(bytes: &[u8]) {
    let file = std::env::temp_dir().join(format!("kinglet-fuzz-{}.wav", std::process::id()));
    std::fs::write(&file, bytes).expect("a file");
    let spec = InputSpec::Wav(file.clone());
    let loops = bytes.first().is_some_and(|first| first & 1 == 1);
    if let Ok(mut microphone) = Microphone::open(&spec, loops, &SoundSetup::default()) {
        let mut at = now();
        microphone.start(at);
        let mut block = Block::SILENCE;
        for _ in 0..BLOCKS_MAX {
            at += std::time::Duration::from_millis(10);
            match microphone.read(&mut block, at) {
                Captured::End => break,
                // Noise at full scale overshoots in the rate converter.
                _ => assert!(block.0.iter().all(|sample| sample.abs() < 4.0), "samples are numbers"),
            }
        }
    }
    let _ = std::fs::remove_file(file);
}
