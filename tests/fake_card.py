"""Sound cards without hardware, played by a plugin for ALSA (fake_card.c) that the tests compile."""

import os
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


def compile_plugin(folder: Path) -> Path:
    """Raises FileNotFoundError without a compiler, CalledProcessError without ALSA's headers."""
    plugin = folder / "libasound_module_pcm_kwsd_fake.so"
    command = ["gcc", "-shared", "-fPIC", "-DPIC", "-O2", "-o", plugin, SOURCE, "-lasound"]
    subprocess.run(command, check=True, capture_output=True)
    return plugin


class FakeCards:
    """A configuration of ALSA that has these cards, and nothing else that records."""

    def __init__(self, folder: Path, plugin: Path) -> None:
        self._folder = folder
        self._configuration = folder / "asound.conf"
        self._configuration.write_text(
            f'</usr/share/alsa/alsa.conf>\npcm_type.kwsd_fake {{ lib "{plugin}" }}\n'
        )
        (folder / "home").mkdir()
        self.environment = os.environ | {
            "ALSA_CONFIG_PATH": str(self._configuration),
            "XDG_RUNTIME_DIR": str(folder),  # no sound server
            "HOME": str(folder / "home"),
        }
        self.environment.pop("PULSE_SERVER", None)

    def add(self, name: str, audio: Path | None = None, **fields: str | int) -> None:
        """A card that plays `audio`, raw int16 mono at the card's rate; `fields`: see fake_card.c."""
        state = self._state(name)
        state.mkdir()
        values = {"state": f'"{state}"'} | ({"audio": f'"{audio}"'} if audio else {}) | fields
        text = " ".join(f"{field} {value}" for field, value in values.items())
        self.write(f"pcm.!{name} {{ type kwsd_fake {text} }}\n")

    def write(self, text: str) -> None:
        """More of ALSA's configuration."""
        with self._configuration.open("a") as file:
            file.write(text)

    def set(self, name: str, how: str) -> None:
        """Break the card, as fake_card.c says."""
        (self._state(name) / how).touch()

    def clear(self, name: str, how: str) -> None:
        (self._state(name) / how).unlink(missing_ok=True)

    def has(self, name: str, how: str) -> bool:
        return (self._state(name) / how).exists()

    def _state(self, name: str) -> Path:
        return self._folder / f"{name}.card"
