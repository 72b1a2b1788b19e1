"""Somebody who has nothing to do with the call sprays the box's media ports while it joins."""
import socket
import threading
from pathlib import Path

# A fatal DTLS 1.2 alert (handshake_failure) of epoch 0.
ALERT = bytes([21, 254, 253, *[0] * 9, 2, 2, 40])


def media_ports(pid):
    """The UDP ports of a process, by its own network's table."""
    owned = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            owned.add(descriptor.readlink().name)
        except OSError:
            pass
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    fields = (line.split() for line in lines)
    return [int(parts[1].split(":")[1], 16) for parts in fields if f"socket:[{parts[9]}]" in owned]


def spray(pid, is_over, sent):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        while not is_over.is_set():
            try:
                for port in media_ports(pid):
                    stranger.sendto(ALERT, ("127.0.0.1", port))
                    sent.append(port)
            except OSError:
                pass


def test_nobody_breaks_the_handshake(kinglet):
    for number in range(3):
        box = kinglet(f"box-{number}", "--input", "tone", "--output", "none")
        is_over, sent = threading.Event(), []
        sprayer = threading.Thread(target=spray, args=(box.process.pid, is_over, sent))
        sprayer.start()
        try:
            box.wait_for("connected")
            box.wait_for("local_track_published")
        finally:
            is_over.set()
            sprayer.join()
        refused = [line for line in box.ask("metrics").splitlines() if 'what="foreign_datagrams"' in line]
        print(f"{len(sent)} alerts sent while it joined; {refused}")
        assert sent and float(refused[0].split()[-1]) > 0, box.report()
        assert not box.events("reconnecting") and not box.events("warning"), box.report()
        box.leave()
