"""The commands of ``kwsd``. Each is one file here and is imported only when it is run."""

import importlib

import click

COMMANDS = {
    "listen": "Listen for the keyword and act when it is said.",
    "config": "Show the options in force and where each comes from.",
    "devices": "List the microphones.",
    "doctor": "Check all that listening needs, and say what mends it.",
    "score": "Print or plot the posterior of every step of a recording.",
    "service": "Install kwsd as a systemd service.",
    "train": "Train a model on a Speech Commands tree.",
    "new": "Make a model for a keyword that nobody recorded, from its text.",
    "synthesize": "Speak a keyword, its near misses and sentences in many voices.",
    "evaluate": "Measure a model on held-out clips, or on streams.",
    "mine": "Collect what a model mistakes for its keyword, to train on.",
    "tune": "Choose threshold, patience, window and step on your own recordings.",
    "distill": "Train a small model from large ones, or search for the best way to.",
    "quantize": "Store a model's weights in 16, 8 or 4 bits.",
    "prune": "Take units and channels out of a model.",
    "info": "Count a model's parameters, multiply-adds and bytes.",
    "report": "Write the report from the recorded runs.",
}


class LazyGroup(click.Group):
    """Imports ``kwsd.cli.NAME`` for the command NAME when it is called: ``listen`` never pays for torch."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"kwsd.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kwsd")
def cli() -> None:
    """Say the word, and your command runs: a keyword-spotting daemon for any microphone."""
