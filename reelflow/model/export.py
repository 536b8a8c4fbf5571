"""Export of a trained model: SavedModel, catalogue, description and golden requests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from reelflow.base import columns as f
from reelflow.encoding.encoded import EncodedData
from reelflow.model.signatures import ServingModel
from reelflow.saved_model import golden
from reelflow.saved_model.client import Signatures, Values
from reelflow.saved_model.contract import EVALUATE, RATE, RECOMMEND, SIMILAR
from reelflow.saved_model.files import CATALOGUE, GOLDEN, USERS, ModelInfo
from reelflow.saved_model.manifest import write_manifest

GOLDEN_ROWS = 8
_UNKNOWN = "\x00nobody"  # part of every golden.json; no reader accepts control characters


def export(
    model: ServingModel, data: EncodedData, users: list[str], info: ModelInfo, folder: Path
) -> None:
    """Write the `model` artifact as docs/architecture.md describes it.

    Args:
        model: the frozen model.
        data: the training data.
        users: the user vocabulary, in order.
        info: the content of `model.json`.
        folder: the SavedModel's folder.
    """
    model.prepare()
    signatures = model.signatures()
    if model.ready_lists is not None:
        of_timelines = [*users, _UNKNOWN, *data.new_users.user_id]
        model.ready_lists.explain(
            Signatures(signatures).call, of_timelines, data.catalogue.movie_id
        )
    tf.saved_model.save(model, str(folder), signatures=signatures)
    info.write(folder)
    pq.write_table(_catalogue(data), folder / CATALOGUE)
    known = pa.array([*users, *data.new_users.user_id], pa.string())
    pq.write_table(pa.table({f.USER_ID: known}), folder / USERS)
    golden.write(folder / GOLDEN, golden.record(Signatures(signatures), _requests(data, users)))
    write_manifest(folder)


def _catalogue(data: EncodedData) -> pa.Table:
    catalogue = data.catalogue
    return pa.table(
        {
            f.MOVIE_ID: pa.array(catalogue.movie_id, pa.string()),
            f.TITLE: pa.array(catalogue.title, pa.string()),
            f.GENRES: pa.array(catalogue.genres, pa.list_(pa.string())),
            f.YEAR: pa.array(catalogue.year, pa.int64()),
            f.RATING_COUNT: pa.array(data.rating_counts, pa.int64()),
        }
    )


def _requests(data: EncodedData, users: list[str]) -> list[tuple[str, Values]]:
    """Make requests of every kind: known and unknown users, a history, exclusions, movies, rows."""
    rows = data.train.take(np.linspace(0, len(data.train) - 1, GOLDEN_ROWS).astype(np.int64))
    user_ids = [users[u] for u in rows.user_index]
    movie_ids = [data.catalogue.movie_id[m] for m in rows.movie_index]
    return [
        (RECOMMEND, {f.USER_ID: user_ids}),
        (RECOMMEND, {f.USER_ID: user_ids[:1], f.EXCLUSIONS: [movie_ids], f.K: 5}),
        (RECOMMEND, {f.USER_ID: [_UNKNOWN], f.HISTORY: [movie_ids]}),
        (RECOMMEND, {f.USER_ID: [_UNKNOWN], f.K: 3}),
        (RATE, {f.USER_ID: [*user_ids, _UNKNOWN], f.MOVIE_ID: [*movie_ids, movie_ids[0]]}),
        (SIMILAR, {f.MOVIE_ID: movie_ids}),
        (EVALUATE, {f.USER_ID: user_ids, f.MOVIE_ID: movie_ids}),
    ]
