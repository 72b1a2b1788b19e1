"""Messages between kinglet and the official SDK: user data, chat, keys, text, transcriptions."""
import asyncio
import base64

from livekit import rtc

from meeting import QUIET, until
from peer import Peer
from server import token


class Listener(Peer):
    """A peer that keeps the messages that it gets."""

    @classmethod
    async def join(cls, url, room, identity):
        peer = await super().join(url, room, identity)
        peer.data, peer.keys, peer.texts = [], [], []
        peer.room.on("data_received", peer.data.append)
        peer.room.on("sip_dtmf_received", peer.keys.append)
        for topic in ("", "notes", "lk.chat"):
            peer.room.register_text_stream_handler(topic, peer._text)
        return peer

    def _text(self, reader, identity):
        async def read():
            self.texts.append((identity, reader.info.topic, await reader.read_all()))

        self.tasks.append(asyncio.ensure_future(read()))


def test_user_data_both_ways_with_topics_and_destinations(server, room, kinglet, run):
    async def call():
        anna, bert = [await Listener.join(server.url, room, who) for who in ("anna", "bert")]
        box = kinglet("box", *QUIET)
        await asyncio.to_thread(box.wait_for, "connected")
        await anna.wait_for("participant_connected", "box")

        # A listener has no publisher before its first message.
        for number in range(50):
            box.tell(f"data --topic count {number}")
        box.tell('data --topic secret --to anna {"open": true}')
        box.tell("data --topic both --to anna --to bert hello")
        await until(lambda: len(anna.data) >= 52 and len(bert.data) >= 51)
        for peer in (anna, bert):
            counted = [int(packet.data) for packet in peer.data if packet.topic == "count"]
            assert counted == list(range(50)), "each once and in order"
            assert all(packet.participant.identity == "box" for packet in peer.data)
        assert [p.data for p in anna.data if p.topic == "secret"] == [b'{"open": true}']
        assert not [p for p in bert.data if p.topic == "secret"]
        assert [p.data for p in bert.data if p.topic == "both"] == [b"hello"]

        # Lossy ones may be lost, not on loopback.
        for number in range(20):
            box.tell(f"data --lossy --topic fast {number}")
            await asyncio.sleep(0.01)
        fast = lambda: [p for p in anna.data if p.topic == "fast"]
        await until(lambda: len(fast()) >= 18)
        assert all(p.kind == rtc.DataPacketKind.KIND_LOSSY for p in fast())

        me = anna.room.local_participant
        for number in range(50):
            await me.publish_data(f"{number}", reliable=True, topic="back")
        await me.publish_data(bytes(range(256)), reliable=True, topic="binary", destination_identities=["box"])
        await me.publish_data("not for us", reliable=True, topic="other", destination_identities=["bert"])
        for number in range(20):
            await me.publish_data(f"{number}", reliable=False, topic="fast")
            await asyncio.sleep(0.01)
        await until(lambda: len(box.events("data")) >= 69)
        await asyncio.sleep(0.3)
        events = box.events("data")
        back = [int(event["text"]) for event in events if event["topic"] == "back"]
        assert back == list(range(50))
        binary = [event for event in events if event["topic"] == "binary"]
        assert [base64.b64decode(event["base64"]) for event in binary] == [bytes(range(256))]
        assert not [event for event in events if event["topic"] == "other"]
        lossy = [event for event in events if event["topic"] == "fast"]
        assert len(lossy) >= 18 and not any(event["reliable"] for event in lossy)
        assert all(event["reliable"] for event in events if event["topic"] != "fast")
        await asyncio.to_thread(box.leave)
        await anna.leave()
        await bert.leave()

    run(call())


