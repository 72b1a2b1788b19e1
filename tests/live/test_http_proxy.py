"""The signal connection through an HTTP proxy that wants a password."""
import kinglet as kinglet_process
from tunnel import ConnectProxy


def test_joined_through_a_proxy_with_a_password(server, kinglet, monkeypatch):
    proxy = ConnectProxy("box:s3cret")
    environment = kinglet_process.ENVIRONMENT
    monkeypatch.setitem(environment, "http_proxy", f"http://box:s3cret@127.0.0.1:{proxy.port}")
    box = kinglet("box", "--input", "tone", "--output", "none", "-v")
    box.wait_for("local_track_published")
    box.leave()
    assert proxy.asked == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"]
    assert "s3cret" not in box.path.read_text() + box.errors.read_text()

    monkeypatch.setitem(environment, "http_proxy", f"http://box:wrong@127.0.0.1:{proxy.port}")
    refused = kinglet("refused", "--input", "tone", "--output", "none")
    assert refused.end() == 5
    assert "407" in refused.errors.read_text() and "wrong" not in refused.errors.read_text()

    monkeypatch.setitem(environment, "NO_PROXY", "127.0.0.1")
    asked = len(proxy.asked)
    direct = kinglet("direct", "--input", "tone", "--output", "none")
    direct.wait_for("local_track_published")
    direct.leave()
    assert len(proxy.asked) == asked
