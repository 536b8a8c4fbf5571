"""Metrics from exact ranks and predicted stars: plain numpy, one value a row, then means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

CUTOFFS: Final = (1, 5, 10, 50, 100)
PROTOCOLS: Final = ("raw", "unseen")


@dataclass(frozen=True)
class Predictions:
    """What a model says of the test rows; every array has shape [rows]."""

    stars: npt.NDArray[np.float32]
    rank_raw: Ints
    """Rank of the row's film among all films, from 1, ties against the model."""
    rank_unseen: Ints
    """The same with the films of the user's train history out of the competition."""
    likes: npt.NDArray[np.float32] | None = None
    """Probability that the user likes the film, of models that have one."""


def ranking_columns(ranks: Ints) -> dict[str, Floats]:
    """Each ranking metric's value for each row, float64 [rows].

    `top_k` is 1 where the film is among the first k (with one film to find, that is Recall@k as
    well); `ndcg_10` is 1 / log2(1 + rank) up to rank 10; `mrr` is 1 / rank.
    """
    columns = {f"top_{k}": (ranks <= k).astype(np.float64) for k in CUTOFFS}
    columns["ndcg_10"] = np.where(ranks <= 10, 1.0 / np.log2(1.0 + ranks), 0.0)
    columns["mrr"] = 1.0 / ranks
    return columns


def row_columns(predictions: Predictions, ratings: npt.NDArray[np.float32]) -> dict[str, Floats]:
    """All metrics' values for each row: `raw/...`, `unseen/...`, `squared_error`, `absolute_error`.

    A prediction that is not a number counts as infinitely wrong.
    """
    columns = {}
    for protocol, ranks in zip(
        PROTOCOLS, (predictions.rank_raw, predictions.rank_unseen), strict=True
    ):
        for name, values in ranking_columns(ranks).items():
            columns[f"{protocol}/{name}"] = values
    errors = np.abs(predictions.stars.astype(np.float64) - ratings)
    errors = np.where(np.isfinite(errors), errors, np.inf)
    return columns | {"squared_error": errors**2, "absolute_error": errors}


def summarise(columns: dict[str, Floats], rows: npt.NDArray[np.bool_] | None = None) -> Summary:
    """Means over all rows, or over the rows that are true."""
    means = {name: float(np.mean(v if rows is None else v[rows])) for name, v in columns.items()}
    by_protocol = {
        protocol: {
            name.removeprefix(f"{protocol}/"): mean
            for name, mean in means.items()
            if name.startswith(f"{protocol}/")
        }
        for protocol in PROTOCOLS
    }
    return Summary(
        raw=by_protocol["raw"],
        unseen=by_protocol["unseen"],
        rmse=float(np.sqrt(means["squared_error"])),
        mae=means["absolute_error"],
    )


@dataclass(frozen=True)
class Summary:
    """One model's metrics over some rows."""

    raw: dict[str, float]
    unseen: dict[str, float]
    rmse: float
    mae: float
    like: dict[str, float | None] | None = None
    """Accuracy, precision, recall and AUC of likes; over all rows only."""
