"""PESQ-WB of what the simulation has heard. `tests/bench/quality` prepares and runs it.

    quality.py said FOLDER      leaves a clip there, as said.f32: eight phrases of a human voice (Debian's alsa-utils)
    quality.py judge FOLDER     prints what each NAME.f32 there is worth; fails where it is less than we stand for
"""
import sys
from pathlib import Path

import numpy as np
from pesq import pesq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))

from sound import RATE, correlate, read_wav, write_wav  # noqa: E402

PESQ_RATE = 16_000
PHRASES = Path("/usr/share/sounds/alsa")
PLACES = "Front_Center Front_Left Front_Right Rear_Center Rear_Left Rear_Right Side_Left Side_Right".split()
PEAK = 0.6
CASES = [
    ("clean", "no loss", 3.9),
    ("lost10-one-copy", "10 % lost on the way to the listener, one copy (RED)", 3.5),
    ("lost10-as-reported", "10 % lost on the way to the server, which reports it", 3.5),
    ("lost20-as-reported", "20 % lost there: two copies", 3.0),
    ("lost10-no-copy", "10 % lost on the way to the listener, no copies", 0),
    ("moved", "delay 100 ms longer and back, by time-scaling", 3.8),
    ("scaled", "tempo changed by 5 % all the time", 0),
]


def resample(samples):
    """48 to 16 kHz, by leaving the upper two thirds of the spectrum out."""
    samples = samples[: len(samples) // 3 * 3]
    spectrum = np.fft.rfft(samples)[: len(samples) // 6 + 1]
    return np.fft.irfft(spectrum, len(samples) // 3) / 3


def judge(folder):
    said = np.fromfile(folder / "said.f32", np.float32)
    missed = []
    print(f"{'':<56}{'PESQ-WB':>8}{'at least':>10}")
    for name, what, least in CASES:
        heard = np.fromfile(folder / f"{name}.f32", np.float32)
        write_wav(folder / f"{name}.wav", heard)
        _, shift = correlate(said[: 3 * RATE], heard, RATE)
        heard = heard[max(shift, 0) :][: len(said)]
        score = pesq(PESQ_RATE, resample(said[: len(heard)]), resample(heard), "wb")
        print(f"{what:<56}{score:>8.2f}{least or '':>10}")
        if score < least:
            missed.append(name)
    return 1 if missed else 0


def main(what, folder):
    if what == "judge":
        return judge(Path(folder))
    samples = np.concatenate([read_wav(PHRASES / f"{place}.wav") for place in PLACES])
    samples *= PEAK / np.abs(samples).max()
    samples.astype(np.float32).tofile(Path(folder) / "said.f32")
    write_wav(Path(folder) / "said.wav", samples)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
