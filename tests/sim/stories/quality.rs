//! What is left of a voice after codec, loss and time-scaling.
//!
//! With `KINGLET_QUALITY=FOLDER` the voice is `said.f32` in it (raw samples of 48 kHz), and what was heard of it is left
//! there as `clean.f32`, `lost10.f32`, …: `tests/bench/quality` has PESQ judge them.

use crate::acoustics::{Echo, Place, voice};
use crate::card::Sound;
use crate::client::Setup;
use crate::link::{Loss, Quality};
use crate::world::World;
use kinglet::media::block::{BLOCK_FRAMES, Block};
use kinglet::media::receive::pcm_queue::PcmQueue;
use kinglet::media::receive::time_scaler::{TempoChange, TimeScaler};
use kinglet::media::send::adapt::Redundancy;
use kinglet::media::send::audio_processor::{AudioProcessor, Duplex};
use std::path::PathBuf;

/// Until reports of the loss have changed what is sent: the clip is said again from here on.
const LEARN_MS: u64 = 15_000;

/// Where the clip is, and where to leave what was heard.
fn folder() -> Option<PathBuf> {
    std::env::var_os("KINGLET_QUALITY").map(PathBuf::from)
}

fn said() -> Vec<f32> {
    match folder() {
        Some(folder) => {
            let bytes = std::fs::read(folder.join("said.f32")).expect("the clip");
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        }
        None => (0..6 * 48_000).map(|frame| Sound::Glide.sample(frame)).collect(),
    }
}

fn leave(name: &str, samples: &[f32]) {
    if let Some(folder) = folder() {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        std::fs::write(folder.join(format!("{name}.f32")), bytes).expect("a place for what was heard");
    }
}

/// The clip as it is heard over these paths, with up to half a second in front of it.
fn heard(said: &[f32], up: Loss, down: Loss, redundancy: Redundancy) -> Vec<f32> {
    // Said twice: while the first is heard, both ends learn the paths.
    let pause = vec![0.0; LEARN_MS as usize * 48 - said.len().min(LEARN_MS as usize * 48)];
    let twice: Vec<f32> = [said, &pause, said].concat();
    let clip: &'static [f32] = Box::leak(twice.into_boxed_slice());
    let mut world = World::new();
    let path = |loss| Quality { loss, ..Quality::delay(20.0) };
    let hall = world.enter(Setup { down: path(down), ..Setup::listener("hall") });
    world.run_ms(500);
    world.enter(Setup { up: path(up), redundancy, ..Setup::talker("door", Sound::Clip(clip)) });
    let said_ms = said.len() as u64 / 48;
    world.run_ms(LEARN_MS.max(said_ms) + said_ms + 500);
    let played = world.lately(hall, said_ms + 500);
    played.iter().flat_map(|played| played.block.0).collect()
}

/// The greatest likeness of each half second of `said` to what was heard about then; the median.
fn likeness(said: &[f32], heard: &[f32]) -> f64 {
    let alike = |part: &[f32], from: usize| {
        let at = |lag: usize| {
            let (mut product, mut said_square, mut heard_square) = (0.0_f64, 1e-9_f64, 1e-9_f64);
            for (a, b) in part.iter().zip(&heard[lag..]).step_by(5) {
                product += f64::from(a * b);
                said_square += f64::from(a * a);
                heard_square += f64::from(b * b);
            }
            product / (said_square * heard_square).sqrt()
        };
        (from..(from + 36_000).min(heard.len().saturating_sub(part.len())))
            .step_by(6)
            .map(at)
            .fold(0.0, f64::max)
    };
    let mut parts: Vec<f64> =
        said.chunks_exact(24_000).enumerate().map(|(i, part)| alike(part, i * 24_000)).collect();
    parts.sort_by(f64::total_cmp);
    parts[parts.len() / 2]
}

#[test]
fn a_voice_survives_loss() {
    let said = said();
    let (none, random) = (Loss::Random(0.0), Loss::Random);
    for (name, up, down, redundancy, least) in [
        ("clean", none, none, Redundancy::Auto, 0.9),
        ("lost10-one-copy", none, random(0.1), Redundancy::Auto, 0.85),
        ("lost10-as-reported", random(0.1), none, Redundancy::Auto, 0.85),
        ("lost20-as-reported", random(0.2), none, Redundancy::Auto, 0.8),
        ("lost10-no-copy", none, random(0.1), Redundancy::Off, 0.5),
    ] {
        let heard = heard(&said, up, down, redundancy);
        leave(name, &heard);
        let alike = likeness(&said, &heard);
        println!("{name:<20} {alike:.3}");
        // Of a real voice much is noise, which no codec keeps: PESQ judges that.
        assert!(alike > least || folder().is_some(), "{name}: {alike}");
    }
}

