"""How a STUN server sees us is told to the LiveKit server."""
import pytest
from server import Server
from stun import StunServer

# Nobody is there: what counts is that the server hears of it.
MAPPED = ("127.0.0.99", 40_404)


@pytest.fixture
def stun():
    stun = StunServer(mapped=MAPPED)
    yield stun
    stun.stop()


def test_a_stun_server_is_asked_and_its_answer_told_to_the_server(stun, output, kinglet):
    server = Server(output / "stun", stun=f"127.0.0.1:{stun.port}")
    try:
        box = kinglet("box", "--input", "tone", "--output", "none", url=server.url)
        box.wait_for("connected")
        box.wait_for("local_track_published")
        box.wait_until(lambda: f"{MAPPED[0]}" in server.text())
        box.leave()
        log = server.text()
    finally:
        server.stop()
    candidates = [line for line in log.splitlines() if MAPPED[0] in line]
    print(f"{len(stun.asked)} requests; the server: {candidates[0][:300]}")
    assert any("srflx" in line and str(MAPPED[1]) in line for line in candidates), candidates[:3]
    # Random numbers, each of its own.
    numbers = [number for _, number in stun.asked]
    assert len(set(numbers)) == len(numbers)
    assert not box.events("warning") and not box.events("reconnecting")
