"""``kwsd devices``: the microphones."""

import click


@click.command(name="devices")
def command() -> None:
    """List the microphones that kwsd can listen to; the default one is marked with *."""
    from rich.console import Console
    from rich.table import Table

    from kwsd.audio.portaudio import accepts, devices
    from kwsd.errors import AudioError

    found = devices()
    if not found:
        raise AudioError("there is no microphone here; see docs/silent-microphone.md")
    table = Table("", "Index", "Name", "Host", "Channels", "Rate", "16 kHz mono")
    for device in found:
        table.add_row(
            "*" if device.default else "",
            str(device.index),
            device.name,
            device.api,
            str(device.channels),
            f"{device.rate} Hz",
            "yes" if accepts(device, 16_000, 1) else "resampled",
        )
    Console().print(table)
