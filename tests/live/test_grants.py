"""Tokens that allow less: listen only, speak only, neither."""
import asyncio

from peer import Peer
from server import token
from sound import RATE, read_wav, tone, tone_levels


def test_a_listener_may_not_speak(server, room, kinglet, folder, run):
    wav = folder / "heard.wav"

    async def call():
        peer = await Peer.join(server.url, room, "talker")
        peer.speak_on(tone(600, 10))
        grant = token(room, "box", canPublish=False)
        box = kinglet("box", "--token", grant, "--input", "tone", "--output", f"wav:{wav}")
        await asyncio.to_thread(box.wait_for, "track_subscribed")
        await asyncio.sleep(3)
        await asyncio.to_thread(box.leave)
        await peer.leave()
        return box

    box = run(call())
    assert any("does not allow a microphone" in event["text"] for event in box.events("warning"))
    assert not box.events("local_track_published")
    assert tone_levels(read_wav(wav)[-2 * RATE : -RATE // 2], [600])[600] > -30


def test_a_speaker_may_not_listen(server, room, kinglet, run):
    async def call():
        peer = await Peer.join(server.url, room, "listener")
        peer.speak_on(tone(600, 10))
        grant = token(room, "box", canSubscribe=False)
        box = kinglet("box", "--token", grant, "--input", "tone:700", "--output", "none")
        await asyncio.to_thread(box.wait_for, "connected")
        await peer.wait_for("track_subscribed", "box")
        await asyncio.sleep(3)
        heard = peer.sound_of("box")
        await asyncio.to_thread(box.leave)
        await peer.leave()
        return box, heard

    box, heard = run(call())
    assert not box.events("track_subscribed")
    assert tone_levels(heard[-2 * RATE :], [700])[700] > -30


def test_who_may_do_neither_is_in_the_room_all_the_same(server, room, kinglet):
    grant = token(room, "box", canSubscribe=False, canPublish=False)
    box = kinglet("box", "--token", grant, "--input", "none", "--output", "none")
    box.wait_for("connected")
    box.leave()
