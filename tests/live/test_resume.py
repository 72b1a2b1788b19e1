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


def test_while_sound_flows_the_signal_connection_may_be_long_away(server, room, kinglet, run):
    proxy = Proxy(server.port)

    async def call():
        peer = await Peer.join(server.url, room, "caller")
        box = kinglet("box", "--input", "tone", "--output", "none", url=f"ws://127.0.0.1:{proxy.port}")
        await peer.wait_for("track_subscribed", "box")
        await asyncio.sleep(2)
        proxy.cut(refuse=True)
        await asyncio.to_thread(box.wait_for, "reconnecting")
        before = len(peer.sound_of("box"))
        await asyncio.sleep(18)
        heard = peer.sound_of("box")[before:]
        proxy.cut()
        resumed = await asyncio.to_thread(box.wait_for, "resumed")
        await asyncio.to_thread(box.leave)
        await peer.leave()
        return box, heard, resumed

    try:
        box, heard, resumed = run(call())
    finally:
        proxy.stop()
    blocks = heard[: len(heard) // 4800 * 4800].reshape(-1, 4800)
    silent = sum(abs(block).max() < 0.01 for block in blocks)
    print(f"{resumed['gap_ms']} ms without a signal connection; {silent} of {len(blocks)} blocks of 100 ms silent")
    assert resumed["gap_ms"] > 15_000 and len(blocks) > 150 and silent <= len(blocks) // 20
    assert len(box.events("local_track_published")) == 1 and not box.events("reconnected")
