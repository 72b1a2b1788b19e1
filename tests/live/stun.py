"""A small STUN server (RFC 8489) on loopback, which notes who has asked."""
import ipaddress
import socket
import struct
import threading

COOKIE = 0x2112A442


class StunServer:
    """Answers binding requests; with `mapped` it claims to see that address and port instead of the true one."""

    def __init__(self, host="127.0.0.1", mapped=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.port = self.socket.getsockname()[1]
        self.mapped = mapped
        self.asked = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                request, source = self.socket.recvfrom(2048)
            except OSError:
                return
            kind, length, cookie = struct.unpack(">HHI", request[:8])
            if (kind, length, cookie) != (1, len(request) - 20, COOKIE):
                continue
            self.asked.append((source[:2], request[8:20]))
            host, port = self.mapped or source[:2]
            address = ipaddress.ip_address(host).packed
            pad = request[4:20]
            xored = bytes(a ^ b for a, b in zip(address, pad))
            value = struct.pack(">BBH", 0, 1 if len(address) == 4 else 2, port ^ (COOKIE >> 16)) + xored
            head = struct.pack(">HHI", 0x0101, len(value) + 4, COOKIE) + request[8:20]
            self.socket.sendto(head + struct.pack(">HH", 0x0020, len(value)) + value, source)

    def stop(self):
        self.socket.close()
