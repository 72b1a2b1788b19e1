"""Somebody with a camera does not disturb, and no video is ever sent to us."""
import asyncio
import json

from peer import Peer
from sound import RATE, read_wav, tone, tone_levels


def test_a_camera_does_not_disturb(server, room, kinglet, folder, run):
    wav = folder / "heard.wav"

    async def call():
        peer = await Peer.join(server.url, room, "caller")
        await peer.show()
        peer.speak_on(tone(700, 10))
        box = kinglet("panel", "--input", "tone:400", "--output", f"wav:{wav}")
        await asyncio.to_thread(box.wait_for, "track_published", kind="video")
        await asyncio.to_thread(box.wait_for, "track_subscribed", kind="audio")
        await asyncio.sleep(6)
        second = await Peer.join(server.url, room, "late")
        await second.show()
        await asyncio.to_thread(box.wait_for, "track_published", kind="video", identity="late")
        await asyncio.sleep(3)
        await asyncio.to_thread(box.leave)
        await peer.leave()
        await second.leave()
        return box

    box = run(call())
    names = [event["event"] for event in box.events()]
    assert names.count("connected") == 1 and not {"reconnecting", "reconnected"} & set(names)
    assert all(event["kind"] == "audio" for event in box.events("track_subscribed"))
    assert tone_levels(read_wav(wav)[-3 * RATE : -RATE], [700])[700] > -30
    video = [event["sid"] for event in box.events("track_published") if event["kind"] == "video"]
    assert len(video) == 2
    assert not subscriptions(server.text(), "panel") & set(video), "the server never subscribed us to video"
    assert subscriptions(server.text(), "panel"), "the log tells of subscriptions at all"


def subscriptions(log, identity):
    """Tracks that the server's log says this participant was subscribed to."""
    found = set()
    for line in log.splitlines():
        if "subscribed to track" in line and f'"participant": "{identity}"' in line:
            fields = json.loads(line[line.index("{") :])
            found.add(fields.get("trackID"))
    return found
