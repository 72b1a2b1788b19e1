//! The two data channels of a peer connection that we use: `_reliable` and `_lossy`.
//!
//! On the publisher we open them, in the first offer; on the subscriber the server does. Other channels (`_data_track`)
//! are ignored. A message for which SCTP has no room is returned to the caller, who keeps it in a bounded queue.

use str0m::Rtc;
use str0m::channel::{ChannelConfig, ChannelId, Reliability};

/// One of the two channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// In order, and repeated until it arrives.
    Reliable,
    /// Out of order, and never repeated.
    Lossy,
}

/// What became of a message that was to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// SCTP has it.
    Taken,
    /// SCTP has too much already: try again when some has arrived.
    NoRoom,
    /// The channel is not open, or not any more.
    NotOpen,
}

impl Channel {
    fn of_label(label: &str) -> Option<Channel> {
        match label {
            "_reliable" => Some(Channel::Reliable),
            "_lossy" => Some(Channel::Lossy),
            _ => None,
        }
    }
}

/// Which of str0m's channels are ours.
#[derive(Debug, Default)]
pub(super) struct Channels {
    reliable: Option<ChannelId>,
    lossy: Option<ChannelId>,
}

impl Channels {
    /// A channel is open. Of two with one label the first counts.
    pub(super) fn opened(&mut self, id: ChannelId, label: &str) -> Option<Channel> {
        let channel = Channel::of_label(label)?;
        let place = self.place(channel);
        if place.is_some() {
            return None;
        }
        *place = Some(id);
        Some(channel)
    }

    /// A channel is closed.
    pub(super) fn closed(&mut self, id: ChannelId) {
        if let Some(channel) = self.of(id) {
            *self.place(channel) = None;
        }
    }

    /// The channel with this id, if it is one of ours.
    pub(super) fn of(&self, id: ChannelId) -> Option<Channel> {
        [(self.reliable, Channel::Reliable), (self.lossy, Channel::Lossy)]
            .into_iter()
            .find_map(|(known, channel)| (known == Some(id)).then_some(channel))
    }

    /// Gives SCTP one message. Drain the connection afterwards.
    pub(super) fn write(&mut self, rtc: &mut Rtc, channel: Channel, bytes: &[u8]) -> Written {
        let Some(mut open) = self.place(channel).and_then(|id| rtc.channel(id)) else {
            return Written::NotOpen;
        };
        match open.write(true, bytes) {
            Ok(true) => Written::Taken,
            Ok(false) => Written::NoRoom,
            Err(_) => Written::NotOpen,
        }
    }

    /// Bytes given to SCTP on one channel that have not arrived yet; `None` if the channel is not open, and the number
    /// is unknown.
    pub(super) fn buffered_bytes(&self, rtc: &mut Rtc, channel: Channel) -> Option<usize> {
        let id = match channel {
            Channel::Reliable => self.reliable,
            Channel::Lossy => self.lossy,
        };
        let mut open = id.and_then(|id| rtc.channel(id))?;
        Some(open.buffered_amount())
    }

    fn place(&mut self, channel: Channel) -> &mut Option<ChannelId> {
        match channel {
            Channel::Reliable => &mut self.reliable,
            Channel::Lossy => &mut self.lossy,
        }
    }
}

/// `_reliable` is ordered; `_lossy` is neither ordered nor repeated (protocol, "Data channels").
pub(super) fn configs() -> [ChannelConfig; 2] {
    let reliable = ChannelConfig { label: "_reliable".to_owned(), ..ChannelConfig::default() };
    let lossy = ChannelConfig {
        label: "_lossy".to_owned(),
        ordered: false,
        reliability: Reliability::MaxRetransmits { retransmits: 0 },
        ..ChannelConfig::default()
    };
    [reliable, lossy]
}
