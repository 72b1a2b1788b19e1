"""When the first RTP packet passes between the server's UDP port and each port on loopback, by the kernel's clock."""
import socket
import struct
import threading
import time

ETH_P_ALL = 0x0003
SO_TIMESTAMPNS = 35
PROTOCOL_UDP = 17
PAYLOAD_TYPES_RTCP = range(64, 96)  # RFC 5761, section 4


class Sniffer:
    """Listens on the loopback interface. Needs CAP_NET_RAW: without it `can_hear` is false and nothing is known."""

    def __init__(self, server_port):
        self.server_port = server_port
        self.first_sent, self.first_received = {}, {}
        # What the kernel's time stamps (CLOCK_REALTIME) are ahead of time.monotonic().
        self.offset = time.time() - time.monotonic()
        try:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        except PermissionError:
            self.can_hear = False
            return
        self.can_hear = True
        self.socket.bind(("lo", ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        threading.Thread(target=self._listen, daemon=True).start()

    def after(self, began):
        """Seconds from `began` to the first RTP packet out and in of a port that had none before."""
        return tuple(
            min((at - began for at in list(first.values()) if at > began), default=None)
            for first in (self.first_sent, self.first_received)
        )

    def _listen(self):
        while True:
            data, ancillary, _, address = self.socket.recvmsg(256, 64)
            # On loopback each packet is seen as it leaves and as it arrives.
            if address[2] == socket.PACKET_OUTGOING:
                continue
            protocol, header = (data[6], 40) if data[0] >> 4 == 6 else (data[9], 4 * (data[0] & 15))
            if protocol != PROTOCOL_UDP:
                continue
            source, destination = struct.unpack_from("!HH", data, header)
            payload = data[header + 8 :]
            is_rtp = len(payload) > 12 and payload[0] >> 6 == 2 and payload[1] & 127 not in PAYLOAD_TYPES_RTCP
            if not is_rtp or not ancillary:
                continue
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
            at = seconds + nanoseconds / 1e9 - self.offset
            if destination == self.server_port:
                self.first_sent.setdefault(source, at)
            elif source == self.server_port:
                self.first_received.setdefault(destination, at)
