"""RED: packets carry earlier ones again, as it is set, and what the line loses is not missed."""
import asyncio

import pytest
from peer import Peer
from relay import ONLY_THROUGH_THE_RELAY, Relay
from server import Server
from sound import Likeness, speech

SECONDS = 10
# One in six lost is more than the voice can bear, and each lost packet is in the one behind it.
LOSE_NTH = 6


@pytest.fixture(scope="module")
def bad_line(output):
    server = Server(output / "bad-line", rtc=ONLY_THROUGH_THE_RELAY, node_ip=Relay.ADDRESS)
    relay = Relay(server.udp_port)
    yield server, relay
    relay.stop()
    server.stop()


@pytest.mark.parametrize("red", ["on", "off"])
def test_what_is_lost_on_the_way_up_is_repaired_where_red_is_on(bad_line, room, kinglet, output, run, red):
    server, relay = bad_line
    relay.lose_nth = LOSE_NTH
    said, path = speech(SECONDS, output)

    async def call():
        listener = kinglet("panel", "--input", "none", "--output", "none", "--hear", "none", url=server.url)
        await asyncio.to_thread(listener.wait_for, "connected")
        peer = await Peer.join(server.url, room, "listener")
        talker = kinglet(
            "door", "--input", f"wav:{path}", "--output", "none", "--red", red, "--stats", "1", url=server.url
        )
        await peer.wait_for("track_subscribed", "door")
        [publication] = peer.remote("door").track_publications.values()
        assert await asyncio.to_thread(talker.end, 60) == 0, talker.report()
        heard = peer.sound_of("door")
        await peer.leave()
        return talker, publication.mime_type, heard

    talker, mime_type, heard = run(call())
    likeness = Likeness(said, heard)
    worst = sorted(likeness.scores)[len(likeness.scores) // 5]
    reported = max(stats["loss_out_permille"] for stats in talker.events("stats"))
    print(
        f"RED {red}: {mime_type}, {relay.lost} of {relay.passed} packets lost, {reported} permille reported; correlation "
        f"{likeness.median:.3f}, a fifth of the windows below {worst:.3f}"
    )
    assert mime_type == {"on": "audio/red", "off": "audio/opus"}[red]
    assert relay.lost > 0
    assert likeness.median >= {"on": 0.9, "off": 0.5}[red] and (red == "off" or worst >= 0.8)
