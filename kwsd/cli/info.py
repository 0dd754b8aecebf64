"""``kwsd info``: what a model is and what it costs."""

import json
from dataclasses import asdict

import click

from kwsd.cli.checked import ModelName


@click.command(name="info")
@click.argument("model", type=ModelName())
@click.option("--against", type=ModelName(), help="Model file or name to give ratios to: the teacher.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: str, against: str | None, as_json: bool) -> None:
    """MODEL is a file or the name of a shipped model."""
    from kwsd.errors import one_line
    from kwsd.runtime.modelfile import find_model
    from kwsd.training.release.cost import cost, verifier_cost

    path = find_model(model)
    found, mine = cost(path)
    facts = {
        "keyword": found.keyword,
        "architecture": asdict(found.architecture),
        "settings": asdict(found.settings),
        "cost": asdict(mine),
        "verifier": verifier_cost(found),
    }
    ratios = mine.over(cost(find_model(against))[1]) if against else {}
    if as_json:
        click.echo(json.dumps(facts | ({"ratios": ratios} if against else {})))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("", one_line(path.name), *([f"{one_line(against)} has"] if against else []))
    for name, value in asdict(mine).items():
        ratio = [f"{ratios[name]:.2f} x"] if against else []
        table.add_row(name.replace("_", " "), f"{value:,.0f}", *ratio)
    for name, value in (verifier_cost(found) or {}).items():
        table.add_row(f"verifier {name.replace('_', ' ')}", f"{value:,}")
    a, s = found.architecture, found.settings
    console = Console(markup=False)  # brackets in a keyword or file name are no markup
    console.print(
        f"'{found.keyword}': channels {a.channels}, kernel {a.kernel}, stride {a.stride}, hidden {a.hidden}; "
        f"window {s.window}, step {s.step}, threshold {s.threshold}"
    )
    console.print(table)
