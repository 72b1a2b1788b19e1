//! One stage of the sound for so many blocks of 10 ms, and nothing else: what an instruction counter
//! needs. Two lengths of it give the cost of a block, without start and end.
//!
//! ```text
//! stages STAGE BLOCKS        stages --list
//! ```
//!
//! `tests/bench/stages` does so for all of them, natively or through an emulator.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use kinglet::io::sound::Captured;
use kinglet::io::sound::loudspeaker::Loudspeaker;
use kinglet::io::sound::microphone::Microphone;
use kinglet::io::sound::setup::SoundSetup;
use kinglet::io::sound::spec::{InputSpec, OutputSpec};
use kinglet::media::block::{BLOCK_FRAMES, Block};
use kinglet::media::gain::Gain;
use kinglet::media::mix::Mixer;
use kinglet::media::receive::track_receiver::{ArrivedPacket, TrackReceiver};
use kinglet::media::resample::{Resampler, TAPS_BEFORE};
use kinglet::media::send::audio_processor::{AudioProcessor, Duplex};
use kinglet::media::send::bands::{Joiner, SILENT_BANDS, Splitter};
use kinglet::media::send::echo::EchoCanceller;
use kinglet::media::send::encode::EncoderSettings;
use kinglet::media::send::gain_control::GainControl;
use kinglet::media::send::noise::NoiseSuppressor;
use kinglet::media::send::packetizer::Packetizer;
use kinglet::media::send::reference::Reference;

/// Blocks of made speech that are repeated: a second, so that making them costs the same for each length.
const SPEECH_BLOCKS: usize = 100;

/// What waits in both cards, in samples.
const LAG: f32 = 1440.0;

type Stage = (&'static str, &'static str, fn(&Speech, u64));

const STAGES: &[Stage] = &[
    ("idle", "nothing: what the program itself costs", |_, _| {}),
    ("capture", "a card's frames of 48 kHz into blocks, from ALSA's null PCM", |_, n| capture(n, 48_000)),
    ("capture-44100", "… of 44.1 kHz", |_, n| capture(n, 44_100)),
    ("playback", "blocks into a card's frames of 48 kHz", |s, n| playback(s, n, 48_000)),
    ("playback-44100", "… of 44.1 kHz", |s, n| playback(s, n, 44_100)),
    ("bands", "split two streams into bands, join one", bands),
    ("reference", "the played samples, resampled into step", reference),
    ("echo", "AEC3 alone", echo),
    ("noise", "noise suppression alone", noise),
    ("level", "gain control alone", level),
    ("chain-echo", "microphone chain with echo cancellation", |s, n| chain(s, n, ECHO)),
    ("chain-echo-noise", "… and noise suppression", |s, n| chain(s, n, ECHO_NOISE)),
    ("chain-all", "… and gain control", |s, n| chain(s, n, Duplex::ALL)),
    ("encode", "talk gate, level, Opus at 24 kbit/s, complexity 5", encode),
    ("decode", "ring, playout, Opus decoder of one talker", |s, n| decode(s, n, 1)),
    ("decode-4", "… of four talkers, mixed", |s, n| decode(s, n, 4)),
    ("decode-8", "… of eight", |s, n| decode(s, n, 8)),
    ("mix", "sum and limiter of eight talkers", mix),
    ("resample", "a talker whose clock is 100 ppm fast, read at its rate", resample),
    ("call", "encode, and decode one talker, no cancellation", |s, n| call(s, n, 1, Duplex::Untouched)),
    ("call-4", "… four talkers", |s, n| call(s, n, 4, Duplex::Untouched)),
    ("call-8", "… eight", |s, n| call(s, n, 8, Duplex::Untouched)),
    ("call-all", "one talker, with echo, noise and level", |s, n| call(s, n, 1, Duplex::ALL)),
    ("call-all-4", "… four talkers", |s, n| call(s, n, 4, Duplex::ALL)),
    ("call-all-8", "… eight", |s, n| call(s, n, 8, Duplex::ALL)),
];

const ECHO: Duplex = Duplex::Full { noise: false, level: false };
const ECHO_NOISE: Duplex = Duplex::Full { noise: true, level: false };

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["--list"] => {
            for (name, what, _) in STAGES {
                println!("{name}\t{what}");
            }
            ExitCode::SUCCESS
        }
        [wanted, blocks] => {
            let stage = STAGES.iter().find(|(name, ..)| *name == wanted);
            let (Some((_, _, run)), Ok(blocks)) = (stage, blocks.parse()) else { return usage() };
            run(&Speech::new(), blocks);
            ExitCode::SUCCESS
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: stages STAGE BLOCKS | stages --list");
    ExitCode::from(2)
}

