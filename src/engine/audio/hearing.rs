//! What we hear: the tracks of others, and our own prompts.

use super::admission::Admission;
use super::receiver_slots::Listener;
use super::volume::Volume;
use crate::engine::settings::Settings;
use crate::limits::SUBSCRIPTIONS_MAX;
use crate::local::overrides::Overrides;
use crate::local::subscription::Subscriptions;
use crate::media::receive::decode::DecoderError;
use crate::signal::sid::Sid;

/// What we hear.
pub(in crate::engine) struct Hearing {
    pub(in crate::engine) subscriptions: Subscriptions,
    pub(in crate::engine) admission: Admission,
    pub(in crate::engine) listener: Listener,
    /// Of single talkers, in percent.
    pub(in crate::engine) talker_volumes: Overrides<u16>,
    pub(in crate::engine) warned_encrypted: heapless::Vec<Sid, SUBSCRIPTIONS_MAX>,
    pub(in crate::engine) volume: Volume,
}

impl Hearing {
    /// Nobody is heard yet. No talker waits longer than `target_ms_max` for a late packet.
    pub(in crate::engine) fn new(settings: &Settings, target_ms_max: u32) -> Result<Hearing, DecoderError> {
        Ok(Hearing {
            subscriptions: Subscriptions::new(settings.hears.clone()),
            admission: Admission::default(),
            listener: Listener::new(target_ms_max)?,
            talker_volumes: Overrides::default(),
            warned_encrypted: heapless::Vec::new(),
            volume: Volume::new(settings.volume_percent),
        })
    }
}
