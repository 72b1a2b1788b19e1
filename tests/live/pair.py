"""Two kinglets that hum to each other, each at its own pitch, until both have heard the other."""
import time

from sound import RATE, Recording, tone_levels

PITCHES = {"box": 440, "panel": 700}


def hear_each_other(kinglet, folder, url, timeout_s=60, box=(), panel=(), box_prefix=(), panel_prefix=()):
    """Starts both, and returns them when the last half second of each one's output is the other's pitch."""
    start = {}
    outputs = {identity: Recording(folder / f"{identity}.wav") for identity in PITCHES}
    for identity, more, prefix in [("panel", panel, panel_prefix), ("box", box, box_prefix)]:
        sound = ["--input", f"tone:{PITCHES[identity]}", "--output", f"wav:{outputs[identity].path}"]
        start[identity] = kinglet(identity, *sound, *more, url=url, prefix=prefix)
    deadline = time.monotonic() + timeout_s
    for identity, other in [("box", "panel"), ("panel", "box")]:
        while not _hears(outputs[identity], PITCHES[other]):
            assert time.monotonic() < deadline, f"{identity} does not hear {other}; {start[identity].report()}"
            assert start[identity].process.poll() is None, start[identity].report()
            time.sleep(0.1)
    return start["box"], start["panel"]


def _hears(recording, pitch):
    if not recording.path.exists():
        return False
    samples = recording.samples()[-RATE // 2 :]
    return len(samples) == RATE // 2 and tone_levels(samples, [pitch])[pitch] > -30
