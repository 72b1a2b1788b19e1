"""A bad line between clients and the server's UDP port, in a process of its own, that delays and loses packets as a trace says.

    line.py PORT        a server with `node_ip` 127.0.0.2 and this UDP port is reached through it

Everything passes at once but RTP to the clients: what each of them gets meets the trace that the last line on stdin names,
packet by packet, from its beginning. A trace is what `cargo test --test sim figures` leaves in target/traces. Says "ready".
"""
import heapq
import select
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))

from relay import Relay  # noqa: E402


class Trace:
    """How late each packet is, in seconds; None is lost."""

    def __init__(self, path=None):
        delays = list(delays_ms(path)) if path else [0]
        least = min(delay for delay in delays if delay is not None)
        self.late_s = [None if delay is None else (delay - least) / 1000 for delay in delays]
        arrivals = [20 * number + 1000 * late for number, late in enumerate(self.late_s) if late is not None]
        self.keeps_order = arrivals == sorted(arrivals)
        self.met = {}

    def meet(self, client, now):
        """When the next packet for this client arrives; None if it does not."""
        number, last = self.met.get(client, (0, 0))
        late_s = self.late_s[number % len(self.late_s)]
        if late_s is None:
            self.met[client] = number + 1, last
            return None
        at = max(last, now + late_s) if self.keeps_order else now + late_s
        self.met[client] = number + 1, at
        return at


def delays_ms(path):
    with open(path) as file:
        for line in list(file)[1:]:
            _, _, sent, arrived = line.strip().split(",")
            yield float(arrived) - float(sent) if arrived else None


class Wire(Relay):
    """The relay, with a queue of what is late."""

    def _run(self):
        self.trace, self.queue, self.number = Trace(), [], 0
        self.selector.register(sys.stdin, select.EPOLLIN, "stdin")
        print("ready", flush=True)
        while self.is_running:
            wait = max(0, self.queue[0][0] - time.monotonic()) if self.queue else 0.2
            for key, _ in self.selector.select(wait):
                if key.data == "stdin":
                    line = sys.stdin.readline()
                    self.is_running = bool(line)
                    self.trace = Trace(line.strip()) if line.strip() else self.trace
                    continue
                try:
                    while True:
                        self._pass(key, *key.fileobj.recvfrom(65_535))
                except (BlockingIOError, ConnectionRefusedError):
                    pass
            while self.queue and self.queue[0][0] <= time.monotonic():
                _, _, datagram, client = heapq.heappop(self.queue)
                self.outer.sendto(datagram, client)

    def _pass(self, key, datagram, source):
        if not key.data:
            return super()._pass(key, datagram, source)
        # RFC 7983 and RFC 5761: RTP, and not RTCP.
        is_rtp = 128 <= datagram[0] < 192 and not 192 <= datagram[1] < 224
        at = self.trace.meet(key.data, time.monotonic()) if is_rtp else 0
        if at is not None:
            self.number += 1
            heapq.heappush(self.queue, (at, self.number, datagram, key.data))


class Line:
    """A wire in a process of its own: this one may be busy."""

    def __init__(self, udp_port):
        self.wire = subprocess.Popen(
            [sys.executable, __file__, str(udp_port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.wire.stdout.readline() == "ready\n"

    def follow(self, path):
        """From now on clients meet this trace, from its beginning."""
        self.wire.stdin.write(f"{path}\n")
        self.wire.stdin.flush()

    def meet(self, late_ms, path):
        """The same with a trace that is made: how late each packet is, None where it is lost."""
        rows, before = ["sequence,rtp_time,sent_ms,arrived_ms"], 0.0
        for number, late in enumerate(late_ms):
            if late is not None:
                # One queue: nothing overtakes.
                before = max(before, 20 * number + late)
            rows.append(f"{number},{960 * number},{20 * number:.3f}," + ("" if late is None else f"{before:.3f}"))
        path.write_text("\n".join(rows) + "\n")
        self.follow(path)

    def close(self):
        self.wire.kill()
        self.wire.wait()


if __name__ == "__main__":
    Wire(int(sys.argv[1])).thread.join()
