//! Our tracks: microphone and announcements.

pub(in crate::engine) mod announcement;
pub(in crate::engine) mod microphone;
pub(in crate::engine) mod mute;
pub(in crate::engine) mod preconnect;
pub(in crate::engine) mod publish;

use crate::engine::settings::PublishSettings;
use crate::local::publication::Publication;
use crate::media::send::encode::EncoderError;
use announcement::Announcements;
use microphone::Microphone;

/// Our tracks.
pub(in crate::engine) struct LocalTracks {
    pub(in crate::engine) microphone: Option<Box<Microphone>>,
    /// Whether we were allowed a microphone when we last looked.
    pub(in crate::engine) may_speak: bool,
    /// The application has ended our track, and has not asked for it again.
    pub(in crate::engine) is_unpublished: bool,
    pub(in crate::engine) publication: Publication,
    pub(in crate::engine) announcements: Box<Announcements>,
}

impl LocalTracks {
    /// Tracks that are not published yet. `cid` is our name of the microphone's.
    pub(in crate::engine) fn new(
        cid: String,
        publish: Option<&PublishSettings>,
    ) -> Result<LocalTracks, EncoderError> {
        let (name, muted) = match publish {
            Some(publish) => (publish.name.clone(), publish.is_muted),
            None => (String::new(), true),
        };
        Ok(LocalTracks {
            announcements: Box::new(Announcements::new(format!("{cid}-announcement"))),
            microphone: publish.map(|publish| Microphone::new(publish).map(Box::new)).transpose()?,
            may_speak: false,
            is_unpublished: false,
            publication: Publication::new(cid, name, muted),
        })
    }
}
