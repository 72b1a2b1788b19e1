//! What [`LocalTracks`] take from the other parts, and what their outputs mean for them.

use std::time::{Duration, Instant};

use super::Engine;
use super::audio::admission::who;
use super::audio::local::{LocalInput, LocalOutput, LocalTracks, SendPacket};
use super::outbox::Outbox;
use crate::media::block::Block;
use crate::room::Participant;
use crate::rtc::Peer;

impl Engine {
    /// Whether sound that is captured now is of use: it is sent, or kept on the way into the room.
    pub fn takes_sound(&self) -> bool {
        let is_connected = self.transports.is_connected();
        !self.session.is_leaving() && self.local.takes_sound(is_connected)
    }

    /// Takes the next 10 ms from the microphone. Before the track is published it is kept or dropped, as it is
    /// set. `lag` is how many samples (at 48 kHz) wait at this moment in the loudspeaker's card, to be heard, and
    /// in the microphone's behind this block, to be read; `None` where they are not cards.
    pub fn capture(&mut self, block: &Block, lag: Option<f32>, now: Instant) {
        if self.takes_sound() {
            self.with_local(now, |local, input, out, send| local.capture(block, lag, input, send, out));
        }
    }

    /// How long the turn took that began at `now`: where too many take too long, work is given up.
    pub fn handle_turn(&mut self, took: Duration, now: Instant) {
        self.local.handle_turn(took, now, &mut self.out);
    }

    /// Does what is due of our tracks.
    pub(super) fn attend_local(&mut self, now: Instant) {
        while self.with_local(now, |local, input, out, send| local.handle_timeout(input, send, out)) {}
    }

    /// Calls `act` with what our tracks need to know, and carries out what follows.
    pub(super) fn with_local<R>(
        &mut self,
        now: Instant,
        act: impl FnOnce(&mut LocalTracks, &LocalInput<'_>, &mut Outbox, &mut SendPacket<'_>) -> R,
    ) -> R {
        let has_signal = self.session.has_signal();
        let Self { transports, room, local, admission, out, .. } = self;
        let may_hear = |participant: &Participant| admission.may_hear(who(participant));
        let input = LocalInput {
            now,
            room,
            has_signal,
            is_connected: transports.is_connected(),
            takes_red: transports.takes_red(),
            may_hear: &may_hear,
        };
        let result = act(local, &input, out, &mut |line, packet| transports.send(line, packet, now));
        while let Some(output) = self.local.poll_output() {
            self.route_local(output, now);
        }
        result
    }

    fn route_local(&mut self, output: LocalOutput, now: Instant) {
        match output {
            LocalOutput::PacketsSent => {
                self.with_transports(now, |transports, ctx| transports.drive(Peer::Publisher, ctx));
            }
            LocalOutput::Offer => self.offer(now),
            LocalOutput::SoundDiscarded => self.cut_recording(now),
            LocalOutput::Recording(recording) => self.send_recording(recording, now),
            LocalOutput::Leave(outcome) => self.leave(Some(outcome), now),
        }
    }
}
