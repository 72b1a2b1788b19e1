"""The demo's echo: leaves the voice for the simulation (`before`), and what it made of it as WAVs (`after`)."""
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from sound import speech, write_wav  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "target/demo"

if __name__ == "__main__":
    if sys.argv[1] == "before":
        speech(10, FOLDER)[0].astype(np.float32).tofile(FOLDER / "said.f32")
    else:
        for name in ("echo-microphone", "echo-sent"):
            write_wav(FOLDER / f"{name}.wav", np.fromfile(FOLDER / f"{name}.f32", np.float32))
            print(FOLDER / f"{name}.wav")
