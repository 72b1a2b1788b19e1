//! What [`LocalTracks`](super::LocalTracks) ask of the other parts: [`LocalOutput`].

use crate::engine::outbox::Outbox;
use crate::engine::port::Action;
use crate::rtc::Peer;
use crate::session::recovery::Outcome;
use crate::signal::sid::Sid;

/// Outputs of one call. A timeout makes most: that of the talk key closes the microphone, that of the announcement
/// offers and sends.
const OUTPUTS_MAX: usize = 8;

/// Outputs that wait for [`LocalTracks::poll_output`](super::LocalTracks::poll_output).
pub(super) type Outputs = heapless::Deque<LocalOutput, OUTPUTS_MAX>;

/// What another part has to do.
#[derive(Debug)]
pub(in crate::engine) enum LocalOutput {
    /// The publisher was given packets: it must be advanced.
    PacketsSent,
    /// Our tracks have changed: the publisher must send a new offer.
    Offer,
    /// What was captured until now has become private: a recording that is on its way to agents must be withdrawn.
    SoundDiscarded,
    /// A recording must be sent to agents.
    Recording(PreconnectRecording),
    /// A required input cannot be sent: the session is useless.
    Leave(Outcome),
}

/// Sound from before the first subscriber.
#[derive(Debug)]
pub(in crate::engine) struct PreconnectRecording {
    /// Samples: s16le, mono, [`PRECONNECT_SAMPLE_RATE_HZ`](crate::limits::PRECONNECT_SAMPLE_RATE_HZ).
    pub(in crate::engine) pcm: Vec<u8>,
    /// The track that it precedes.
    pub(in crate::engine) track: Sid,
    /// Identities of the agents that it is for.
    pub(in crate::engine) destinations: Vec<String>,
}

/// Adds an output.
pub(super) fn push(outputs: &mut Outputs, output: LocalOutput) {
    // There is room: the caller takes all outputs after each call.
    let _ = outputs.push_back(output);
}

/// What was captured until now has become private, and was discarded here: it is to be discarded everywhere.
pub(super) fn sound_discarded(out: &mut Outbox, outputs: &mut Outputs) {
    out.act(Action::DiscardSound(Peer::Publisher));
    push(outputs, LocalOutput::SoundDiscarded);
}
