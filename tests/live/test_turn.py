"""A site that lets out the signal connection and one port of a TURN server, and nothing else."""
import pytest
from pair import hear_each_other
from wall import TURN_TLS, TURN_UDP, Wall


@pytest.fixture(scope="module")
def wall(output):
    wall = Wall(output / "wall")
    yield wall
    wall.stop()


@pytest.mark.parametrize("port", [f"tcp {TURN_TLS}", f"udp {TURN_UDP}"])
def test_joined_and_heard_both_ways_through_turn_only(wall, port, room, kinglet, folder):
    wall.let_out(port)
    box, panel = hear_each_other(
        kinglet, folder, wall.url, box=["--ca", wall.ca], box_prefix=wall.inner, panel_prefix=wall.out
    )
    box.leave()
    panel.leave()
    print(f"{port}: connected after {box.events('connected')[0]['t_ms']} ms")
    assert not any(one.events("reconnecting") or one.events("warning") for one in (box, panel))
    assert "typ relay" in wall.text()
