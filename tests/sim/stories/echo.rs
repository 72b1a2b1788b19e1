//! The microphone's chain in a simulated room: two cards, a loudspeaker that the microphone hears, and what is left of it.
//! Prints a table, of blocks as they come (naive) and in step by the cards' delays (ours):
//!
//! ```text
//! cargo test --test sim echo -- --nocapture
//! ```

use crate::acoustics::{Echo, Place, sample_at, voice};
use crate::random::Random;
use kinglet::media::block::{BLOCK_FRAMES, Block};
use kinglet::media::send::audio_processor::{AudioProcessor, Duplex};

/// What a loudspeaker's card holds before it is heard: three periods.
const QUEUED: f64 = 1440.0;

const SECONDS: f64 = 8.0;

const ECHO_ONLY: Duplex = Duplex::Full { noise: false, level: false };
const ECHO_AND_NOISE: Duplex = Duplex::Full { noise: true, level: false };

/// From when on somebody at the microphone speaks.
#[derive(Clone, Copy, PartialEq)]
enum Near {
    Silent,
    /// As loud as the echo, while the other side speaks without a pause.
    Both,
    /// The same from the first word on, before anything is learned.
    BothAtOnce,
    /// The same, with nothing in the loudspeaker: what the chain costs a voice by itself.
    Alone,
}

/// One room, and what happens in it.
#[derive(Clone, Copy)]
struct Room {
    duplex: Duplex,
    place: Place,
    /// How loud the echo is, beside the loudspeaker.
    echo: f32,
    /// How much faster the loudspeaker's card is than the microphone's.
    ppm: f64,
    /// The loudspeaker's card stops for 20 ms in this second.
    underrun_at_s: Option<f64>,
    /// The microphone's card loses 20 ms in this second; silence stands in for them.
    overrun_at_s: Option<f64>,
    /// Somebody leans close in this second.
    moves_at_s: Option<f64>,
    near: Near,
    /// The loudspeaker bends what is loud.
    saturates: bool,
    /// RMS of the room's own noise.
    noise: f32,
    /// The far side's pitch.
    pitch_hz: f64,
    /// Whether the cards' delays are told.
    in_step: bool,
}

const QUIET_ROOM: Room = Room {
    duplex: ECHO_ONLY,
    place: Place::Wall,
    echo: 0.5,
    ppm: 0.0,
    underrun_at_s: None,
    overrun_at_s: None,
    moves_at_s: None,
    near: Near::Silent,
    saturates: false,
    noise: 0.0003,
    pitch_hz: 120.0,
    in_step: true,
};

/// What the microphone heard of the loudspeaker, of somebody near, and what is sent.
#[derive(Default)]
struct Heard {
    echo: Vec<f32>,
    near: Vec<f32>,
    sent: Vec<f32>,
}

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|s| f64::from(s * s)).sum::<f64>() + 1e-12
}

fn db(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}

fn span(from_s: f64, to_s: f64) -> std::ops::Range<usize> {
    (from_s * 48_000.0) as usize..(to_s * 48_000.0) as usize
}

impl Heard {
    /// Echo return loss enhancement between two seconds.
    fn erle_db(&self, from_s: f64, to_s: f64) -> f64 {
        db(energy(&self.echo[span(from_s, to_s)]) / energy(&self.sent[span(from_s, to_s)]))
    }

    /// The same in those blocks of 10 ms in which nobody near speaks, but the loudspeaker does. What is sent is late by
    /// a block and a half, so their neighbours must be pauses too.
    fn erle_in_pauses_db(&self, from_s: f64, to_s: f64) -> f64 {
        let range = (from_s * 100.0) as usize..(to_s * 100.0) as usize;
        let block = |samples: &[f32], n: usize| energy(&samples[n * BLOCK_FRAMES..(n + 1) * BLOCK_FRAMES]);
        let (mut echo, mut sent) = (0.0, 0.0);
        for n in range.filter(|&n| (n - 2..=n).all(|n| block(&self.near, n) < 1e-5 * BLOCK_FRAMES as f64)) {
            echo += block(&self.echo, n);
            sent += block(&self.sent, n);
        }
        db(echo / sent)
    }

    /// The near voice in what is sent, and how like itself it is: what of it is found again, in dB, and the
    /// correlation. The chain's own delay is found first.
    fn near(&self, from_s: f64, to_s: f64) -> (f64, f64) {
        let range = span(from_s, to_s);
        let near = &self.near[range.clone()];
        let product = |lag: usize| {
            let sent = &self.sent[range.start + lag..range.end + lag];
            near.iter().zip(sent).map(|(a, b)| f64::from(a * b)).sum::<f64>()
        };
        let (lag, product) =
            (0..960).map(|lag| (lag, product(lag))).max_by(|a, b| a.1.total_cmp(&b.1)).expect("lags");
        let sent = energy(&self.sent[range.start + lag..range.end + lag]);
        (db((product / energy(near)).powi(2)), product / (energy(near) * sent).sqrt())
    }
}

