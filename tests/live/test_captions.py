"""Captions as LiveKit's agents send them, and streams that their senders leave open: nobody shuts out the others."""
import asyncio

from livekit import rtc

from meeting import meet, part, until
from peer import Peer

TOPIC = "lk.transcription"


async def caption(peer, text, speaker, segment, as_packet=True):
    """One caption on behalf of `speaker`, as livekit-agents sends it: a packet, and a stream of another segment id."""
    local = peer.room.local_participant
    if as_packet:
        words = rtc.TranscriptionSegment(
            id=f"SG_packet_{segment}", text=text, start_time=0, end_time=0, final=True, language=""
        )
        await local.publish_transcription(
            rtc.Transcription(participant_identity=speaker, track_sid="TR_1", segments=[words])
        )
    attributes = {"lk.transcription_final": "true", "lk.segment_id": f"SG_stream_{segment}"}
    writer = await local.stream_text(topic=TOPIC, sender_identity=speaker, attributes=attributes)
    await writer.write(text)
    await writer.aclose()


def test_an_agents_captions_come_once_and_leave_room_for_others(server, room, kinglet, run):
    async def call():
        anna, box = await meet(server, room, kinglet)
        agent = await Peer.join(server.url, room, "agent", kind="agent")
        await asyncio.to_thread(box.wait_for, "participant_joined", identity="agent")
        said = [f"sentence {number}" for number in range(9)]
        for number, text in enumerate(said):
            await caption(agent, text, "box" if number % 2 else "agent", number)
        await asyncio.to_thread(box.wait_for, "transcription", text=said[-1], final=True)
        await anna.room.local_participant.send_text("hello", topic="notes")
        await asyncio.to_thread(box.wait_for, "text_stream", text="hello", identity="anna")
        final = [event for event in box.events("transcription") if event["final"]]
        assert [event["text"] for event in final] == said, "each once, in order"
        assert [event["identity"] for event in final] == ["agent", "box"] * 4 + ["agent"]
        assert all(event["segment"].startswith("SG_stream_") for event in box.events("transcription"))
        await agent.leave()
        await part(anna, box)

    run(call())


def test_an_agent_that_sends_packets_only_is_heard(server, room, kinglet, run):
    async def call():
        agent = await Peer.join(server.url, room, "agent", kind="agent")
        box = kinglet("box", "--input", "none", "--output", "none")
        await asyncio.to_thread(box.wait_for, "connected")
        await agent.wait_for("participant_connected", "box")
        for number, text in enumerate(("good", "morning")):
            words = rtc.TranscriptionSegment(
                id=f"SG_{number}", text=text, start_time=0, end_time=0, final=True, language=""
            )
            await agent.room.local_participant.publish_transcription(
                rtc.Transcription(participant_identity="box", track_sid="TR_1", segments=[words])
            )
            await asyncio.sleep(0.7)
        await until(lambda: len(box.events("transcription")) == 2)
        assert [event["text"] for event in box.events("transcription")] == ["good", "morning"]
        await asyncio.to_thread(box.leave)
        await agent.leave()

    run(call())


def test_a_sender_that_leaves_its_streams_open_shuts_out_nobody(server, room, kinglet, run):
    async def call():
        anna, box = await meet(server, room, kinglet)
        hung = await Peer.join(server.url, room, "hung")
        await asyncio.to_thread(box.wait_for, "participant_joined", identity="hung")
        open_writers = []
        for number in range(8):
            writer = await hung.room.local_participant.stream_text(topic=f"open-{number}")
            await writer.write("begun")
            open_writers.append(writer)
        # On the ordered channel this comes after them.
        await hung.room.local_participant.publish_data("now", topic="mark")
        await asyncio.to_thread(box.wait_for, "data", topic="mark")
        await anna.room.local_participant.send_text("let me in", topic="notes")
        await asyncio.to_thread(box.wait_for, "text_stream", text="let me in", identity="anna")
        writer = await anna.room.local_participant.stream_bytes("a.bin", total_size=3, topic="pictures")
        await writer.write(b"abc")
        await writer.aclose()
        await asyncio.to_thread(box.wait_for, "byte_stream", bytes=3, identity="anna")
        warnings = [event["text"] for event in box.events("warning")]
        assert len(warnings) == 1, warnings
        assert "open-0" in warnings[0] and "hung" in warnings[0] and "anna" not in warnings[0], warnings
        await hung.leave()
        await part(anna, box)

    run(call())
