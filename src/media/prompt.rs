//! What a person at the box hears from the box itself: tones that are made here, so that they need no file,
//! or recordings in their place.
//!
//! | tone | what is heard |
//! | --- | --- |
//! | ringing | 425 Hz, a second in five, until it is ended (ITU-T E.180: 400 to 450 Hz, 3 to 5 s apart) |
//! | answered | two notes upwards |
//! | ended | the same two downwards |
//! | trouble | 425 Hz, three times short |
//! | muted, unmuted | one short note, low or high |
//! | joined, left | one short note twice, high or low |
//! | lost | 425 Hz, long |
//!
//! Each note begins and ends on a ramp of one block, so that nothing clicks. So does what is cut short, by an
//! end or by what follows: that begins a block later.

use std::f64::consts::TAU;
use std::sync::Arc;

use crate::command::Tone;
use crate::limits::RECORDING_SAMPLES_MAX;
use crate::media::block::{BLOCK_FRAMES, BLOCK_MS, Block, SAMPLE_RATE_HZ};
use crate::media::gain::ramp;

/// Loudness of the tones: 18 dB below full scale, as loud as a voice at arm's length.
const AMPLITUDE: f64 = 0.125;

/// Sound to play: 48 kHz, mono. Copies share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording(Arc<[i16]>);

impl Recording {
    /// A recording of these samples; `None` if there are none, or more than the limit.
    pub fn new(samples: &[i16]) -> Option<Recording> {
        (1..=RECORDING_SAMPLES_MAX).contains(&samples.len()).then(|| Recording(samples.into()))
    }

    /// How long it is.
    pub fn seconds(&self) -> f32 {
        self.0.len() as f32 / SAMPLE_RATE_HZ as f32
    }
}

/// What is in the place of a tone.
#[derive(Debug, Clone)]
pub enum ToneOverride {
    /// A recording is played in the tone's place.
    Recorded(Recording),
    /// Nothing is heard.
    Silence,
}

/// Plays one prompt at a time; takes no memory.
#[derive(Debug, Default)]
pub struct Player {
    /// What is in the place of tones.
    own: [Option<ToneOverride>; Tone::ALL.len()],
    playing: Option<Prompt>,
    /// What plays ends with the next block.
    is_cut: bool,
    /// And this follows.
    next: Option<Prompt>,
}

#[derive(Debug)]
struct Prompt {
    sound: Sound,
    repeats: bool,
    is_remark: bool,
    /// The next sample, counted from the beginning.
    at: usize,
}

#[derive(Debug)]
enum Sound {
    Made(&'static [Note]),
    Recorded(Recording),
}

impl Player {
    /// Puts something in the place of a tone, from its next beginning on; `None`: the tone itself again.
    pub fn replace(&mut self, tone: Tone, own: Option<ToneOverride>) {
        if let Some(place) = Tone::ALL.iter().position(|other| *other == tone) {
            self.own[place] = own;
        }
    }

    /// Begins a tone, in place of the present sound; a remark replaces only another remark. [`Tone::Ringing`] repeats
    /// until the next state of the call begins, heard or not.
    pub fn play_tone(&mut self, tone: Tone) {
        let (repeats, is_remark) = (tone == Tone::Ringing, tone.is_remark());
        if is_remark && self.playing.as_ref().is_some_and(|playing| !playing.is_remark) {
            return;
        }
        let place = Tone::ALL.iter().position(|other| *other == tone);
        let sound = match place.and_then(|place| self.own[place].clone()) {
            None => Sound::Made(notes(tone)),
            Some(ToneOverride::Recorded(recording)) => Sound::Recorded(recording),
            Some(ToneOverride::Silence) => return self.quiet(),
        };
        self.begin(Prompt { sound, repeats, is_remark, at: 0 });
    }

    /// Plays a recording once, in place of the present sound.
    pub fn play(&mut self, recording: Recording) {
        let sound = Sound::Recorded(recording);
        self.begin(Prompt { sound, repeats: false, is_remark: false, at: 0 });
    }

    /// Ends what plays.
    pub fn quiet(&mut self) {
        (self.is_cut, self.next) = (self.playing.is_some(), None);
    }

    /// The next 10 ms into `out`; `false` if nothing is heard, and `out` is as it was.
    pub fn pull(&mut self, out: &mut Block) -> bool {
        let Some(playing) = &mut self.playing else { return false };
        let is_heard = playing.fill(out);
        let is_over = playing.advance();
        if self.is_cut && is_heard {
            ramp(&mut out.0, 1.0, 0.0);
        }
        if self.is_cut || is_over {
            (self.is_cut, self.playing) = (false, self.next.take());
        }
        is_heard
    }

