//! From the mouth of one to the ear of the other, through the cards of both.
//!
//! ```text
//!   spoken ─► card: block ─► chain ─► packet ─► SFU ─► playout ─► card: block and what waits in front of it ─► heard
//! ```
//!
//! `cargo test --test sim figures -- --nocapture` prints it. The network is a cable here: what it takes comes on top, and
//! its jitter is in the other table.

use crate::card::{HEARD_DBFS, Played, Sound, level_dbfs};
use crate::client::Setup;
use crate::link::Quality;
use crate::world::World;
use kinglet::io::sound::sizes::Buffering;
use kinglet::media::block::SAMPLE_RATE_HZ;
use kinglet::media::send::audio_processor::Duplex;
use kinglet::media::send::profile::AudioProfile;
use std::time::Duration;

/// How the cards and packets of both may stand to each other.
const PHASES: u32 = 6;

/// Words whose delay is measured in each, each of this many samples.
const WORDS: u64 = 12;
const WORD_SAMPLES: u64 = 9600;

/// The longest delay that is looked for.
const DELAY_SAMPLES_MAX: usize = 9600;

struct Case {
    name: &'static str,
    profile: AudioProfile,
    duplex: Duplex,
    buffering: Buffering,
    p95_ms_max: f64,
}

fn cases() -> Vec<Case> {
    let (normal, short) = (Buffering::default(), Buffering::LOW_LATENCY);
    let cancelled = Duplex::Full { noise: false, level: false };
    let case =
        |name, profile, duplex, buffering, p95_ms_max| Case { name, profile, duplex, buffering, p95_ms_max };
    vec![
        case("default, no echo cancellation", AudioProfile::Default, Duplex::Untouched, normal, 80.0),
        case("default, echo cancelled", AudioProfile::Default, cancelled, normal, 90.0),
        case("default, echo, noise, level", AudioProfile::Default, Duplex::ALL, normal, 97.0),
        case("low-latency", AudioProfile::LowLatency, Duplex::Untouched, short, 55.0),
        case("low-latency, echo cancelled", AudioProfile::LowLatency, Duplex::ALL, short, 65.0),
        case("metered, echo, noise, level", AudioProfile::Metered, Duplex::ALL, normal, 120.0),
    ]
}

#[test]
fn figures_of_mouth_to_ear() {
    println!("{:<32}{:>8}{:>8}{:>8}   mouth to ear, ms", "", "p50", "p95", "max");
    let mut faults = Vec::new();
    for case in cases() {
        let mut delays_ms: Vec<f64> = (0..PHASES).flat_map(|phase| delays_ms(&case, phase)).collect();
        delays_ms.sort_by(f64::total_cmp);
        let at = |share: f64| delays_ms[((delays_ms.len() - 1) as f64 * share).round() as usize];
        println!("{:<32}{:>8.1}{:>8.1}{:>8.1}", case.name, at(0.5), at(0.95), at(1.0));
        if at(0.95) > case.p95_ms_max {
            faults.push(format!("{}: {:.1} ms, at most {}", case.name, at(0.95), case.p95_ms_max));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Out of a silence that is not sent.
#[test]
fn a_word_is_heard_soon() {
    let mut world = World::new();
    let near = Quality::delay(0.1);
    let door = world.enter(Setup { up: near, dtx: true, ..Setup::talker("door", Sound::Silence) });
    let hall = world.enter(Setup { down: near, ..Setup::listener("hall") });
    world.run_ms(5000);
    for word in 0..20 {
        // Not in step with packets or blocks.
        world.run_ms(1000 + 7 * word);
        let spoken = world.clock.now();
        world.client(door).hear(Sound::Tone(400.0));
        world.run_ms(1000);
        world.client(door).hear(Sound::Silence);
        let is_heard =
            |played: &&Played| played.at >= spoken && level_dbfs(std::slice::from_ref(played)) > HEARD_DBFS;
        let heard = world.lately(hall, 1000).iter().find(is_heard).expect("the word is heard");
        let delay = heard.at.duration_since(spoken);
        assert!(delay <= Duration::from_millis(70), "word {word}: {delay:?}");
    }
}

fn delays_ms(case: &Case, phase: u32) -> Vec<f64> {
    let ahead_ms = case.buffering.period_ms * case.buffering.spare_periods;
    let cable = Quality::delay(0.1);
    let talker = Setup::talker("door", Sound::Glide);
    let card = |setup| Setup { ahead_ms, profile: case.profile, up: cable, down: cable, ..setup };
    let mut world = World::with_seed(u64::from(phase) + 1);
    let door = world.enter(card(Setup { duplex: case.duplex, ..talker }));
    // Neither blocks nor packets of the two are in step.
    world.run_for(Duration::from_micros(20_000 + 1700 * u64::from(phase)));
    let hall = world.enter(card(Setup::listener("hall")));
    world.run_ms(3000);
    let first_word = world.client(door).ports().microphone.as_ref().expect("a microphone").frame();
    world.run_ms(WORDS * 200 + 400);

    let microphone = world.client(door).ports().microphone.as_ref().expect("a microphone");
    let spoken_at: Vec<_> =
        (0..WORDS).map(|word| microphone.spoken_at(first_word + word * WORD_SAMPLES)).collect();
    let played = world.lately(hall, 3400);
    let began = played.first().expect("something is played").at;
    let heard: Vec<f32> = played.iter().flat_map(|played| played.block.0).collect();
    let delay_ms = |(word, spoken_at): (u64, &std::time::Instant)| {
        let frames = first_word + word * WORD_SAMPLES..first_word + (word + 1) * WORD_SAMPLES;
        let said: Vec<f32> = frames.map(|frame| Sound::Glide.sample(frame)).collect();
        let since = spoken_at.duration_since(began).as_secs_f64() * f64::from(SAMPLE_RATE_HZ);
        // The part of a sample that the two cards' clocks stand apart.
        let from = since.ceil();
        let lag = best_lag(&said, &heard[from as usize..]);
        (lag as f64 + from - since) * 1000.0 / f64::from(SAMPLE_RATE_HZ)
    };
    (0..WORDS).zip(&spoken_at).map(delay_ms).collect()
}

/// How much later than it was said this is heard: where both are most alike, coarsely first.
fn best_lag(said: &[f32], heard: &[f32]) -> usize {
    let best = |lags: &mut dyn Iterator<Item = usize>, stride: usize| {
        lags.max_by(|&a, &b| {
            likeness(said, &heard[a..], stride).total_cmp(&likeness(said, &heard[b..], stride))
        })
    };
    let coarse = best(&mut (0..DELAY_SAMPLES_MAX).step_by(12), 11).unwrap_or(0);
    best(&mut (coarse.saturating_sub(12)..=coarse + 12), 1).unwrap_or(coarse)
}

fn likeness(said: &[f32], heard: &[f32], stride: usize) -> f64 {
    let (mut product, mut square) = (0.0, 1e-9);
    for (a, b) in said.iter().zip(heard).step_by(stride) {
        product += f64::from(a * b);
        square += f64::from(b * b);
    }
    product / f64::sqrt(square)
}
