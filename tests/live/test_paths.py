"""Ways for the sound other than plain UDP."""
import asyncio

import pytest
from peer import Peer
from server import Server
from sound import Likeness, read_wav, speech

SECONDS = 8


@pytest.fixture(scope="module")
def without_udp(output):
    server = Server(output / "without-udp", rtc="force_tcp: true")
    yield server
    server.stop()


def test_a_server_without_udp_is_heard_and_hears_over_tcp(without_udp, room, kinglet, folder, output, run):
    said, path = speech(SECONDS, output)
    wav = folder / "heard.wav"

    async def call():
        peer = await Peer.join(without_udp.url, room, "caller")
        box = kinglet("box", "--input", f"wav:{path}", "--output", f"wav:{wav}", url=without_udp.url)
        await peer.wait_for("track_subscribed", "box")
        peer.speak_on(said)
        assert await asyncio.to_thread(box.end, 60) == 0, box.report()
        heard = peer.sound_of("box")
        await peer.leave()
        return box, heard

    box, heard = run(call())
    up, down = Likeness(said, heard), Likeness(said, read_wav(wav))
    connected = box.events("connected")[0]["t_ms"]
    print(f"connected after {connected} ms; correlation up {up.median:.3f}, down {down.median:.3f}")
    # The server waits 1 s for a better address than the one that it was not told of.
    assert connected < 8_000
    assert up.median >= 0.9 and down.median >= 0.9
    assert not box.events("reconnecting") and not box.events("warning")
