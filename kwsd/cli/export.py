"""``kwsd export``: writes a model for other programs."""

from pathlib import Path

import click

from kwsd.cli.checked import CheckedCommand, ModelName, NewFolder
from kwsd.cli.extras import needs_export
from kwsd.cli.number import POSTERIOR
from kwsd.cli.progress import tell


@click.command(name="export", cls=CheckedCommand)
@click.argument("model", type=ModelName())
@click.option(
    "--to",
    type=click.Choice(["openwakeword", "onnx"]),
    required=True,
    help="What to write: a word of openWakeWord, or the first stage as ONNX.",
)
@click.option(
    "--out",
    type=NewFolder(),
    default=Path(),
    help="Folder to write into; existing files are replaced.  [default: the current one]",
)
@click.option(
    "--threshold",
    type=POSTERIOR,
    help="With openwakeword: posterior of the heads that becomes their 0.5.  [default: the model's]",
)
def command(model: str, to: str, out: Path, threshold: float | None) -> None:
    """MODEL is a file or the name of a shipped model.

    openwakeword: the second stage of a word that `kwsd new` made, as .tflite and .onnx, and a .json for
    linux-voice-assistant. There the first stage is missing, so expect more false alarms than in kwsd: in
    two hours of dialogue `alexa` gave 8 instead of 2, `jarvis` 14 instead of none.

    onnx: the first stage, one step of it with its state as input and output, for browsers and phones.

    docs/export.md has the lines to run both, and how well they work.
    """
    needs_export()
    from kwsd.runtime.modelfile import find_model, read_model
    from kwsd.training.release.export import export

    for path in export(read_model(find_model(model)), to, out, threshold):
        tell(str(path))
