//! The settings of an [`Engine`](super::Engine).

use std::collections::BTreeMap;

use crate::local::policy::SubscriptionPolicy;
use crate::media::send::adapt::Redundancy;
use crate::media::send::audio_processor::Duplex;
use crate::media::send::profile::AudioProfile;
use crate::session::recovery::Retry;
use crate::signal::parameters::JoinParameters;
use crate::signal::secret::Secret;
use crate::signal::url::ServerUrl;

/// Settings of a client.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server; another one may come with a token.
    pub url: ServerUrl,
    /// Facts about this device for the server.
    pub parameters: JoinParameters,
    /// Access token; the server's refreshed ones replace it.
    pub token: Secret,
    /// Whether its source can be asked again when it is refused.
    pub renews_token: bool,
    /// What we publish, if anything.
    pub publish: Option<PublishSettings>,
    /// Whether we hear others at all.
    pub listens: bool,
    /// The policy for tracks that are not named one by one.
    pub hears: SubscriptionPolicy,
    /// When to come back.
    pub retry: Retry,
    /// Methods that the application answers (RPC); others are refused.
    pub rpc_methods: Vec<String>,
    /// Whether byte streams of others are stored ([`super::FileOrder::Create`]); otherwise they are only reported.
    pub stores_files: bool,
    /// Loudness of what we play, percent of the unchanged level.
    pub volume_percent: u8,
    /// Attributes that we have from the start; those that the token does not hold are sent to the server.
    pub attributes: BTreeMap<String, String>,
}

/// Settings of our track.
#[derive(Debug, Clone)]
pub struct PublishSettings {
    /// The track's name.
    pub name: String,
    /// Whether it starts muted.
    pub is_muted: bool,
    /// Whether a session without the permission to publish is useless: a file or pipe must be heard.
    pub is_required: bool,
    /// Whether silence is not sent (Opus DTX). It cuts steady tones and prompts after a second, so
    /// it is for microphones.
    pub dtx: bool,
    /// What is done to the microphone's sound. The io ring leaves it untouched where microphone and
    /// loudspeaker are not both cards.
    pub duplex: Duplex,
    /// What the send path is good at.
    pub profile: AudioProfile,
    /// Whether packets carry earlier ones again (RED).
    pub redundancy: Redundancy,
    /// Whether sound from the way into the room is kept, and sent first.
    pub keeps_early_sound: bool,
}

impl Default for PublishSettings {
    /// A track that is called as other clients call theirs.
    fn default() -> Self {
        Self {
            name: "microphone".to_owned(),
            is_muted: false,
            is_required: false,
            dtx: false,
            duplex: Duplex::default(),
            profile: AudioProfile::default(),
            redundancy: Redundancy::default(),
            keeps_early_sound: false,
        }
    }
}