fn run(room: Room, near_voice: &[f32]) -> Heard {
    let far = &voice(room.pitch_hz, 4.2, SECONDS + 1.0, 1);
    let (here, there) = (Echo::new(room.place, room.echo), Echo::new(Place::Shadowed, 1.2 * room.echo));
    let mut random = Random::new(5);
    let mut chain = AudioProcessor::new(room.duplex).expect("something to do");
    // What the loudspeaker said at each of the microphone's samples.
    let mut said: Vec<f32> = Vec::new();
    let (mut written, mut stalled) = (0_u64, 0.0);
    let mut heard = Heard::default();
    for index in 0..(SECONDS * 100.0) as usize {
        let now_s = index as f64 / 100.0;
        let within = |at: Option<f64>| at.is_some_and(|at| now_s >= at && now_s < at + 0.02);
        let stalls = within(room.underrun_at_s);
        if stalls {
            stalled += BLOCK_FRAMES as f64;
        }
        // The place in what is played at one of the microphone's samples.
        let place = |i: usize| (index * BLOCK_FRAMES + i) as f64 * (1.0 + room.ppm * 1e-6) - stalled;
        // The loudspeaker's card asks for blocks before they are heard.
        let end = place(BLOCK_FRAMES);
        while (written as f64) < end + QUEUED {
            let first = written as usize;
            let silent = room.near == Near::Alone;
            chain.played(&Block(std::array::from_fn(|i| if silent { 0.0 } else { far[first + i] })));
            written += BLOCK_FRAMES as u64;
        }
        for i in 0..BLOCK_FRAMES {
            let place = place(i).max(0.0);
            let is_silent = stalls || room.near == Near::Alone;
            let sample = if is_silent { 0.0 } else { sample_at(far, place) };
            said.push(if room.saturates { (3.0 * sample).tanh() / 3.0 } else { sample });
        }
        let echo = if room.moves_at_s.is_some_and(|at| now_s >= at) { &there } else { &here };
        let talks = match room.near {
            Near::Silent => false,
            Near::Both | Near::Alone => now_s >= 5.0,
            Near::BothAtOnce => true,
        };
        let mut block = Block::SILENCE;
        let lost = within(room.overrun_at_s);
        for (i, sample) in block.0.iter_mut().enumerate() {
            let at = index * BLOCK_FRAMES + i;
            let (echo, near) = (echo.heard(&said, at), if talks { 0.5 * near_voice[at] } else { 0.0 });
            let hiss = room.noise * 3.46 * (random.unit() as f32 - 0.5);
            heard.echo.push(echo);
            heard.near.push(near);
            *sample = if lost { 0.0 } else { echo + near + hiss };
        }
        let lag = (written as f64 - end) as f32;
        chain.process(&mut block, room.in_step.then_some(lag));
        heard.sent.extend(block.0);
    }
    heard
}

/// What is measured in a room, and how much it must be at least.
type Measure<'a> = (&'a str, f64, &'a dyn Fn(&Heard) -> f64);

