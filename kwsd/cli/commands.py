"""The list of commands. Each is one file in this folder, and is imported only when it runs."""

import importlib
import inspect
import shutil
from collections.abc import Iterable

import click

# the description of each command, for its own help and for that of kwsd
LISTENING = {
    "listen": "Listen for a keyword, and run commands when it is said.",
    "ctl": "Control a running kwsd listen: pause it, show its state.",
    "devices": "List the microphones.",
    "doctor": "Check everything that listening needs, and print fixes.",
    "config": "Show the options of kwsd listen and where each comes from.",
    "service": "Install kwsd as a systemd service.",
    "wyoming": "Serve wake words to Home Assistant.",
    "score": "Print or plot the posterior of every step of a recording.",
}
TRAINING = {
    "train": "Train a model on recordings of the keyword.",
    "new": "Train a model for a keyword from its text, without recordings.",
    "teach": "Adapt a model to your own voice, from ten recordings of the word.",
    "label": "Sort clips into those that are the word and those that are not.",
    "kit": "Fetch what kwsd new works with: voices, noise and speech.",
    "synthesize": "Synthesize a keyword, similar words and sentences in many voices.",
    "evaluate": "Evaluate a model on held-out clips, or on streams.",
    "mine": "Collect hard negatives: audio that a model mistakes for its keyword.",
    "tune": "Tune threshold, patience, window and step on your recordings.",
    "distill": "Distill large models into a small one.",
    "quantize": "Quantize a model's weights to 16, 8 or 4 bits.",
    "prune": "Prune units and channels of a model.",
    "experiment": "Train, distill and quantize a model, and compare them in a report.",
    "export": "Write a model for openWakeWord and Home Assistant, or as ONNX.",
    "info": "Show the settings, parameters, multiply-adds and bytes of a model.",
    "report": "Write a report on the recorded training runs.",
}
COMMANDS = LISTENING | TRAINING


class Formatter(click.HelpFormatter):
    """Fits the help to narrow terminals, where click assumes 50 columns and uses 30 of them for names."""

    def __init__(
        self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None
    ) -> None:
        columns = width or min(shutil.get_terminal_size().columns, max_width or 80) - 2
        super().__init__(indent_increment, columns, max_width)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl(rows, min(col_max, self.width * 3 // 8), col_spacing)


class Context(click.Context):
    """Formats the help with `Formatter`."""

    formatter_class = Formatter


class LazyGroup(click.Group):
    """Imports ``kwsd.cli.NAME`` only when the command NAME runs, so that ``listen`` never imports torch."""

    context_class = Context

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"kwsd.cli.{cmd_name}")
        command: click.Command = module.command
        if command.short_help is None:  # its docstring adds to the description
            command.short_help = COMMANDS[cmd_name]
            command.help = f"{command.short_help}\n\n{inspect.cleandoc(command.help or '')}"
            command.context_class = Context
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click, but suggest a similar command if there is no command of this name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # large and rarely needed

            if similar := difflib.get_close_matches(args[0], COMMANDS, n=1):
                hint = f"{error.message.removesuffix('.')}; did you mean {similar[0]}?"
                raise click.UsageError(hint, ctx) from None
            raise

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta["kwsd.brief"] = not args
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Describe every command. `kwsd` without arguments describes only those for listening."""
        with formatter.section("Listen"):
            formatter.write_dl(list(LISTENING.items()))
        with formatter.section("Train and evaluate your own model"):
            if ctx.meta.get("kwsd.brief"):
                formatter.write_text(f"{', '.join(TRAINING)}: see kwsd --help")
            else:
                formatter.write_dl(list(TRAINING.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: kwsd listen --model jarvis --meter",
)
@click.version_option(package_name="kwsd")
def cli() -> None:
    """A keyword-spotting daemon: say the keyword, and your command runs."""
