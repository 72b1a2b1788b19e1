//! One end of the sound that is a card: what its capture and its playback have in common.
//!
//! The samples that wait between us and a card belong to that card: whenever it is opened again, [`CardEnd::renew`]
//! starts with its settings.

use std::time::Instant;

use crate::io::sound::card::Card;
use crate::io::sound::pcm_settings::PcmRequest;

/// Capture or playback of a card.
pub trait CardEnd {
    /// The card behind it.
    fn card(&self) -> &Card;

    /// The card behind it, mutable.
    fn card_mut(&mut self) -> &mut Card;

    /// The card was opened again: samples that wait here belong to the previous one.
    fn renew(&mut self);

    /// Looks for a lost card, where it is time to. It may run or not.
    fn attend(&mut self, now: Instant) {
        if self.card_mut().revive(now) {
            self.renew();
        }
    }

    /// `auto` selects this PCM. Returns whether it is open.
    fn move_to(&mut self, pcm: &str, request: PcmRequest, now: Instant) -> bool {
        let moves = self.card().moves();
        let is_there = self.card_mut().move_to(pcm, request, now);
        if moves != self.card().moves() {
            self.renew();
        }
        is_there
    }

    /// Opens the card again with this rate, if the hardware has it. Returns whether it did.
    fn set_rate(&mut self, rate_hz: u32, now: Instant) -> bool {
        let is_set = self.card_mut().set_rate(rate_hz, now);
        self.renew();
        is_set
    }
}