#[test]
fn echo_table() {
    let steady: Measure = ("ERLE after 2 s", 30.0, &|heard| heard.erle_db(2.0, 8.0));
    let first: Measure = ("ERLE in the first half second", 25.0, &|heard| heard.erle_db(0.0, 0.5));
    let soon: Measure = ("ERLE in the next half", 25.0, &|heard| heard.erle_db(0.5, 1.0));
    // Its harmonics are so far apart that most of the room stays unknown.
    let sparse_soon: Measure = ("ERLE in the next half", 10.0, soon.2);
    let sparse: Measure = ("ERLE after 2 s", 15.0, steady.2);
    let full: Measure = ("ERLE after 2 s", 27.0, &|heard| heard.erle_db(2.0, 8.0));
    let noisy: Measure = ("ERLE after 2 s, noise and all", 20.0, &|heard| heard.erle_db(2.0, 8.0));
    let moved: Measure = ("ERLE from 1 s later on", 25.0, &|heard| heard.erle_db(6.0, 8.0));
    let broken: Measure = ("ERLE from 0.3 s after its end on", 25.0, &|heard| heard.erle_db(5.32, 8.0));
    let near: Measure = ("near voice", -3.0, &|heard| heard.near(5.5, 7.9).0);
    let alike: Measure = ("its likeness", 0.85, &|heard| heard.near(5.5, 7.9).1);
    // Who speaks into the far end's first words is gated until the canceller knows the room: `tuning` in `echo.rs`.
    let near_soon: Measure = ("near voice in the first seconds", -9.0, &|heard| heard.near(0.2, 4.0).0);
    let alike_soon: Measure = ("its likeness", 0.55, &|heard| heard.near(0.2, 4.0).1);
    // In the sixth second the cards' rates are still being learned.
    let near_skewed: Measure = ("near voice", -4.0, near.2);
    let alike_skewed: Measure = ("its likeness", 0.8, alike.2);
    let pauses: Measure = ("ERLE in its pauses", 20.0, &|heard| heard.erle_in_pauses_db(5.5, 7.9));
    let (quiet, at) = (QUIET_ROOM, Some(5.0));
    let talk = Room { near: Near::Both, ..quiet };
    let rooms: [(&str, Room, &[Measure]); 23] = [
        ("echo alone", quiet, &[first, soon, steady]),
        ("a deep voice", Room { pitch_hz: 90.0, ..quiet }, &[first, soon, steady]),
        ("a high voice", Room { pitch_hz: 210.0, ..quiet }, &[first, soon, steady]),
        ("a child's voice", Room { pitch_hz: 290.0, ..quiet }, &[first, sparse_soon, sparse]),
        ("twice as loud as the loudspeaker", Room { echo: 2.0, ..quiet }, &[first, soon, steady]),
        ("on a table", Room { place: Place::Table, ..quiet }, &[steady]),
        ("noise and level too", Room { duplex: Duplex::ALL, ..quiet }, &[first, soon, full]),
        ("the loudspeaker saturates", Room { saturates: true, ..quiet }, &[steady]),
        ("noise at -50 dBFS", Room { noise: 0.003, ..quiet }, &[noisy]),
        (
            "the same, taken out too",
            Room { noise: 0.003, duplex: ECHO_AND_NOISE, ..quiet },
            &[first, soon, noisy],
        ),
        ("a loudspeaker 300 ppm fast", Room { ppm: 300.0, ..quiet }, &[steady]),
        ("a loudspeaker 300 ppm slow", Room { ppm: -300.0, ..quiet }, &[steady]),
        ("the path changes", Room { moves_at_s: at, ..quiet }, &[moved]),
        ("an underrun of 20 ms", Room { underrun_at_s: at, ..quiet }, &[broken]),
        ("an overrun of 20 ms", Room { overrun_at_s: at, ..quiet }, &[broken]),
        ("a voice, the far end silent", Room { near: Near::Alone, ..quiet }, &[near, alike]),
        ("double talk at 0 dB", talk, &[near, alike, pauses]),
        ("noise and level too", Room { duplex: Duplex::ALL, ..talk }, &[near, pauses]),
        ("on a table", Room { place: Place::Table, ..talk }, &[near, alike, pauses]),
        ("a loudspeaker 300 ppm fast", Room { ppm: 300.0, ..talk }, &[near_skewed, alike_skewed, pauses]),
        ("a headset: no echo at all", Room { echo: 0.0, ..talk }, &[near, alike]),
        ("both from the first word on", Room { near: Near::BothAtOnce, ..quiet }, &[near_soon, alike_soon]),
        (
            "the same with a headset",
            Room { echo: 0.0, near: Near::BothAtOnce, ..quiet },
            &[near_soon, alike_soon],
        ),
    ];
    println!("{:<32} {:<34} {:>8} {:>8} {:>9}", "", "dB", "naive", "ours", "at least");
    let (near_voice, mut faults) = (voice(210.0, 3.4, SECONDS, 2), Vec::new());
    for (name, room, measures) in rooms {
        let [naive, ours] = [false, true].map(|in_step| run(Room { in_step, ..room }, &near_voice));
        for (what, least, measure) in measures {
            let (naive, ours) = (measure(&naive), measure(&ours));
            println!("{name:<32} {what:<34} {naive:>8.2} {ours:>8.2} {least:>9.2}");
            if ours < *least {
                faults.push(format!("{name}: {what} {ours:.2}"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn a_loop_of_six_decibels_does_not_howl() {
    let far = voice(120.0, 4.2, 4.0, 1);
    let mut chain = AudioProcessor::new(ECHO_ONLY).expect("something to do");
    let room = Echo::new(Place::Wall, 2.0);
    // The far end gives back what it hears 200 ms later; the room doubles it.
    let mut sent = vec![Block::SILENCE; 20];
    let mut said: Vec<f32> = vec![0.0; 4800];
    let mut bare = Vec::new();
    for index in 0..1500 {
        let back = sent[sent.len() - 20];
        let speech = far.get(index * BLOCK_FRAMES..(index + 1) * BLOCK_FRAMES);
        let played =
            Block(std::array::from_fn(|i| (back.0[i] + speech.map_or(0.0, |s| s[i])).clamp(-1.0, 1.0)));
        chain.played(&played);
        let first = said.len();
        said.extend(played.0);
        let mut block = Block(std::array::from_fn(|i| room.heard(&said, first + i).clamp(-1.0, 1.0)));
        bare.extend(block.0);
        chain.process(&mut block, Some(0.0));
        sent.push(block);
    }
    let mean_dbfs = |samples: &[f32]| db(energy(samples) / samples.len() as f64);
    let after: Vec<f32> = sent[sent.len() - 200..].iter().flat_map(|block| block.0).collect();
    let (heard, left) = (mean_dbfs(&bare[48_000..4 * 48_000]), mean_dbfs(&after));
    println!("a voice is heard at {heard:.1} dBFS, and 10 s after it there are {left:.1} dBFS");
    assert!(heard > -30.0 && left < -50.0, "{heard} {left}");
}
