//! After any disturbance of the stream the voice is soon heard again, with a delay that is no longer than before.

use super::simulated_call::SimulatedCall;
use crate::media::block::Block;
use crate::media::send::encode::EncoderSettings;
use crate::media::tests::voice::voice;

/// What may be done to a call.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// Sequence numbers jump, RTP time continues.
    Sequence(i64),
    /// RTP time jumps, sequence numbers continue.
    Time(i64),
    /// Both jump: the sender has restarted, and the track has another SSRC.
    OtherSsrc,
    /// The same, without another SSRC.
    Restart,
    /// Nobody speaks for this long: a packet comes every 400 ms.
    Silence { seconds: u64 },
    /// Muted for so long: nothing is sent.
    Mute { seconds: u64 },
    /// Nothing arrives for so long, and is lost.
    Outage { ms: u64 },
    /// Nothing arrives for so long, and then everything at once.
    Stall { ms: u64 },
    /// The loudspeaker pulls nothing for this long, and does not make up for it.
    Xrun { blocks: u64 },
}

const HOUR: i64 = 3600 * 48_000;

fn happen(call: &mut SimulatedCall, event: Event) {
    match event {
        Event::Sequence(by) => call.sequence = call.sequence.wrapping_add_signed(by),
        Event::Time(by) => call.rtp_base = call.rtp_base.wrapping_add_signed(by),
        Event::OtherSsrc | Event::Restart => {
            (call.sequence, call.rtp_base) = (call.sequence + 1_000_000_000, 17);
            if matches!(event, Event::OtherSsrc) {
                call.in_flight.clear();
                call.receiver.restart();
            }
        }
        Event::Silence { seconds } => pause(call, seconds),
        Event::Mute { seconds } => {
            call.packetizer.set_muted(true);
            pause(call, seconds);
            call.packetizer.set_muted(false);
        }
        Event::Outage { ms } => call.run(ms / 10, voice, |_| None),
        Event::Stall { ms } => {
            let end_ms = call.step * 10 + ms;
            call.run(ms / 10, voice, |now_ms| Some(end_ms - now_ms + 5));
        }
        Event::Xrun { blocks } => call.xrun(blocks),
    }
}

/// Long ones are not kept.
fn pause(call: &mut SimulatedCall, seconds: u64) {
    for _ in 0..seconds {
        call.forget();
        call.run(100, |_, block| *block = Block::SILENCE, |_| Some(5));
    }
}

#[test]
fn soon_it_is_as_before() {
    let cases = [
        Event::Sequence(200),
        Event::Sequence(5000),
        Event::Sequence(-5000),
        Event::Sequence(-1),
        Event::Time(48 * 7),
        Event::Time(48 * 150),
        Event::Time(-48 * 150),
        Event::Time(48 * 1500),
        Event::Time(-48 * 1500),
        Event::Time(HOUR),
        Event::Time(-HOUR),
        Event::OtherSsrc,
        Event::Restart,
        Event::Silence { seconds: 3 },
        Event::Silence { seconds: 120 },
        Event::Mute { seconds: 2 },
        Event::Mute { seconds: 3600 },
        Event::Outage { ms: 700 },
        Event::Outage { ms: 20_000 },
        Event::Stall { ms: 300 },
        Event::Stall { ms: 3000 },
        Event::Xrun { blocks: 2 },
        Event::Xrun { blocks: 30 },
        Event::Xrun { blocks: 500 },
    ];
    for event in cases {
        let mut call = SimulatedCall::new(EncoderSettings { dtx: true, ..EncoderSettings::default() });
        call.run(1000, voice, |_| Some(5));
        let (before_ms, _) = call.likeness(call.step - 150);
        happen(&mut call, event);
        call.run(300, voice, |_| Some(5));
        assert!(call.receiver.buffer_ms() <= 260, "{event:?}: {} ms wait", call.receiver.buffer_ms());
        // A small error is led away by the resampler, a millisecond a second.
        call.run(1500, voice, |_| Some(5));
        let counters = *call.receiver.counters();
        call.run(300, voice, |_| Some(5));
        let (delay_ms, alike) = call.likeness(call.step - 150);
        let after = *call.receiver.counters();
        assert!(alike > 0.8, "{event:?}: {alike} {after:?}");
        assert!(delay_ms < before_ms + 12.0, "{event:?}: {delay_ms} ms, before {before_ms} ms; {after:?}");
        let made_up = |c: &crate::media::receive::counters::ReceiveCounters| {
            (c.concealed_blocks, c.dropped_blocks, c.lost, c.late)
        };
        assert_eq!(made_up(&after), made_up(&counters), "{event:?}");
    }
}
