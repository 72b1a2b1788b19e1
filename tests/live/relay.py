"""A bad line between clients and the server's UDP port: a server with `node_ip` `Relay.ADDRESS` is reached through it."""
import selectors
import socket
import threading

# What the server is configured with. Else it is reached directly: by another address of this machine, or because it looks
# for us by itself.
ONLY_THROUGH_THE_RELAY = 'ips: { includes: ["127.0.0.0/8"] }\n  use_ice_lite: true'


class Relay:
    """Passes datagrams both ways, but loses every `lose_nth` RTP packet that a client sends (0: none)."""

    ADDRESS = "127.0.0.2"

    def __init__(self, port):
        self.server = ("127.0.0.1", port)
        self.lose_nth = 0
        self.passed = self.lost = 0
        self.outer = self._socket((self.ADDRESS, port))
        self.inner = {}
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.outer, selectors.EVENT_READ)
        self.is_running = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self):
        self.is_running = False
        self.thread.join(5)
        for one in [self.outer, *self.inner.values()]:
            one.close()

    @staticmethod
    def _socket(address):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setblocking(False)
        one.bind(address)
        return one

    def _run(self):
        while self.is_running:
            for key, _ in self.selector.select(0.2):
                try:
                    while True:
                        self._pass(key, *key.fileobj.recvfrom(65_535))
                except (BlockingIOError, ConnectionRefusedError):
                    pass

    def _pass(self, key, datagram, source):
        if key.data:
            self.outer.sendto(datagram, key.data)
            return
        if source not in self.inner:
            self.inner[source] = self._socket(("127.0.0.1", 0))
            self.selector.register(self.inner[source], selectors.EVENT_READ, source)
        # RFC 7983 and RFC 5761: RTP, and not RTCP.
        if 128 <= datagram[0] < 192 and not 192 <= datagram[1] < 224:
            self.passed += 1
            if self.lose_nth and self.passed % self.lose_nth == 0:
                self.lost += 1
                return
        self.inner[source].sendto(datagram, self.server)
