"""`reelflow sweep`: the same model with retrieval and rating weighed against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.compare import hold
from pipeline.cli.config import ConfigFile, DataFolder, Dataset, Overrides
from pipeline.cli.console import DEFAULT_OUTPUT, Output
from pipeline.comparison_seeds import with_seeds
from pipeline.layout import Layout
from pipeline.presets import listed
from ratings.errors import BadInput

if TYPE_CHECKING:
    from pipeline.config import Config

PRESET = "joint-basic"
"""The preset to sweep by default: its tasks share embeddings, so that there is a trade-off."""


def sweep(
    weights: Annotated[
        str, typer.Option("--weights", help="Of retrieval, with commas between.", metavar="LIST")
    ] = "0,0.25,0.5,0.75,1",
    source: ConfigFile = None,
    preset: Annotated[
        str, typer.Option("--preset", help=f"There are {listed()}.", metavar="NAME")
    ] = PRESET,
    data: DataFolder = None,
    dataset: Dataset = None,
    overrides: Overrides = None,
    output: Output = DEFAULT_OUTPUT,
) -> None:
    """Train one model with several weights of its two tasks and print one table.

    Weight w means retrieval_weight = w and rating_weight = 1 - w. At 0 recommendations rank by the
    rating model, at 1 stars come from biases. Where the tasks share no weights, as in the default
    model, only those two ends differ. What was trained before comes from the cache, so an
    interrupted sweep goes on where it was.

    Nothing is pushed. The table is kept in OUTPUT/compare as Markdown and JSON.
    """
    from pipeline.inputs import effective_config

    layout = Layout.of(output)
    shares = weights_of(weights)
    base = effective_config(layout, source, data, dataset, overrides or (), preset)
    hold(layout, base, with_seeds(weighed(base, shares), 1), [], "sweep-")


def weights_of(text: str) -> list[float]:
    """Weights from their list, ascending, each once.

    Raises:
        BadInput: one is no number from 0 to 1, or there is none.
    """
    try:
        shares = sorted({float(part) for part in text.split(",") if part.strip()})
    except ValueError:
        raise BadInput(f"--weights: {text!r} is no list of numbers.", "As 0,0.5,1.") from None
    if not shares or not all(0.0 <= share <= 1.0 for share in shares):
        raise BadInput("--weights: give numbers from 0 to 1.", "As 0,0.5,1.")
    return shares


def weighed(base: Config, shares: list[float]) -> dict[str, Config]:
    """Name to configuration, one for each weight of retrieval."""
    found = {}
    for share in shares:
        weights = {"retrieval_weight": share, "rating_weight": 1.0 - share}
        model = base.model.model_copy(update=weights)
        found[f"retrieval-{share:g}"] = base.model_copy(update={"model": model})
    return found
