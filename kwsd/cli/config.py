"""``kwsd config``: shows the options that ``kwsd listen`` would use, and where each comes from."""

import json
from dataclasses import asdict

import click
from click.core import ParameterSource


@click.command(name="config", context_settings={"ignore_unknown_options": True})
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[LISTEN OPTIONS]...")
def command(as_json: bool, options: tuple[str, ...]) -> None:
    """Accepts the options of kwsd listen, and shows them instead of listening."""
    from kwsd.cli import listen
    from kwsd.daemon.app import load_detector

    context = listen.command.make_context("kwsd listen", list(options))
    given = context.params
    detector = load_detector(listen.options(context))
    settings, model = asdict(detector.settings), detector.model
    values = {}
    for option in listen.command.params:
        name = str(option.name)
        value, source = given[name], context.get_parameter_source(name)
        if source is ParameterSource.COMMANDLINE:
            origin = "command line"
        elif source is ParameterSource.DEFAULT_MAP:
            origin = "the file"
        elif name in settings:
            value = settings[name]
            # a release above a lowered threshold is lowered with it
            origin = "the model" if value == getattr(model.settings, name) else "the threshold"
        else:
            origin = "default"
        values[option.opts[0].removeprefix("--")] = {"value": value, "from": origin}
    if as_json:
        click.echo(json.dumps(values, default=str))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    columns = Column("Option", no_wrap=True), Column("Value", overflow="fold"), Column("From", no_wrap=True)
    table = Table(*columns, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name, found in values.items():
        value = found["value"]
        lines = value if isinstance(value, tuple) else [] if value is None else [str(value)]
        table.add_row(name, Text("\n".join(lines)), Text(found["from"]))
    Console().print(table)