/// A second of something that Opus, the detectors and the canceller take for speech, and its packets.
struct Speech {
    blocks: Vec<Block>,
    packets: Vec<Vec<u8>>,
}

impl Speech {
    fn new() -> Self {
        let blocks: Vec<Block> = (0..SPEECH_BLOCKS).map(speech).collect();
        let mut sender = Packetizer::new(EncoderSettings::default()).expect("memory for an encoder");
        let packets = blocks.iter().filter_map(|b| Some(sender.push(b)?.payload.to_vec())).collect();
        Self { blocks, packets }
    }

    fn block(&self, index: u64) -> Block {
        self.blocks[index as usize % SPEECH_BLOCKS]
    }

    /// What a microphone hears: the loudspeaker 40 ms ago at a third, and somebody now and then.
    fn heard(&self, index: u64) -> Block {
        let echo = self.block(index + SPEECH_BLOCKS as u64 - 4);
        let near = self.block(index + 37);
        let talks = index / 200 % 2 == 1;
        Block(std::array::from_fn(|i| 0.3 * echo.0[i] + if talks { 0.5 * near.0[i] } else { 0.0 }))
    }
}

/// Harmonics of a gliding pitch, five syllables a second.
fn speech(index: usize) -> Block {
    Block(std::array::from_fn(|i| {
        let t = (index * BLOCK_FRAMES + i) as f32 / 48_000.0;
        let phase = std::f32::consts::TAU * (130.0 * t + 2.0 * (5.0 * t).sin());
        let syllable = (std::f32::consts::TAU * 2.5 * t).sin().abs();
        (1..16).map(|n| (phase * n as f32).sin() / n as f32).sum::<f32>() * 0.1 * syllable
    }))
}

/// The null PCM always has frames, and a clock that stands still asks for no more than that.
fn capture(blocks: u64, rate_hz: u32) {
    let mut setup = SoundSetup::default();
    setup.capture.request.rate_hz = Some(rate_hz);
    let null = InputSpec::Alsa("null".to_owned());
    let mut microphone = Microphone::open(&null, false, &setup).expect("ALSA's null PCM");
    let (mut block, now) = (Block::SILENCE, an_instant());
    microphone.start(now);
    for _ in 0..blocks {
        assert_eq!(microphone.read(&mut block, now), Captured::Block);
        black_box(block);
    }
}

fn playback(speech: &Speech, blocks: u64, rate_hz: u32) {
    let mut setup = SoundSetup::default();
    setup.playback.request.rate_hz = Some(rate_hz);
    let null = OutputSpec::Alsa("null".to_owned());
    let mut loudspeaker = Loudspeaker::open(&null, &setup).expect("ALSA's null PCM");
    let now = an_instant();
    loudspeaker.start(now);
    let mut written = 0;
    while written < blocks {
        let wanted = loudspeaker.wanted(now) as u64;
        assert!(wanted > 0, "the null PCM has room");
        for index in written..(written + wanted).min(blocks) {
            loudspeaker.write(&speech.block(index), now);
        }
        written += wanted;
    }
}

#[allow(clippy::disallowed_methods, reason = "a bench needs one instant to count from")]
fn an_instant() -> Instant {
    Instant::now()
}

fn resample(speech: &Speech, blocks: u64) {
    let rate = 1.0 + 100e-6;
    let input: Vec<f32> = speech.blocks.iter().flat_map(|block| block.0).collect();
    let (mut resampler, mut block) = (Resampler::new(), Block::SILENCE);
    let mut at = 0;
    for _ in 0..blocks {
        let needed = TAPS_BEFORE + resampler.needed(BLOCK_FRAMES, rate);
        if at + needed > input.len() {
            at = 0;
        }
        at += resampler.read(&input[at..at + needed], rate, &mut block.0);
        black_box(block);
    }
}

fn bands(speech: &Speech, blocks: u64) {
    let (mut one, mut two, mut joiner) = (Splitter::default(), Splitter::default(), Joiner::default());
    for index in 0..blocks {
        let (mut block, mut bands) = (speech.block(index), SILENT_BANDS);
        two.split(&block, &mut bands);
        one.split(&block, &mut bands);
        joiner.join(&bands, &mut block);
        black_box(block);
    }
}

fn reference(speech: &Speech, blocks: u64) {
    let (mut reference, mut block) = (Reference::new(), Block::SILENCE);
    for index in 0..blocks {
        reference.push(&speech.block(index));
        // Two clocks, so that there is something to interpolate.
        reference.pull(Some(LAG + index as f32 * 0.1), &mut block);
        black_box(block);
    }
}

