"""Groups of users by gender and age, for the slices of runs that opted in to user attributes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.evaluator.slices import AGE, GENDER, UNKNOWN, Labels, age_group
from components.trainer import features as f
from ratings import schema


def user_groups(
    users: Iterable[pa.RecordBatch], user_ids: npt.NDArray[np.object_]
) -> dict[str, Labels]:
    """Slice key to the group of each row's user, text [rows].

    Args:
        users: the catalogue's `users` split; without attributes there are no groups.
        user_ids: who each row is of, [rows]. Users that train does not have are `(unknown)`.
    """
    gender: dict[str, str] = {}
    age: dict[str, int] = {}
    opted_in = False
    for batch in users:
        if schema.GENDER not in batch.schema.names:
            continue
        opted_in = True
        columns = (f.USER_ID, schema.GENDER, schema.AGE)
        lists = (batch.column(batch.schema.get_field_index(c)).to_pylist() for c in columns)
        for ids, genders, ages in zip(*lists, strict=True):
            user = ids[0].decode()
            gender |= {user: genders[0].decode()} if genders else {}
            age |= {user: ages[0]} if ages else {}
    if not opted_in:
        return {}
    return {
        GENDER: np.array([gender.get(user) or UNKNOWN for user in user_ids]),
        AGE: age_group([age.get(user) for user in user_ids]),
    }
