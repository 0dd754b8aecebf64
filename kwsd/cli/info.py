"""``kwsd info``: shows the sizes, settings and cost of a model."""

import json
from typing import Any

import click

from kwsd.cli.checked import ModelName
from kwsd.errors import one_line


@click.command(name="info")
@click.argument("model", type=ModelName())
@click.option("--against", type=ModelName(), help="Model to compare with, such as the teacher.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: str, against: str | None, as_json: bool) -> None:
    """MODEL is a file or the name of a shipped model.

    Bytes are those before the file is compressed, except those of the file.
    """
    from kwsd.runtime.modelfile import find_model
    from kwsd.training.release.cost import summary

    path = find_model(model)
    facts = summary(path, find_model(against) if against else None)
    if as_json:
        click.echo(json.dumps(facts))
    else:
        show(facts, path.name, against)


def show(facts: dict[str, Any], name: str, against: str | None) -> None:
    """Print the facts as a line and a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("", one_line(name), *([f"{one_line(against)} / {one_line(name)}"] if against else []))
    for key, value in facts["cost"].items():
        ratio = [f"{facts['ratios'][key]:.2f} x"] if against else []
        table.add_row(key.replace("_", " "), f"{value:,.0f}", *ratio)
    for key, value in (facts["verifier"] or {}).items():
        table.add_row(f"verifier {key.replace('_', ' ')}", f"{value:,}")
    sizes, settings = facts["architecture"], facts["settings"]
    console = Console(markup=False)  # brackets in a keyword or a file name are not markup
    console.print(
        f"'{facts['keyword']}': "
        + ", ".join(f"{key} {sizes[key]}" for key in ("channels", "kernel", "stride", "hidden"))
        + "; "
        + ", ".join(f"{key} {settings[key]}" for key in ("window", "step", "threshold"))
    )
    console.print(table)
