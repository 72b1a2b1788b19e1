"""Draws what the demo has left: delay, fill, rate and level over time of each call, and an echo before and after.

    plots.py FOLDER         of tests/demo; leaves calls.png and echo.png there
"""
import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

RATE = 48_000
CALLS = [("clean", "good line"), ("lost", "10 % lost"), ("jitter", "jitter to 60 ms")]
ROWS = [
    ("target_ms", "delay aimed at, ms"),
    ("buffer_ms", "mean wait in the buffer, ms"),
    ("concealed_permille", "concealed, ‰"),
    ("drift_ppm", "rate, ppm"),
    ("level_dbfs", "level, dBFS"),
]


def calls(folder):
    figure, axes = plt.subplots(len(ROWS), 1, figsize=(9, 11), sharex=True)
    for name, label in CALLS:
        stats = json.loads((folder / f"stats-{name}.json").read_text())
        seconds = [(one["t_ms"] - stats[0]["t_ms"]) / 1000 for one in stats]
        for axis, (key, _) in zip(axes, ROWS):
            axis.plot(seconds, [one[key] for one in stats], marker=".", label=label)
    for axis, (_, label) in zip(axes, ROWS):
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    axes[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(CALLS))
    axes[-1].set_xlabel("seconds of the call")
    figure.tight_layout()
    figure.savefig(folder / "calls.png", dpi=100)


def echo(folder):
    figure, axes = plt.subplots(2, 1, figsize=(9, 5), sharex=True, sharey=True)
    sounds = [("said.f32", "the voice near it"), ("echo-microphone.f32", "microphone"), ("echo-sent.f32", "sent")]
    (_, near), *others = [(label, levels_db(folder / name)) for name, label in sounds]
    for axis, (label, level) in zip(axes, others):
        seconds = np.arange(len(level)) / 10
        axis.plot(seconds, level, label=label)
        axis.plot(seconds[20:], near[20 : len(level)] - 6, color="0.6", label="the voice near it alone")
        axis.set_ylabel("level, dBFS")
        axis.legend(loc="lower right")
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel("seconds; for the first two only the loudspeaker speaks")
    figure.tight_layout()
    figure.savefig(folder / "echo.png", dpi=100)


def levels_db(path):
    """Level of each tenth of a second."""
    samples = np.fromfile(path, np.float32)
    parts = samples[: len(samples) // 4800 * 4800].reshape(-1, 4800)
    return 20 * np.log10(np.sqrt(np.mean(parts**2, axis=1)) + 1e-5)


if __name__ == "__main__":
    calls(Path(sys.argv[1]))
    echo(Path(sys.argv[1]))