def test_chat_keys_and_text(server, room, kinglet, run):
    async def call():
        anna = await Listener.join(server.url, room, "anna")
        box = kinglet("box", *QUIET)
        await asyncio.to_thread(box.wait_for, "connected")
        await anna.wait_for("participant_connected", "box")
        box.tell("chat the door is open, bitte eintreten: Tür 1")
        box.tell("dtmf 12#a")
        box.tell("text --topic notes --to anna " + "€" * 4000)
        await until(lambda: len(anna.texts) >= 2 and len(anna.keys) >= 4)
        assert ("box", "lk.chat", "the door is open, bitte eintreten: Tür 1") in anna.texts
        assert ("box", "notes", "€" * 4000) in anna.texts
        assert [key.digit for key in anna.keys] == ["1", "2", "#", "A"]
        assert [key.code for key in anna.keys] == [1, 2, 11, 12]

        me = anna.room.local_participant
        await me.send_text("who is there?", topic="lk.chat")
        for code, digit in ((7, "7"), (10, "*"), (15, "D")):
            await me.publish_dtmf(code=code, digit=digit)
        await asyncio.to_thread(box.wait_for, "chat", text="who is there?", identity="anna")
        await asyncio.to_thread(box.wait_for, "dtmf", digit="D", identity="anna")
        assert [event["digit"] for event in box.events("dtmf")] == ["7", "*", "D"]
        await asyncio.to_thread(box.leave)
        await anna.leave()

    run(call())


def test_kinglets_tell_a_chat_message_once(room, kinglet):
    one, other = kinglet("one", *QUIET), kinglet("other", *QUIET)
    one.wait_for("participant_joined", identity="other")
    other.wait_for("participant_joined", identity="one")
    one.tell("chat hello")
    one.tell("chat again")
    other.wait_for("chat", text="again")
    assert [event["text"] for event in other.events("chat")] == ["hello", "again"]
    one.leave()
    other.leave()


def test_transcriptions_of_an_agent(server, room, kinglet, run):
    async def call():
        anna = await Listener.join(server.url, room, "anna")
        box = kinglet("box", *QUIET)
        await asyncio.to_thread(box.wait_for, "connected")
        await anna.wait_for("participant_connected", "box")
        attributes = {"lk.transcription_final": "false", "lk.segment_id": "SG_1", "lk.transcribed_track_id": "TR_1"}
        writer = await anna.room.local_participant.stream_text(topic="lk.transcription", attributes=attributes)
        await writer.write("open ")
        await asyncio.sleep(0.2)
        await writer.write("the door")
        await writer.aclose(attributes={"lk.transcription_final": "true"})
        said = await asyncio.to_thread(box.wait_for, "transcription", final=True)
        assert (said["text"], said["identity"], said["segment"]) == ("open the door", "anna", "SG_1")
        growing = [event["text"] for event in box.events("transcription") if not event["final"]]
        assert growing[0] == "open ", "captions grow while they are spoken"
        await asyncio.to_thread(box.leave)
        await anna.leave()

    run(call())


def test_agent_state_is_an_attribute(server, room, kinglet, run):
    async def call():
        box = kinglet("box", *QUIET)
        await asyncio.to_thread(box.wait_for, "connected")
        agent = Peer("agent")
        await agent.room.connect(server.url, token(room, "agent", canUpdateOwnMetadata=True))
        await asyncio.to_thread(box.wait_for, "participant_joined", identity="agent")
        for state in ("listening", "thinking"):
            await agent.room.local_participant.set_attributes({"lk.agent.state": state})
            await asyncio.to_thread(
                box.wait_for, "participant_changed", identity="agent", attributes={"lk.agent.state": state}
            )
        await asyncio.to_thread(box.leave)
        await agent.leave()

    run(call())


def test_a_token_without_data_is_told_so(server, room, kinglet):
    box = kinglet("box", "--token", token(room, "box", canPublishData=False), *QUIET)
    box.wait_for("connected")
    for line in ("data x", "chat x", "text x", "dtmf 1"):
        box.tell(line)
        result = box.wait_for("command_result", command=line)
        assert not result["ok"] and "canPublishData" in result["error"]["message"]
    box.leave()


def test_a_speaker_that_may_not_listen_gets_and_sends_data(server, room, kinglet, run):
    """The publisher is the primary connection then, and carries both ways."""

    async def call():
        anna = await Listener.join(server.url, room, "anna")
        box = kinglet("box", "--token", token(room, "box", canSubscribe=False), *QUIET)
        await asyncio.to_thread(box.wait_for, "connected")
        await anna.wait_for("participant_connected", "box")
        box.tell("data --topic up x")
        await until(lambda: any(packet.topic == "up" for packet in anna.data))
        await anna.room.local_participant.publish_data("y", reliable=True, topic="down")
        await asyncio.to_thread(box.wait_for, "data", topic="down", text="y")
        await asyncio.to_thread(box.leave)
        await anna.leave()

    run(call())
