"""A site that lets out the signal connection and one port of a TURN server, and nothing else."""
import time

import pytest
from sound import Likeness, read_wav, speech
from wall import TURN_TLS, TURN_UDP, Wall

SECONDS = 8


@pytest.fixture(scope="module")
def wall(output):
    wall = Wall(output / "wall")
    yield wall
    wall.stop()


@pytest.mark.parametrize("port", [f"tcp {TURN_TLS}", f"udp {TURN_UDP}"])
def test_joined_and_heard_both_ways_through_turn_only(wall, port, room, kinglet, folder, output):
    wall.let_out(port)
    said, path = speech(SECONDS, output)
    heard_inside, heard_outside = folder / "inside.wav", folder / "outside.wav"
    panel = kinglet(
        "panel", "--input", f"wav:{path}", "--loop", "--output", f"wav:{heard_outside}",
        url=wall.url, prefix=wall.out,
    )
    panel.wait_for("local_track_published")
    box = kinglet(
        "box", "--input", f"wav:{path}", "--loop", "--output", f"wav:{heard_inside}", "--ca", wall.ca,
        url=wall.url, prefix=wall.inner,
    )
    connected = box.wait_for("connected", timeout_s=40)
    box.wait_for("track_subscribed", identity="panel")
    panel.wait_for("track_subscribed", identity="box")
    time.sleep(SECONDS)
    box.leave()
    panel.leave()
    up, down = Likeness(said, read_wav(heard_outside)), Likeness(said, read_wav(heard_inside))
    print(f"{port}: connected after {connected['t_ms']} ms; correlation up {up.median:.3f}, down {down.median:.3f}")
    assert up.median >= 0.9 and down.median >= 0.9
    assert not box.events("reconnecting") and not box.events("warning")
    assert "relay" in wall.text()
