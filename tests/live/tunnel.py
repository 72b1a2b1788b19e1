"""An HTTP proxy that is asked for tunnels."""
import base64
import socket
import threading


class ConnectProxy:
    """Takes CONNECT with one user name and password, and remembers what it was asked.

    `ports` are those on this machine behind names that nobody could look up; others are connected to as they are.
    """

    def __init__(self, credentials, ports=None):
        self.ports = ports or {}
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
        address = ("127.0.0.1", self.ports[host]) if host in self.ports else (host, int(port))
        server = socket.create_connection(address)
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