fn echo(speech: &Speech, blocks: u64) {
    let mut echo = EchoCanceller::new();
    let (mut played, mut heard) = (Splitter::default(), Splitter::default());
    // The bands are made beforehand: they are not what is measured.
    let bands: Vec<_> = (0..SPEECH_BLOCKS as u64)
        .map(|index| {
            let (mut reference, mut capture) = (SILENT_BANDS, SILENT_BANDS);
            played.split(&speech.block(index), &mut reference);
            heard.split(&speech.heard(index), &mut capture);
            (reference, capture)
        })
        .collect();
    for index in 0..blocks {
        let (reference, mut capture) = bands[index as usize % SPEECH_BLOCKS];
        echo.process(&reference, &mut capture, false);
        black_box(capture);
    }
}

fn noise(speech: &Speech, blocks: u64) {
    let (mut noise, mut splitter) = (NoiseSuppressor::new(), Splitter::default());
    let bands: Vec<_> = (0..SPEECH_BLOCKS as u64)
        .map(|index| {
            let mut bands = SILENT_BANDS;
            splitter.split(&speech.block(index), &mut bands);
            bands
        })
        .collect();
    for index in 0..blocks {
        let mut bands = bands[index as usize % SPEECH_BLOCKS];
        noise.analyse(&bands);
        noise.process(&mut bands);
        black_box(bands);
    }
}

fn level(speech: &Speech, blocks: u64) {
    let mut levelling = GainControl::new();
    for index in 0..blocks {
        let mut block = speech.block(index);
        levelling.process(&mut block);
        black_box(block);
    }
}

fn chain(speech: &Speech, blocks: u64, duplex: Duplex) {
    let mut chain = AudioProcessor::new(duplex).expect("something to do");
    for index in 0..blocks {
        let mut block = speech.heard(index);
        chain.played(&speech.block(index));
        chain.process(&mut block, Some(LAG));
        black_box(block);
    }
}

fn encode(speech: &Speech, blocks: u64) {
    let mut sender = Packetizer::new(EncoderSettings::default()).expect("memory for an encoder");
    for index in 0..blocks {
        black_box(sender.push(&speech.block(index)));
    }
}

/// Talkers whose packets arrive as they were made.
struct Hall {
    began: Instant,
    talkers: Vec<TrackReceiver>,
    mixer: Mixer,
    volume: Gain,
}

impl Hall {
    fn new(talkers: usize) -> Self {
        let talkers = (0..talkers).map(|_| TrackReceiver::new().expect("memory for a decoder")).collect();
        Self { began: an_instant(), talkers, mixer: Mixer::new(), volume: Gain::new(1.0) }
    }

    fn block(&mut self, speech: &Speech, index: u64) -> Block {
        let now = self.began + Duration::from_millis(10 * index);
        let (mut block, mut out) = (Block::SILENCE, Block::SILENCE);
        self.mixer.start();
        for talker in &mut self.talkers {
            if index.is_multiple_of(2) {
                let number = index / 2;
                let packets = &speech.packets;
                talker.insert(ArrivedPacket {
                    sequence: number,
                    rtp_time: number * 2 * BLOCK_FRAMES as u64,
                    arrival: now,
                    is_red: false,
                    payload: &packets[number as usize % packets.len()],
                });
            }
            talker.pull(&mut block, now);
            self.mixer.add(&block);
        }
        self.mixer.finish(&mut self.volume, &mut out);
        out
    }
}

fn decode(speech: &Speech, blocks: u64, talkers: usize) {
    let mut hall = Hall::new(talkers);
    for index in 0..blocks {
        black_box(hall.block(speech, index));
    }
}

fn mix(speech: &Speech, blocks: u64) {
    let (mut mixer, mut volume, mut out) = (Mixer::new(), Gain::new(1.0), Block::SILENCE);
    for index in 0..blocks {
        mixer.start();
        for talker in 0..8 {
            mixer.add(&speech.blocks[(index as usize + 7 * talker) % SPEECH_BLOCKS]);
        }
        mixer.finish(&mut volume, &mut out);
        black_box(out);
    }
}

fn call(speech: &Speech, blocks: u64, talkers: usize, duplex: Duplex) {
    let mut hall = Hall::new(talkers);
    let mut chain = AudioProcessor::new(duplex);
    let mut sender = Packetizer::new(EncoderSettings::default()).expect("memory for an encoder");
    for index in 0..blocks {
        let played = hall.block(speech, index);
        let mut block = speech.heard(index);
        if let Some(chain) = &mut chain {
            chain.played(&played);
            chain.process(&mut block, Some(LAG));
        }
        black_box(sender.push(&block));
    }
}