    fn begin(&mut self, prompt: Prompt) {
        if self.playing.is_some() {
            (self.is_cut, self.next) = (true, Some(prompt));
        } else {
            self.playing = Some(prompt);
        }
    }
}

impl Prompt {
    fn fill(&self, out: &mut Block) -> bool {
        match &self.sound {
            Sound::Made(notes) => match note_at(notes, self.at) {
                Some((hz, from, len)) if hz > 0.0 => {
                    make(hz, from, len, out);
                    true
                }
                _ => false,
            },
            Sound::Recorded(recording) => {
                let samples = &recording.0;
                let rest = samples.iter().skip(self.at);
                let again = samples.iter().cycle().take(if self.repeats { BLOCK_FRAMES } else { 0 });
                let silence = std::iter::repeat(&0);
                for (out, sample) in out.0.iter_mut().zip(rest.chain(again).chain(silence)) {
                    *out = f32::from(*sample) / 32_768.0;
                }
                true
            }
        }
    }

    /// Advances by a block; returns `true` if that was the last one.
    fn advance(&mut self) -> bool {
        let len = match &self.sound {
            Sound::Made(notes) => notes.iter().map(|(_, len)| len).sum(),
            Sound::Recorded(recording) => recording.0.len(),
        };
        self.at += BLOCK_FRAMES;
        if self.repeats {
            self.at %= len;
        }
        self.at >= len
    }
}

/// A note of this many hertz (0 is a pause) for as many samples, whole blocks of them.
type Note = (f64, usize);

const fn note(hz: f64, ms: u32) -> Note {
    (hz, (ms / BLOCK_MS) as usize * BLOCK_FRAMES)
}

fn notes(tone: Tone) -> &'static [Note] {
    match tone {
        Tone::Ringing => const { &[note(425.0, 1000), note(0.0, 4000)] },
        Tone::Answered => const { &[note(660.0, 120), note(880.0, 180)] },
        Tone::Ended => const { &[note(880.0, 120), note(660.0, 180)] },
        Tone::Muted => const { &[note(440.0, 150)] },
        Tone::Unmuted => const { &[note(880.0, 150)] },
        Tone::Joined => const { &[note(660.0, 120), note(0.0, 60), note(660.0, 120)] },
        Tone::Left => const { &[note(440.0, 120), note(0.0, 60), note(440.0, 120)] },
        Tone::Lost => const { &[note(425.0, 800)] },
        Tone::Refused => const { &[note(330.0, 150), note(0.0, 60), note(330.0, 300)] },
        Tone::Trouble => {
            const { &[note(425.0, 200), note(0.0, 200), note(425.0, 200), note(0.0, 200), note(425.0, 200)] }
        }
    }
}

/// The note in which sample `at` lies: its pitch, where in it, and how long it is.
fn note_at(notes: &[Note], mut at: usize) -> Option<(f64, usize, usize)> {
    for &(hz, len) in notes {
        if at < len {
            return Some((hz, at, len));
        }
        at -= len;
    }
    None
}

