"""The configurations in the README are taken as they stand there."""
import re
import subprocess

import pytest
from kinglet import BINARY, ROOT

CONFIGURATIONS = [
    text for text in re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.S) if "[server]" in text
]


@pytest.mark.parametrize("text", CONFIGURATIONS, ids=lambda text: re.search(r'"(.*?)"', text)[1])
def test_a_configuration_of_the_readme(text, folder):
    (folder / "auth").write_text("Authorization: Bearer x\n")
    (folder / "token").write_text("e30.e30.e30\n")
    config = folder / "kinglet.toml"
    # {serial} is a Pi's.
    config.write_text(text.replace("/etc/kinglet", str(folder)).replace("{serial}", "{hostname}"))
    done = subprocess.run([BINARY, "run", "--config", config, "--check"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done
    assert len(CONFIGURATIONS) >= 2
