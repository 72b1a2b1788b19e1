//! Counters, as the application sees them.

use serde::Serialize;

/// Counters since the last `stats` event. Rates are of that span, states are of its end.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Round trip of the signal connection, in milliseconds.
    pub rtt_ms: u32,
    /// Sent, Opus payload, bits per second.
    pub bitrate_out: u32,
    /// Loss of our track as its receiver reports it, in thousandths.
    pub loss_out_permille: u32,
    /// Overruns of the capture card.
    pub xruns_in: u32,
    /// Underruns of the playback card.
    pub xruns_out: u32,
    /// Times a sound card was opened again.
    pub reopens: u32,
    /// CPU time of this process over wall time.
    pub cpu_percent: f32,
    /// Resident memory, KiB.
    pub rss_kb: u32,
    /// Threads of this process.
    pub threads: u32,
    /// One for each remote track that is subscribed.
    pub tracks: Vec<TrackStats>,
}

/// Counters of one remote track.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TrackStats {
    /// Identity of the talker.
    pub identity: String,
    /// SID of the track.
    pub sid: String,
    /// Mean time that packets waited in our buffer, in milliseconds.
    pub buffer_ms: u32,
    /// What the buffer aims at, in milliseconds.
    pub target_ms: u32,
    /// Concealed sound, in thousandths of the time in which the talker was playing.
    pub concealed_permille: f32,
    /// Packets that arrived.
    pub received: u32,
    /// Packets that never arrived in time to be played.
    pub lost: u32,
    /// Packets that arrived after their playout.
    pub late: u32,
    /// Packets taken from a redundant copy (RFC 2198).
    pub red_recovered: u32,
    /// Packets rebuilt from in-band FEC (RFC 6716 §2.1.7).
    pub fec_recovered: u32,
    /// Estimated clock difference to the talker, in millionths.
    pub drift_ppm: f32,
    /// Level of what is played of it, dB below full scale; -127 is silence.
    pub level_dbfs: f32,
}
