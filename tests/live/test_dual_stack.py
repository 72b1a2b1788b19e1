"""A server on both families, its signal connection reached by either. Two kinglets talk: the SDK takes no IPv6 address
of loopback."""
import pytest
from pair import hear_each_other
from server import Server


@pytest.mark.parametrize("host", ["[::1]", "127.0.0.1"])
def test_heard_both_ways_over_either_family(host, output, room, kinglet, folder):
    server = Server(output / "dual-stack", node_ip="127.0.0.1,::1", bind_addresses=("127.0.0.1", "::1"))
    try:
        both = hear_each_other(kinglet, folder, f"ws://{host}:{server.port}")
        for one in both:
            one.leave()
        log = server.text()
    finally:
        server.stop()
    assert not any(one.events("reconnecting") or one.events("warning") for one in both)
    # Our sockets of both families are told, that of the signal connection first.
    assert " ::1 " in log and " 127.0.0.1 " in log
