"""The signal connection is cut during a call: the session goes on, and the talk with it."""
import asyncio
import time

from peer import Peer
from proxy import Proxy
from sound import Likeness, read_wav, speech


def test_cut_three_times_while_both_speak(server, room, kinglet, folder, output, run):
    said, path = speech(20, output)
    wav = folder / "heard.wav"
    proxy = Proxy(server.port)

    async def call():
        peer = await Peer.join(server.url, room, "caller")
        url = f"ws://127.0.0.1:{proxy.port}"
        box = kinglet("box", "--input", f"wav:{path}", "--output", f"wav:{wav}", "--stats", "1", url=url)
        await peer.wait_for("track_subscribed", "box")
        await asyncio.to_thread(box.wait_for, "connected")
        peer.speak_on(said)
        for seconds_away in (0, 0, 3):
            await asyncio.sleep(3)
            before = len(box.events("resumed"))
            proxy.cut(refuse=seconds_away > 0)
            if seconds_away:
                await asyncio.sleep(seconds_away)
                proxy.cut()
            deadline = time.monotonic() + 10
            while len(box.events("resumed")) == before and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
            assert len(box.events("resumed")) == before + 1, box.report()
        assert await asyncio.to_thread(box.end, 60) == 0, box.report()
        heard = peer.sound_of("box")
        joined = peer.times("participant_connected", "box") + peer.times("participant_disconnected", "box")
        await peer.leave()
        return box, heard, joined

    try:
        box, heard, joined = run(call())
    finally:
        proxy.stop()
    up, down = Likeness(said, heard), Likeness(said, read_wav(wav))
    gaps = [event["gap_ms"] for event in box.events("resumed")]
    lost = sum(track["lost"] for stats in box.events("stats") for track in stats["tracks"])
    print(f"resumed after {gaps} ms; correlation up {up.median:.3f}, down {down.median:.3f}; {lost} packets lost on the way down")
    assert not box.events("reconnected") and len(box.events("connected")) == 1
    assert len(joined) <= 2, "others saw us come once and leave once"
    assert up.median >= 0.9 and down.median >= 0.9
    assert lost <= 15, "a packet or two around each ICE restart"


def test_what_a_resume_cannot_mend_in_time_a_new_session_does(server, kinglet):

    proxy = Proxy(server.port)
    try:
        box = kinglet("box", "--input", "tone", "--output", "none", url=f"ws://127.0.0.1:{proxy.port}")
        box.wait_for("local_track_published")
        proxy.cut(refuse=True)
        box.wait_for("reconnecting")
        time.sleep(18)
        proxy.cut()
        box.wait_for("reconnected", timeout_s=20)
        deadline = time.monotonic() + 10
        while len(box.events("local_track_published")) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(box.events("local_track_published")) == 2, box.report()
        box.leave()
    finally:
        proxy.stop()
