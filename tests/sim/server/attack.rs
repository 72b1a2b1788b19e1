//! What a server that means harm does with a peer connection that is up. Words on the signal connection are injected by the
//! stories themselves.

use crate::server::Sfu;
use std::time::Instant;
use str0m::channel::ChannelConfig;

impl Sfu {
    /// Opens channels on an identity's subscriber.
    pub fn open_channels(&mut self, identity: &str, labels: &[&str], now: Instant) {
        for session in self.sessions_of(identity) {
            let Some(participant) = self.participants.get_mut(&session) else { continue };
            let transport = &mut participant.subscriber.transport;
            for label in labels {
                let config = ChannelConfig { label: label.to_string(), ..ChannelConfig::default() };
                transport.rtc().direct_api().create_data_channel(config);
            }
            transport.advance(now);
        }
        self.settle(now);
    }

    /// Writes to the channel of this label on an identity's subscriber; whether there was room for it.
    pub fn write_data(&mut self, identity: &str, label: &str, bytes: &[u8], now: Instant) -> bool {
        let mut is_written = false;
        for session in self.sessions_of(identity) {
            let Some(participant) = self.participants.get_mut(&session) else { continue };
            is_written = participant.subscriber.transport.write_channel(label, bytes, now);
        }
        self.settle(now);
        is_written
    }

    /// Writes to an SCTP stream of an identity's subscriber that was never announced.
    pub fn write_unannounced(&mut self, identity: &str, stream: u16, bytes: &[u8], now: Instant) {
        for session in self.sessions_of(identity) {
            let Some(participant) = self.participants.get_mut(&session) else { continue };
            let transport = &mut participant.subscriber.transport;
            let config = ChannelConfig { negotiated: Some(stream), ..ChannelConfig::default() };
            let id = transport.rtc().direct_api().create_data_channel(config);
            transport.advance(now);
            if let Some(mut channel) = transport.rtc().channel(id) {
                channel.write(true, bytes).expect("it is open here");
            }
            transport.advance(now);
        }
        self.settle(now);
    }
}
