"""A wire between two network namespaces that delays, loses and cuts what goes over it.

    wire.py PID        PID lives in the far namespace; ours is 10.9.0.1, its is 10.9.0.2

Two TUN devices, and this program between them. The last line on stdin says what is met:

    {"delay_ms": 50}                 everything, both ways
    {"passes": "tcp" | "nothing"}    what is not cut, both ways
    {"trace": PATH}                  RTP to the far side: each stream of it (told apart by its port) meets the trace,
                                     packet by packet, from its beginning. A trace is what `cargo test --test sim
                                     figures` leaves in target/traces.

Says "ready" when the wire is up, and "met" when a line is in force.
"""
import ctypes
import fcntl
import heapq
import json
import os
import select
import struct
import subprocess
import sys
import threading
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x0001, 0x1000, 0x40000000
NEAR, FAR = "10.9.0.1", "10.9.0.2"
UDP, IP_HEADER, UDP_HEADER = 17, 20, 8


def tun(name):
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH", name, IFF_TUN | IFF_NO_PI))
    return descriptor


def far_tun(pid):
    """A device in the namespace of `pid`: a thread of its own goes there to open it."""
    opened = []

    def open_there():
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        opened.append(tun(b"wire"))

    thread = threading.Thread(target=open_there)
    thread.start()
    thread.join()
    return opened[0]


def set_up(address, *prefix):
    run = lambda *command: subprocess.run([*prefix, "ip", *command], check=True)  # noqa: E731
    run("link", "set", "lo", "up")
    run("addr", "add", f"{address}/24", "dev", "wire")
    run("link", "set", "wire", "up")


class Trace:
    """How late each packet is, in seconds; None is lost."""

    def __init__(self, path=None):
        delays = list(delays_ms(path)) if path else [0]
        least = min(delay for delay in delays if delay is not None)
        self.late_s = [None if delay is None else (delay - least) / 1000 for delay in delays]
        arrivals = [20 * number + 1000 * late for number, late in enumerate(self.late_s) if late is not None]
        self.keeps_order = arrivals == sorted(arrivals)
        self.met = {}

    def meet(self, stream, now):
        """When the next packet of this stream arrives; None if it does not."""
        number, last = self.met.get(stream, (0, 0))
        late_s = self.late_s[number % len(self.late_s)]
        if late_s is None:
            self.met[stream] = number + 1, last
            return None
        at = max(last, now + late_s) if self.keeps_order else now + late_s
        self.met[stream] = number + 1, at
        return at


def delays_ms(path):
    with open(path) as file:
        for line in list(file)[1:]:
            _, _, sent, arrived = line.strip().split(",")
            yield float(arrived) - float(sent) if arrived else None


def rtp_port(packet):
    """The port that an RTP packet is for; None if it is something else (RFC 7983, RFC 5761)."""
    payload = packet[IP_HEADER + UDP_HEADER :]
    is_rtp = packet[9] == UDP and len(payload) > 12 and 128 <= payload[0] < 192 and not 192 <= payload[1] < 224
    return packet[IP_HEADER + 2 : IP_HEADER + 4] if is_rtp else None


class Direction:
    """Packets on their way to one end, by when they arrive."""

    def __init__(self, end):
        self.end = end
        self.queue = []
        self.number = 0

    def take(self, packet, at):
        self.number += 1
        heapq.heappush(self.queue, (at, self.number, packet))

    def deliver(self):
        while self.queue and self.queue[0][0] <= time.monotonic():
            os.write(self.end, heapq.heappop(self.queue)[2])


def is_cut(packet, passes):
    is_udp = packet[0] >> 4 == 4 and packet[9] == UDP
    return {"all": False, "tcp": is_udp, "nothing": True}[passes]


def main(pid):
    near, far = tun(b"wire"), far_tun(pid)
    set_up(NEAR)
    set_up(FAR, "nsenter", f"--net=/proc/{pid}/ns/net")
    print("ready", flush=True)
    trace, delay_s, passes = Trace(), 0, "all"
    to_far, to_near = Direction(far), Direction(near)
    while True:
        due = [direction.queue[0][0] for direction in (to_far, to_near) if direction.queue]
        wait = max(0, min(due) - time.monotonic()) if due else None
        readable, _, _ = select.select([near, far, sys.stdin], [], [], wait)
        if sys.stdin in readable:
            line = sys.stdin.readline()
            if not line:
                return
            quality = json.loads(line)
            trace = Trace(quality.get("trace"))
            delay_s, passes = quality.get("delay_ms", 0) / 1000, quality.get("passes", "all")
            print("met", flush=True)
        for device, direction in ((near, to_far), (far, to_near)):
            if device not in readable:
                continue
            packet = os.read(device, 65_535)
            if is_cut(packet, passes):
                continue
            now = time.monotonic()
            port = rtp_port(packet) if direction is to_far else None
            at = trace.meet(port, now) if port else now
            if at is not None:
                direction.take(packet, at + delay_s)
        to_far.deliver()
        to_near.deliver()


if __name__ == "__main__":
    main(int(sys.argv[1]))
