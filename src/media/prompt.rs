//! Tones for the person at the box: made here, so that they need no file.
//!
//! | tone | what is heard |
//! | --- | --- |
//! | ringing | 425 Hz, a second in five, until it is ended: as European exchanges do (ETSI TR 101 041) |
//! | answered | two notes upwards |
//! | ended | the same two downwards |
//! | trouble | 425 Hz, three times short |
//!
//! Each note begins and ends on a ramp, so that nothing clicks; so does one that is cut short.

use std::f64::consts::TAU;

use crate::command::Tone;
use crate::media::block::{BLOCK_FRAMES, BLOCK_MS, Block, SAMPLE_RATE_HZ};
use crate::media::gain::Gain;

/// Loudness: 18 dB below full scale, as loud as a voice at arm's length.
const AMPLITUDE: f64 = 0.125;

/// A note of this many hertz (0 is a pause) for as many blocks.
type Note = (f64, u32);

const fn note(hz: f64, ms: u32) -> Note {
    (hz, ms / BLOCK_MS)
}

fn notes(tone: Tone) -> &'static [Note] {
    match tone {
        Tone::Ringing => const { &[note(425.0, 1000), note(0.0, 4000)] },
        Tone::Answered => const { &[note(660.0, 120), note(880.0, 180)] },
        Tone::Ended => const { &[note(880.0, 120), note(660.0, 180)] },
        Tone::Trouble => {
            const { &[note(425.0, 200), note(0.0, 200), note(425.0, 200), note(0.0, 200), note(425.0, 200)] }
        }
    }
}

/// Plays one tone at a time; takes no memory.
#[derive(Debug, Default)]
pub struct Player {
    playing: Option<Playing>,
}

#[derive(Debug)]
struct Playing {
    tone: Tone,
    note: usize,
    /// Blocks of the note that were played.
    block: u32,
    /// Ends after the next block.
    is_ending: bool,
}

impl Player {
    /// Begins a tone, in place of another one.
    pub fn play(&mut self, tone: Tone) {
        self.playing = Some(Playing { tone, note: 0, block: 0, is_ending: false });
    }

    /// Ends a tone that repeats; others end by themselves.
    pub fn quiet(&mut self) {
        if let Some(playing) = self.playing.as_mut().filter(|playing| playing.tone == Tone::Ringing) {
            playing.is_ending = true;
        }
    }

    /// The next 10 ms into `out`, where something is heard.
    pub fn pull(&mut self, out: &mut Block) -> bool {
        let Some(playing) = &mut self.playing else { return false };
        let Some(&(hz, blocks)) = notes(playing.tone).get(playing.note) else { return false };
        let is_heard = hz > 0.0;
        if is_heard {
            let is_last = playing.block + 1 == blocks || playing.is_ending;
            sound(hz, playing.block, is_last, out);
        }
        playing.block += 1;
        if playing.block == blocks {
            (playing.note, playing.block) = (playing.note + 1, 0);
        }
        if playing.note == notes(playing.tone).len() {
            playing.note = 0;
            playing.is_ending |= playing.tone != Tone::Ringing;
        }
        if playing.is_ending {
            self.playing = None;
        }
        is_heard
    }
}

/// One block of a note, ramped where it is the first or the last.
fn sound(hz: f64, block: u32, is_last: bool, out: &mut Block) {
    let first = block as usize * BLOCK_FRAMES;
    for (sample, number) in out.0.iter_mut().zip(first..) {
        let turns = hz * number as f64 / f64::from(SAMPLE_RATE_HZ);
        *sample = (AMPLITUDE * (TAU * turns).sin()) as f32;
    }
    let mut gain = Gain::new(if block == 0 { 0.0 } else { 1.0 });
    gain.set(if is_last { 0.0 } else { 1.0 });
    gain.apply(out);
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

    #[test]
    fn ringing_is_a_second_in_five_until_it_is_ended() {
        let mut player = Player::default();
        player.play(Tone::Ringing);
        let heard = played(&mut player, 600);
        for number in (480..47_520).chain(240_480..287_520) {
            assert!((heard[number] - sample(425.0, number % 240_000)).abs() < 1e-6, "{number}");
        }
        assert!(heard[48_000..240_000].iter().all(|sample| *sample == 0.0));
        player.quiet();
        assert_eq!(played(&mut player, 500), vec![0.0; 500 * 480]);
    }

    #[test]
    fn one_that_is_cut_short_fades() {
        let mut player = Player::default();
        player.play(Tone::Ringing);
        played(&mut player, 3);
        player.quiet();
        let last = played(&mut player, 2);
        assert!(last[240..480].iter().any(|sample| *sample != 0.0) && last[479] == 0.0);
        assert!(last[480..].iter().all(|sample| *sample == 0.0));
    }

    #[test]
    fn notes_follow_each_other_without_a_step_and_end_by_themselves() {
        for (tone, ms) in [(Tone::Answered, 300), (Tone::Ended, 300), (Tone::Trouble, 1000)] {
            let mut player = Player::default();
            player.play(tone);
            // Only what repeats can be ended.
            player.quiet();
            let heard = played(&mut player, 150);
            let last = heard.iter().rposition(|sample| *sample != 0.0).unwrap();
            assert_eq!(last / 480 + 1, ms / 10, "{tone:?}");
            let step = heard.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
            assert!(step < 0.02, "{tone:?}: {step}");
        }
    }
}
