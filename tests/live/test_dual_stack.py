"""A server on both families, its signal connection reached by either, and one that knows IPv6 only. Two kinglets talk: the
SDK takes no IPv6 address of loopback."""
import pytest
from pair import hear_each_other
from server import Server


@pytest.mark.parametrize(("host", "tells"), [("[::1]", "127.0.0.1,::1"), ("127.0.0.1", "127.0.0.1,::1"), ("[::1]", "::1")])
def test_heard_both_ways_over_either_family(host, tells, output, room, kinglet, folder):
    server = Server(output / "dual-stack", node_ip=tells, bind_addresses=("127.0.0.1", "::1"))
    try:
        both = hear_each_other(kinglet, folder, f"ws://{host}:{server.port}")
        for one in both:
            one.leave()
        log = server.text()
    finally:
        server.stop()
    assert not any(one.events("reconnecting") or one.events("warning") for one in both)
    # Our sockets of both families are told.
    assert " ::1 " in log and " 127.0.0.1 " in log
