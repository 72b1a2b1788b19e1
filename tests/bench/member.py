"""A process in a room: it writes events to its stdout, one JSON object a line, and ends cleanly at SIGTERM."""
import json
import os
import signal
import subprocess
import threading
import time

from server import KEY, SECRET

ENVIRONMENT = {"PATH": os.environ["PATH"], "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}


class Member:
    """One process, from its start on. Each event is kept with the time at which its line arrived here."""

    def __init__(self, command, errors, **environment):
        self.errors = errors
        self.arrived = []
        self.changed = threading.Condition()
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            list(map(str, command)),
            env=ENVIRONMENT | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors.open("w"),
            text=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    @property
    def pid(self):
        return self.process.pid

    def wait_for(self, name, timeout_s=20):
        """The first event of this name, and when it arrived, in seconds after the process's start."""
        deadline = time.monotonic() + timeout_s
        with self.changed:
            while True:
                for at, event in self.arrived:
                    if event["event"] == name:
                        return event, at - self.began
                left = deadline - time.monotonic()
                if left <= 0 or not self.reader.is_alive():
                    raise AssertionError(f"no {name}; {self.errors.read_text()[-500:]} {self.arrived[-5:]}")
                self.changed.wait(left)

    def end(self, timeout_s=30):
        self.process.send_signal(signal.SIGTERM)
        self.wait(timeout_s)

    def wait(self, timeout_s=30):
        """Waits for a clean end."""
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"does not end; {self.errors.read_text()[-500:]}") from None
        assert status == 0, f"ended with {status}; {self.errors.read_text()[-500:]}"
        self.reader.join()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _read(self):
        for line in self.process.stdout:
            at = time.monotonic()
            with self.changed:
                self.arrived.append((at, json.loads(line)))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()
