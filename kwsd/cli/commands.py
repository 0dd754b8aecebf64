"""The commands of ``kwsd``. Each is one file here and is imported only when it is run."""

import importlib
import inspect
import shutil
from collections.abc import Iterable

import click

# what each command does, in its own help and in that of kwsd
LISTENING = {
    "listen": "Listen for the keyword and act when it is said.",
    "devices": "List the microphones.",
    "doctor": "Check all that listening needs, and say how to fix it.",
    "config": "Show the options in force and where each comes from.",
    "service": "Install kwsd as a systemd service.",
    "score": "Print or plot the posterior of every step of a recording.",
}
TRAINING = {
    "train": "Train a model on recordings of the keyword.",
    "new": "Make a model for a keyword that nobody recorded, from its text.",
    "synthesize": "Speak a keyword, its near misses and sentences in many voices.",
    "evaluate": "Measure a model on held-out clips, or on streams.",
    "mine": "Collect what a model mistakes for its keyword, to train on.",
    "tune": "Choose threshold, patience, window and step on your recordings.",
    "distill": "Train a small model from large ones.",
    "quantize": "Store a model's weights in 16, 8 or 4 bits.",
    "prune": "Take units and channels out of a model.",
    "info": "Count a model's parameters, multiply-adds and bytes.",
    "report": "Write the report from the recorded runs.",
}
COMMANDS = LISTENING | TRAINING


class Formatter(click.HelpFormatter):
    """Wraps on a narrow terminal, too, where click assumes 50 columns and gives 30 of them to names."""

    def __init__(
        self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None
    ) -> None:
        columns = width or min(shutil.get_terminal_size().columns, max_width or 80) - 2
        super().__init__(indent_increment, columns, max_width)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl(rows, min(col_max, self.width * 3 // 8), col_spacing)


class Context(click.Context):
    formatter_class = Formatter


class LazyGroup(click.Group):
    """Imports ``kwsd.cli.NAME`` for the command NAME when it is called: ``listen`` never pays for torch."""

    context_class = Context

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"kwsd.cli.{cmd_name}")
        command: click.Command = module.command
        if command.short_help is None:  # its own text only has what there is to say besides
            command.short_help = COMMANDS[cmd_name]
            command.help = f"{command.short_help}\n\n{inspect.cleandoc(command.help or '')}"
            command.context_class = Context
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, and suggest a command where there is none of this name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # rarely needed, and large

            if similar := difflib.get_close_matches(args[0], COMMANDS, n=1):
                hint = f"{error.message.removesuffix('.')}; did you mean {similar[0]}?"
                raise click.UsageError(hint, ctx) from None
            raise

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta["kwsd.brief"] = not args
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Describe every command; without any argument only those to listen with: that fits on a screen."""
        with formatter.section("Listen"):
            formatter.write_dl(list(LISTENING.items()))
        with formatter.section("Make a model of your own, and judge it"):
            if ctx.meta.get("kwsd.brief"):
                formatter.write_text(f"{', '.join(TRAINING)}: see kwsd --help")
            else:
                formatter.write_dl(list(TRAINING.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with: kwsd listen --model jarvis --meter",
)
@click.version_option(package_name="kwsd")
def cli() -> None:
    """Say the word, and your command runs: a keyword-spotting daemon for any microphone."""
