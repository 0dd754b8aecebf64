"""The report's conclusion in words, computed from the recorded runs and the published models."""

from kwsd.training.report.published import LIMIT, PUBLISHED, Published
from kwsd.training.report.results import Result

SMALLER = 10  # times; what the task asks for


def conclusion(teacher: Result, results: list[Result]) -> str:
    """Sentences on the teacher, the task's limit, and how many published models are beaten, and how."""
    compressed = [result for result in results if result is not teacher]
    baseline = min(PUBLISHED, key=lambda published: published.au_fa_fr)
    sentences = [_comparison(teacher, baseline)]
    if compressed:
        sentences += [_within_limit(compressed), _dominated(compressed)]
    first, *others = sentences
    return " ".join((f"**{first}**", *others))


def _comparison(teacher: Result, baseline: Published) -> str:
    """How the teacher compares with the best published baseline."""
    ours, theirs = teacher.area, baseline.au_fa_fr
    return (
        f"The area under FR over FA of {teacher.name} is {ours / theirs:.2g} times that of the best "
        f"published baseline ({ours:.2e} and {theirs:.2e})."
    )


def _within_limit(compressed: list[Result]) -> str:
    """Which compressed models keep to the limit of the task, and the cheapest of those."""
    kept = [result for result in compressed if result.area <= LIMIT]
    if not kept:
        best = min(compressed, key=lambda result: result.area)
        return (
            f"No compressed model stays within the task's limit of {LIMIT:.1e}; "
            f"the best is {best.name} ({best.area:.2e}, {_seeds(best)})."
        )
    small = [result for result in kept if min(result.macs, result.weight_bytes) >= SMALLER]
    chosen = max(small or kept, key=lambda result: result.macs * result.weight_bytes)
    return (
        f"Within the task's limit of {LIMIT:.1e}: {_names(kept)}. The smallest of those, {chosen.name}, "
        f"needs {chosen.macs:.1f} times fewer multiply-adds and {chosen.weight_bytes:.1f} times fewer bytes "
        f"than the teacher ({chosen.area:.2e}, {_seeds(chosen)})."
    )


def _dominated(compressed: list[Result]) -> str:
    """How many of the published compressed models are beaten in cost and quality by one model here."""
    theirs = [one for one in PUBLISHED if one.macs > 1]
    beaten = [one for one in theirs if any(dominates(result, one) for result in compressed)]
    return (
        f"Of the {len(theirs)} published compressed models, {len(beaten)} are each beaten by one model "
        "in cost and quality at once."
    )


def dominates(result: Result, published: Published) -> bool:
    """Whether a model is at least as cheap and has a smaller area."""
    return (
        result.area < published.au_fa_fr
        and result.macs >= published.macs
        and result.weight_bytes >= published.weight_bytes
    )


def _names(results: list[Result]) -> str:
    *most, last = (result.name for result in results)
    return f"{', '.join(most)} and {last}" if most else last


def _seeds(result: Result) -> str:
    return f"mean of {len(result.runs)} seeds" if len(result.runs) > 1 else "one seed"
