"""LiveKit's cloud: a region that does not serve us, and the list of the others. Its names lead to this machine, by a proxy."""
import kinglet as kinglet_process
from middle import Middle
from proxy import Proxy, make_certificates
from tunnel import ConnectProxy

REGIONS = """{"regions": [
  {"region": "home", "url": "https://home.livekit.cloud", "distance": "10"},
  {"region": "west", "url": "https://west.livekit.cloud", "distance": "5000"}]}"""


def front(head):
    """A region that takes nobody any more, but still says where else to go. Its answer comes in chunks."""
    if head.startswith("GET /settings/regions "):
        half = len(REGIONS) // 2
        chunks = "".join(f"{len(part):x}\r\n{part}\r\n" for part in (REGIONS[:half], REGIONS[half:], ""))
        return f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}".encode()
    return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\nConnection: close\r\n\r\nno nodes\n"


def test_another_region_serves_us(server, kinglet, folder, monkeypatch):
    ca, cert, key = make_certificates(folder, "*.livekit.cloud")
    home = Middle(front)
    home_tls = Proxy.with_tls(int(home.url.rsplit(":", 1)[1]), cert, key)
    west = Proxy.with_tls(server.port, cert, key)
    tunnels = ConnectProxy("box:s3cret", {"home.livekit.cloud": home_tls.port, "west.livekit.cloud": west.port})
    monkeypatch.setitem(kinglet_process.ENVIRONMENT, "https_proxy", f"http://box:s3cret@127.0.0.1:{tunnels.port}")
    try:
        box = kinglet("box", "--input", "tone", "--output", "none", "--ca", ca, url="wss://home.livekit.cloud")
        box.wait_for("local_track_published")
        asked = [line.split(" ")[1] for line in tunnels.asked]
        assert asked == ["home.livekit.cloud:443", "home.livekit.cloud:443", "west.livekit.cloud:443"], box.report()
        assert [line.split(" ")[1].split("?")[0] for line in home.asked] == ["/rtc", "/settings/regions"]
        warnings = [event["text"] for event in box.events("warning")]
        assert any("503" in text for text in warnings), box.report()
        assert any("the server is wss://west.livekit.cloud from now on" in text for text in warnings), box.report()
        assert box.ask("status")["server_url"] == "wss://west.livekit.cloud"
        box.leave()
    finally:
        for each in (home, home_tls, west):
            each.stop()


def test_a_server_of_ones_own_sends_nobody_elsewhere(server, kinglet):
    """`leave`, RECONNECT, with a region, in the name of a server that is not LiveKit Cloud's: nobody else sees the token."""
    other = Middle(lambda _: b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    proxy = Proxy(server.port)

    def field(number, content):
        return bytes([number << 3 | 2, len(content)]) + content

    # SignalResponse.leave (8) of action (3) RECONNECT and regions (4): a list (1) of one with a url (2); as one frame.
    leave = field(8, b"\x18\x02" + field(4, field(1, field(2, other.url.replace("ws:", "http:").encode()))))
    try:
        box = kinglet("box", "--input", "tone", "--output", "none", url=f"ws://127.0.0.1:{proxy.port}")
        box.wait_for("local_track_published")
        box.wait_for("connected")
        proxy.inject(bytes([0x82, len(leave)]) + leave)
        box.wait_for("reconnected")
        assert other.asked == [], "the token was shown to another host"
        assert box.ask("status")["server_url"] == f"ws://127.0.0.1:{proxy.port}"
        assert any("names other servers" in event["text"] for event in box.events("warning")), box.report()
        box.leave()
    finally:
        proxy.stop()
        other.stop()
