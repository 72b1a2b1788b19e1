//! Session descriptions of one peer connection: our offers and the server's, and the answers to them.
//!
//! An answer or offer with new credentials starts ICE, or restarts it: `IceTcp` and `TurnState` begin again.

use std::time::Instant;

use super::PeerTransport;
use crate::engine::outbox::Outbox;
use crate::engine::transport::context::TransportContext;
use crate::engine::transport::ice_servers::IceServers;
use crate::rtc::{Failure, Line};
use crate::signal::request::Request;
use crate::signal::sid::Sid;

impl PeerTransport {
    /// Sends an offer that puts each track of `cids` on its line, or silences the line; `true` if there was something to
    /// offer and no other offer is open. [`PeerTransport::drive`] must follow.
    pub(in crate::engine::transport) fn offer(
        &mut self,
        cids: [Option<&str>; Line::ALL.len()],
        now: Instant,
        out: &mut Outbox,
    ) -> bool {
        let Some(publisher) = self.connection.sending_mut() else { return false };
        let Some((sdp, id)) = publisher.offer(cids) else { return false };
        self.negotiation.offered(publisher.is_connected(), now);
        out.request(&Request::Offer { sdp, id });
        true
    }

    /// Sends an offer that restarts ICE, if there was an offer before.
    pub(in crate::engine::transport) fn restart(&mut self, ctx: &mut TransportContext<'_>) {
        let publisher = self.connection.sending_mut();
        let Some((sdp, id)) = publisher.and_then(|publisher| publisher.restart()) else { return };
        self.negotiation.restarted(ctx.now);
        ctx.out.request(&Request::Offer { sdp, id });
        self.drive(None, ctx);
    }

    /// The server's answer to offer `id`.
    ///
    /// # Errors
    /// It cannot be used: the connection is dead.
    pub(in crate::engine::transport) fn accept_answer(
        &mut self,
        text: &str,
        id: u32,
        servers: &IceServers,
        ctx: &mut TransportContext<'_>,
    ) -> Result<(), Failure> {
        let Some(publisher) = self.connection.sending_mut() else { return Ok(()) };
        publisher.accept_answer(text, id, ctx.now)?;
        if !publisher.awaits_answer() {
            self.negotiation.answered();
        }
        self.begin_ice(servers, ctx);
        Ok(())
    }

    /// The server's offer: our answer to it. [`PeerTransport::drive`] must follow.
    ///
    /// # Errors
    /// It cannot be answered: the connection is dead.
    pub(in crate::engine::transport) fn answer(
        &mut self,
        text: &str,
        track_of_mid: impl Fn(&str) -> Option<Sid>,
        servers: &IceServers,
        ctx: &mut TransportContext<'_>,
    ) -> Result<Option<String>, Failure> {
        let Some(subscriber) = self.connection.receiving_mut() else { return Ok(None) };
        let sdp = subscriber.answer(text, track_of_mid, ctx.now)?;
        self.begin_ice(servers, ctx);
        Ok(Some(sdp))
    }

    /// Starts or restarts ICE if the server's credentials are new.
    fn begin_ice(&mut self, servers: &IceServers, ctx: &mut TransportContext<'_>) {
        let Self { peer, connection, ice_tcp, turn, .. } = self;
        let ice = &mut connection.ice();
        if ice.take_begun() {
            let was_connected = ice.is_connected();
            ice_tcp.begin(*peer, ice, ctx.now, ctx.out);
            turn.begin(servers.prefers_relay(), was_connected, ctx.now);
        }
    }
}
