//! What [`Data`] and [`OwnProfile`](super::data::profile::OwnProfile) take from the other parts, and give to them.

use std::time::Instant;

use super::Engine;
use super::audio::local::PreconnectRecording;
use super::data::{Data, DataContext};
use super::outbox::Outbox;
use super::port::{FileKey, FileNotice};

impl Engine {
    /// What has become of an order; the io ring reports each that has a result.
    pub fn handle_file(&mut self, key: FileKey, notice: FileNotice, now: Instant) {
        self.data.handle_file(key, notice, &self.room, now, &mut self.out);
        self.send_queued(now);
        if matches!(key, FileKey::Sent(_)) {
            self.farewell_moves(now);
        }
    }

    /// Calls `act` with what commands need, and sends what it has queued.
    pub(super) fn with_data<R>(
        &mut self,
        now: Instant,
        act: impl FnOnce(&mut Data, &mut DataContext<'_>, &mut Outbox) -> R,
    ) -> R {
        let Self { session, room, data, random, out, .. } = self;
        let (may_send, server) = (session.may_send(), session.server());
        let result = act(data, &mut DataContext { may_send, server, room, random }, out);
        self.send_queued(now);
        result
    }

    /// Packets that a drain brought.
    pub(super) fn data_arrived(&mut self, now: Instant) {
        self.data.handle_arrived(&self.room, now, &mut self.out);
        self.send_queued(now);
    }

    /// The publisher has moved: something may have arrived, and something else may follow.
    pub(super) fn data_moved(&mut self, now: Instant) {
        if self.data.has_waiting() {
            // A channel that the server has closed holds nothing, which is no confirmation.
            if let Some(buffered) = self.transports.buffered_bytes() {
                self.data.confirmed(buffered, now);
            }
            self.send_more(now);
        }
        self.farewell_moves(now);
    }

    /// Sends what waits, and more of what is sent in pieces.
    pub(super) fn send_more(&mut self, now: Instant) {
        self.write_data(now);
        self.data.send_more(&mut self.out);
        self.send_queued(now);
    }

    /// Sends what was queued, where something was.
    fn send_queued(&mut self, now: Instant) {
        if !self.data.take_queued() {
            return;
        }
        if self.session.has_signal() && !self.transports.was_offered() {
            self.offer(now);
        }
        self.write_data(now);
    }

    /// Hands SCTP what it takes, as long as it takes something.
    fn write_data(&mut self, now: Instant) {
        loop {
            let is_whole = self.session.is_whole();
            let Self { transports, data, out, .. } = self;
            if !data.write(is_whole, &mut |channel, bytes| transports.write(channel, bytes), now, out) {
                return;
            }
            self.with_transports(now, |transports, ctx| transports.send_written(ctx));
        }
    }

    /// Does what is due for messages and for our profile.
    pub(super) fn attend_data(&mut self, now: Instant) {
        self.own.handle_timeout(now, &mut self.out);
        self.data.handle_timeout(now, &mut self.out);
        self.send_queued(now);
    }

    /// Agents are there: what was said before they came is for them.
    pub(super) fn send_recording(&mut self, recording: PreconnectRecording, now: Instant) {
        let PreconnectRecording { pcm, track, destinations } = recording;
        self.with_data(now, |data, context, out| {
            data.send_recording((track, pcm), destinations, context, now, out);
        });
    }

    /// What was captured until now is private.
    pub(super) fn cut_recording(&mut self, now: Instant) {
        self.data.cut_recording();
        self.send_queued(now);
    }
}