/// One block of a note of `len` samples, ramped where it is the first or the last.
fn make(hz: f64, from: usize, len: usize, out: &mut Block) {
    for (sample, number) in out.0.iter_mut().zip(from..) {
        let turns = hz * number as f64 / f64::from(SAMPLE_RATE_HZ);
        *sample = (AMPLITUDE * (TAU * turns).sin()) as f32;
    }
    if from == 0 {
        ramp(&mut out.0, 0.0, 1.0);
    }
    if from + BLOCK_FRAMES >= len {
        ramp(&mut out.0, 1.0, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All samples of as many blocks; zeros where nothing is heard.
    fn played(player: &mut Player, blocks: usize) -> Vec<f32> {
        let mut samples = Vec::new();
        for _ in 0..blocks {
            let mut block = Block::SILENCE;
            let is_heard = player.pull(&mut block);
            assert!(is_heard || block.is_silent());
            samples.extend(block.0);
        }
        samples
    }

    fn sample(hz: f64, number: usize) -> f32 {
        (AMPLITUDE * (TAU * hz * number as f64 / 48_000.0).sin()) as f32
    }

    /// The largest difference between two samples that follow each other.
    fn largest_step(samples: &[f32]) -> f32 {
        samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn ringing_is_a_second_in_five_until_it_is_ended() {
        let mut player = Player::default();
        player.play_tone(Tone::Ringing);
        let heard = played(&mut player, 600);
        for number in (480..47_520).chain(240_480..287_520) {
            assert!((heard[number] - sample(425.0, number % 240_000)).abs() < 1e-6, "{number}");
        }
        assert!(heard[48_000..240_000].iter().all(|sample| *sample == 0.0));
        player.quiet();
        assert_eq!(played(&mut player, 500), vec![0.0; 500 * 480]);
    }

    #[test]
    fn what_is_cut_short_fades_and_what_follows_comes_after_it() {
        let mut player = Player::default();
        player.play_tone(Tone::Ringing);
        let mut heard = played(&mut player, 3);
        // As at the answer: one is ended, and the other begins at the same instant.
        player.quiet();
        player.play_tone(Tone::Answered);
        heard.extend(played(&mut player, 40));
        // Of a sine of 880 Hz at this loudness: 0.0144.
        assert!(largest_step(&heard) < 0.015, "{}", largest_step(&heard));
        assert!(heard[3 * 480..4 * 480 - 2].iter().any(|sample| sample.abs() > 0.05));
        for number in 480..11 * 480 {
            assert!((heard[4 * 480 + number] - sample(660.0, number)).abs() < 1e-6, "{number}");
        }
        let last = heard.iter().rposition(|sample| *sample != 0.0).expect("heard");
        assert_eq!(last / 480 + 1, 4 + 30);
    }

    #[test]
    fn notes_follow_each_other_without_a_step_and_end_by_themselves() {
        for (tone, ms) in [
            (Tone::Answered, 300),
            (Tone::Ended, 300),
            (Tone::Trouble, 1000),
            (Tone::Muted, 150),
            (Tone::Unmuted, 150),
            (Tone::Joined, 300),
            (Tone::Left, 300),
            (Tone::Lost, 800),
            (Tone::Refused, 510),
        ] {
            let mut player = Player::default();
            player.play_tone(tone);
            let heard = played(&mut player, 150);
            let last = heard.iter().rposition(|sample| *sample != 0.0).expect("heard");
            assert_eq!(last / 480 + 1, ms / 10, "{tone:?}");
            assert!(largest_step(&heard) < 0.015, "{tone:?}: {}", largest_step(&heard));
        }
    }

    #[test]
    fn recordings_are_played_sample_by_sample() {
        let numbered: Vec<i16> = (1..=1000).collect();
        let recording = Recording::new(&numbered).expect("sound");
        let expected: Vec<f32> = numbered.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        let mut player = Player::default();
        player.play(recording.clone());
        let heard = played(&mut player, 5);
        assert_eq!(&heard[..1000], expected);
        assert!(heard[1000..].iter().all(|sample| *sample == 0.0));
        // In the place of the ringing tone it repeats without a gap; the other tones are as they were.
        player.replace(Tone::Ringing, Some(ToneOverride::Recorded(recording)));
        player.play_tone(Tone::Ringing);
        let heard = played(&mut player, 100);
        assert!(heard.iter().zip(expected.iter().cycle()).all(|(heard, expected)| heard == expected));
        player.replace(Tone::Ringing, None);
        player.play_tone(Tone::Ringing);
        let heard = played(&mut player, 3);
        assert!((heard[1000] - sample(425.0, 1000 - 480)).abs() < 1e-6);
    }

    #[test]
    fn a_remark_gives_way_to_everything_but_another_one() {
        let alone = |tones: &[Tone]| {
            let mut player = Player::default();
            tones.iter().for_each(|tone| player.play_tone(*tone));
            played(&mut player, 60)
        };
        assert_eq!(alone(&[Tone::Ringing, Tone::Joined]), alone(&[Tone::Ringing]));
        assert_eq!(alone(&[Tone::Muted, Tone::Unmuted])[480..], alone(&[Tone::Unmuted])[..59 * 480]);
        assert_eq!(alone(&[Tone::Joined, Tone::Answered])[480..], alone(&[Tone::Answered])[..59 * 480]);
    }

    #[test]
    fn a_tone_may_be_silence_and_ends_the_ringing_too() {
        let mut player = Player::default();
        player.replace(Tone::Answered, Some(ToneOverride::Silence));
        player.play_tone(Tone::Ringing);
        played(&mut player, 3);
        player.play_tone(Tone::Answered);
        let heard = played(&mut player, 600);
        assert!(heard[..480].iter().any(|sample| *sample != 0.0), "it fades");
        assert!(heard[480..].iter().all(|sample| *sample == 0.0));
    }

    #[test]
    fn a_recording_is_neither_nothing_nor_without_end() {
        assert_eq!(Recording::new(&[]), None);
        assert_eq!(Recording::new(&vec![0; RECORDING_SAMPLES_MAX + 1]), None);
        assert_eq!(Recording::new(&[0; 24_000]).map(|recording| recording.seconds()), Some(0.5));
    }
}
