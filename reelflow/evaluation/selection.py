"""Baselines on equal terms: their settings are chosen on validation ratings, as a model's are."""

from __future__ import annotations

from typing import Final

import numpy as np

from reelflow.base.metrics import METRICS, UNSEEN
from reelflow.baselines import BASELINES, Baseline
from reelflow.encoding.encoded import EncodedData
from reelflow.evaluation.metrics import ranking_columns
from reelflow.evaluation.predictions import TestRows, baseline_predictions
from reelflow.evaluation.results import Chosen
from reelflow.model.timelines import sample_rows

VALIDATION_ROWS: Final = 10_000
"""Validation ratings that settings are chosen on, at most, drawn by seed."""
CHOSEN_BY: Final = METRICS["ndcg_10"]
"""The metric that settings are chosen by, under the unseen protocol."""


def fitted(name: str, data: EncodedData, known: EncodedData, seed: int) -> tuple[Baseline, Chosen]:
    """Choose a baseline's settings, then fit it on all that is known as of the cut.

    Args:
        name: in `BASELINES`.
        data: the encoded ratings, validation apart from train.
        known: the same as of the cut, all in train (`knowledge.as_of_the_cut`).
        seed: of the sample of validation ratings.

    Returns:
        The baseline, whose users are numbered as in `known`, and its settings.
    """
    chosen = choose(name, data, seed)
    baseline = BASELINES[name](**chosen.settings)
    baseline.fit(known)
    return baseline, chosen


def choose(name: str, data: EncodedData, seed: int) -> Chosen:
    """Choose a baseline's settings by unseen NDCG@10 of validation ratings, from train alone.

    Nothing about the test is looked at.

    Args:
        name: in `BASELINES`.
        data: the encoded ratings, validation apart from train.
        seed: of the sample of validation ratings.

    Returns:
        The first of the best; the first of all if there is nothing to choose on.
    """
    kind, path = BASELINES[name], CHOSEN_BY.path(UNSEEN)
    rows = sample_rows(data.validation.only_known(data.sizes), VALIDATION_ROWS, seed)
    if len(kind.candidates) < 2 or not len(rows):
        return Chosen(dict(kind.candidates[0]), tried=1, metric=path)
    nothing = np.full(len(rows), "", object)
    values = []
    for settings in kind.candidates:
        baseline = kind(**settings)
        baseline.fit(data)
        ranks = baseline_predictions(baseline, TestRows(nothing, nothing, rows), data).rank_unseen
        values.append(float(ranking_columns(ranks)[CHOSEN_BY.key].mean()))
    best = int(np.argmax(values))
    return Chosen(dict(kind.candidates[best]), len(values), len(rows), path, values[best])
