"""A wire between two network namespaces that delays and loses datagrams on their way to the far one.

    wire.py PID        PID lives in the far namespace; ours is 10.9.0.1, its is 10.9.0.2

Two TUN devices, and this program between them. What comes from the far side passes at once, and so does TCP; UDP to the
far side meets what the last line on stdin says: {"jitter": "none" | "uniform" | "spikes", "ms": 30, "loss": 0.1}.
One queue: nothing overtakes. Says "ready" when the wire is up.
"""
import ctypes
import fcntl
import heapq
import json
import os
import random
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


def late_s(quality):
    match quality["jitter"]:
        case "uniform":
            return random.uniform(0, quality["ms"]) / 1000
        case "spikes":
            return random.uniform(0.060, 0.180) if random.random() < 0.01 else random.expovariate(200)
    return 0


def main(pid):
    random.seed(1)
    near, far = tun(b"wire"), far_tun(pid)
    set_up(NEAR)
    set_up(FAR, "nsenter", f"--net=/proc/{pid}/ns/net")
    print("ready", flush=True)
    quality = {"jitter": "none", "loss": 0}
    queue, number, last = [], 0, 0
    while True:
        wait = max(0, queue[0][0] - time.monotonic()) if queue else None
        readable, _, _ = select.select([near, far, sys.stdin], [], [], wait)
        if sys.stdin in readable:
            line = sys.stdin.readline()
            if not line:
                return
            quality = json.loads(line)
        if far in readable:
            os.write(near, os.read(far, 65_535))
        if near in readable:
            packet = os.read(near, 65_535)
            now = time.monotonic()
            if packet[9] == UDP:
                if random.random() < quality["loss"]:
                    continue
                last = max(last, now + late_s(quality))
                heapq.heappush(queue, (last, number := number + 1, packet))
            else:
                os.write(far, packet)
        while queue and queue[0][0] <= time.monotonic():
            os.write(far, heapq.heappop(queue)[2])


if __name__ == "__main__":
    main(int(sys.argv[1]))
