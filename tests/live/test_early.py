"""What is said on the way into the room: people hear it, and agents get it as the stream of bytes that they expect."""
import asyncio
import time

import numpy as np
import pytest
from peer import Peer
from sound import RATE, Likeness, correlate, speech

TOPIC = "lk.agent.pre-connect-audio-buffer"
# Ears and mouth of a voice agent: in the room from the start, and heard without a call.
CALL = 'mode = "always"'


@pytest.fixture
def box(box):
    return lambda **options: box(call=CALL, **options)


def test_a_person_hears_the_first_word(server, room, box, output, run):
    said, path = speech(4, output)

    async def call():
        flat = await Peer.join(server.url, room, "flat")
        door = await asyncio.to_thread(lambda: box(input=f"wav:{path}"))
        await flat.hears_again("door", 0)
        await asyncio.sleep(3)
        heard = flat.sound_of("door")
        await flat.leave()
        return heard, door

    heard, door = run(call())
    begin = int(np.flatnonzero(np.abs(said) > 0.05)[0])
    word = said[begin : begin + int(0.4 * RATE)]
    score, at = correlate(word, heard, len(heard))
    print(f"the first word: correlation {score:.3f}, {at / RATE:.2f} s after the first sample")
    assert score >= 0.6
    door.stop()


@pytest.mark.parametrize("late_s", [0, 2])
def test_an_agent_gets_a_recording(server, room, box, output, run, late_s):
    said, path = speech(8, output)

    async def call():
        streams, tasks = [], []

        async def take(reader, identity):
            pcm = b"".join([chunk async for chunk in reader])
            streams.append((identity, reader.info, pcm))

        def prepare(room):
            room.register_byte_stream_handler(
                TOPIC, lambda reader, identity: tasks.append(asyncio.ensure_future(take(reader, identity)))
            )

        if late_s:
            door = await asyncio.to_thread(lambda: box(input=f"wav:{path}"))
            await asyncio.sleep(late_s)
        agent = await Peer.join(server.url, room, "agent-1", kind="agent", prepare=prepare)
        if not late_s:
            door = await asyncio.to_thread(lambda: box(input=f"wav:{path}"))
        await agent.wait_for("track_subscribed", "door")
        deadline = asyncio.get_running_loop().time() + 20
        while not streams:
            assert asyncio.get_running_loop().time() < deadline, door.journal.read_text()
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        [publication] = agent.remote("door").track_publications.values()
        features, sid = list(publication.audio_features), publication.sid
        await agent.leave()
        return streams, features, sid, door

    [(identity, info, pcm)], features, sid, door = run(call())
    heard = np.repeat(np.frombuffer(pcm, "<i2").astype(np.float32) / 32768, 2)
    seconds = len(heard) / RATE
    print(f"{seconds:.2f} s of earlier sound")
    assert identity == "door" and info.attributes == {"trackId": sid, "sampleRate": "24000", "channels": "1"}
    assert 6 in features, "TF_PRECONNECT_BUFFER"
    assert late_s < seconds < late_s + 6
    if late_s:
        # The recording begins where the file does.
        likeness = Likeness(said[: int((late_s - 0.5) * RATE)], heard)
        assert likeness.median >= 0.95 and likeness.offset < 0.2 * RATE
    door.stop()


def test_an_agent_gets_nothing_from_before_a_mute(server, room, box, output, run):
    said, path = speech(12, output)

    async def call():
        streams, tasks = [], []

        async def take(reader):
            streams.append(b"".join([chunk async for chunk in reader]))

        def prepare(room):
            room.register_byte_stream_handler(
                TOPIC, lambda reader, _: tasks.append(asyncio.ensure_future(take(reader)))
            )

        door = await asyncio.to_thread(lambda: box(input=f"wav:{path}"))
        await asyncio.sleep(2)
        await asyncio.to_thread(door.ask, "mute")
        agent = await Peer.join(server.url, room, "agent-1", kind="agent", prepare=prepare)
        await agent.wait_for("track_subscribed", "door")
        # The server announces a participant without a track within three seconds; the recording goes half a second later.
        await asyncio.to_thread(door.wait_for, "participant_joined", identity="agent-1")
        await asyncio.sleep(1)
        before = list(streams)
        await asyncio.to_thread(door.ask, "unmute")
        unmuted = time.monotonic()
        await agent.hears_again("door", unmuted)
        await asyncio.sleep(1)
        heard = agent.sound_of("door")
        await agent.leave()
        return before, streams, heard, door

    before, streams, heard, door = run(call())
    print(f"{[len(pcm) / 48_000 for pcm in before]} s of sound from before the mute")
    assert before == [b""], "an agent waits for one, and gets an empty one"
    begin = int(np.flatnonzero(np.abs(said) > 0.05)[0])
    word = said[begin : begin + int(0.4 * RATE)]
    for sound in (heard, *(np.repeat(np.frombuffer(pcm, "<i2") / 32768, 2) for pcm in streams if pcm)):
        score, _ = correlate(word, sound.astype(np.float32), len(sound))
        assert score < 0.5, f"the first word is in it: {score:.2f}"
    door.stop()