/// How much longer the delay becomes and then shorter again, as where one network is left for another: 100 ms.
const MOVED_SAMPLES: i64 = 4800;

/// Time-scaling as it is used, where nothing else changes the delay: 100 ms more, and back again.
#[test]
fn a_voice_survives_a_delay_that_grows_and_shrinks() {
    let said = said();
    let mut grows = true;
    let (out, changes) = scaled(&said, |added_samples| {
        grows &= added_samples < MOVED_SAMPLES;
        match (grows, added_samples > 0) {
            (true, _) => Some(TempoChange::Longer),
            (false, true) => Some(TempoChange::Shorter),
            (false, false) => None,
        }
    });
    leave("moved", &out);
    // A period is 12.5 ms at most.
    assert!(!grows && changes >= 16, "{changes}");
    let alike = likeness(&said, &out);
    assert!(alike > 0.9 || folder().is_some(), "{alike}");
}

/// The tempo changes by 5 % all the time, a period more when it is ahead and a period less when it is behind: every change
/// is heard, and no word is more than a period from its place.
#[test]
fn a_voice_survives_time_scaling() {
    let said = said();
    let turn =
        |added_samples| Some(if added_samples > 0 { TempoChange::Shorter } else { TempoChange::Longer });
    let (out, changes) = scaled(&said, turn);
    leave("scaled", &out);
    let seconds = said.len() / 48_000;
    println!("{changes} changes in {seconds} s");
    let alike = likeness(&said, &out);
    assert!(changes > 3 * seconds, "{changes} changes in {seconds} s");
    assert!(alike > 0.9 || folder().is_some(), "{alike}");
}

/// The clip with each change that `wish` has for the samples that were added up to then, as soon as it can be made; and
/// the number of changes.
fn scaled(said: &[f32], mut wish: impl FnMut(i64) -> Option<TempoChange>) -> (Vec<f32>, usize) {
    let (mut stretch, mut pending) = (TimeScaler::new(), PcmQueue::new());
    let (mut out, mut added_samples, mut changes) = (Vec::new(), 0, 0);
    let mut blocks = said.chunks_exact(BLOCK_FRAMES);
    loop {
        while pending.len() < 1200 + BLOCK_FRAMES {
            let Some(block) = blocks.next() else { break };
            let copied = pending.fill(|room| {
                room[..BLOCK_FRAMES].copy_from_slice(block);
                Ok::<_, ()>(BLOCK_FRAMES)
            });
            assert_eq!(copied, Ok(BLOCK_FRAMES));
        }
        if pending.len() < 1200 {
            return (out, changes);
        }
        let change = wish(added_samples);
        if let Some((change, period)) = change.and_then(|it| Some((it, stretch.apply(it, &mut pending)?))) {
            changes += 1;
            added_samples += if change == TempoChange::Longer { period as i64 } else { -(period as i64) };
        }
        out.extend(&pending.peek(0)[..BLOCK_FRAMES]);
        pending.pass(BLOCK_FRAMES);
        stretch.played(BLOCK_FRAMES);
    }
}

/// Somebody speaks beside a loudspeaker that speaks, too, as loud at the microphone.
#[test]
fn a_voice_is_heard_out_of_an_echo() {
    let near = said();
    let far = voice(210.0, 3.4, near.len() as f64 / 48_000.0, 2);
    let (echo, mut chain) =
        (Echo::new(Place::Wall, 0.5), AudioProcessor::new(Duplex::ALL).expect("something to do"));
    let (mut microphone, mut sent) = (Vec::new(), Vec::new());
    for (index, block) in near.chunks_exact(BLOCK_FRAMES).enumerate() {
        let first = index * BLOCK_FRAMES;
        chain.played(&Block(std::array::from_fn(|i| far[first + i])));
        // For the first two seconds the far side is alone.
        let heard = |i: usize| echo.heard(&far, first + i) + if index < 200 { 0.0 } else { 0.5 * block[i] };
        let mut block = Block(std::array::from_fn(heard));
        microphone.extend(block.0);
        chain.process(&mut block, Some(0.0));
        sent.extend(block.0);
    }
    leave("echo-microphone", &microphone);
    leave("echo-sent", &sent);
    let energy = |samples: &[f32]| samples[24_000..96_000].iter().map(|s| f64::from(s * s)).sum::<f64>();
    let less_db = 10.0 * (energy(&microphone) / energy(&sent)).log10();
    let rest = 2 * 48_000;
    let (before, after) =
        (likeness(&near[rest..], &microphone[rest..]), likeness(&near[rest..], &sent[rest..]));
    println!(
        "the far side alone: {less_db:.0} dB less; likeness of the near one: {before:.3}, then {after:.3}"
    );
    assert!(after > 0.7 || folder().is_some(), "{before}, then {after}");
}
