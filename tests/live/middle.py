"""What may stand before a LiveKit server: a proxy that lets no WebSocket through, a server with another time."""
import socket
import threading


class Middle:
    """Takes connections, reads one request from each, and answers as `answer(head)` says: bytes."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self):
        self.listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                head = b""
                while not head.endswith(b"\r\n\r\n") and (piece := client.recv(1)):
                    head += piece
                self.asked.append(head.decode().split("\r\n")[0])
                client.sendall(self.answer(head.decode()))


def without_upgrade(port):
    """Passes requests on to the server at `port`, as a proxy does that knows nothing of `Upgrade`."""

    def answer(head):
        kept = [line for line in head.split("\r\n") if not line.lower().startswith(("upgrade:", "connection:", "sec-"))]
        request = "\r\n".join([kept[0], "Connection: close", *kept[1:]])
        with socket.create_connection(("127.0.0.1", port)) as server:
            server.sendall(request.encode())
            received = b""
            while piece := server.recv(4096):
                received += piece
        return received

    return Middle(answer)


def refusing(status, date, body):
    """Refuses everything, at this `Date`."""
    head = f"HTTP/1.1 {status}\r\nDate: {date}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return Middle(lambda _: (head + body).encode())
