"""A wire between two network namespaces that delays, loses and cuts what goes over it.

    wire.py PID        PID lives in the far namespace; ours is 10.9.0.1, its is 10.9.0.2

Two TUN devices, and this program between them. The last line on stdin says what is met:

    {"delay_ms": 50}                 everything, both ways
    {"passes": "tcp" | "nothing"}    what is not cut, both ways

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
UDP = 17


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
    delay_s, passes = 0, "all"
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
            delay_s, passes = quality.get("delay_ms", 0) / 1000, quality.get("passes", "all")
            print("met", flush=True)
        for device, direction in ((near, to_far), (far, to_near)):
            if device not in readable:
                continue
            packet = os.read(device, 65_535)
            if is_cut(packet, passes):
                continue
            direction.take(packet, time.monotonic() + delay_s)
        to_far.deliver()
        to_near.deliver()


if __name__ == "__main__":
    main(int(sys.argv[1]))
