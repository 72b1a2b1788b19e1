"""The signal connection through an HTTP proxy that wants a password."""
import base64
import socket
import threading

import kinglet as kinglet_process


class ConnectProxy:
    """Takes CONNECT with one user name and password, and remembers what it was asked."""

    def __init__(self, credentials):
        self.expected = "Basic " + base64.b64encode(credentials.encode()).decode()
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = client.recv(1)
            if not piece:
                return
            head += piece
        lines = head.decode().split("\r\n")
        self.asked.append(lines[0])
        if f"Proxy-Authorization: {self.expected}" not in lines:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return client.close()
        host, port = lines[0].split(" ")[1].rsplit(":", 1)
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

        def pump(source, sink):
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
            except OSError:
                pass
            sink.close()

        threading.Thread(target=pump, args=(client, server), daemon=True).start()
        pump(server, client)


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
