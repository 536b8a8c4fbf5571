"""Groups by gender and age, only where the run opted in."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from reelflow.evaluation.slices import user_groups

IDS = np.array(["1", "2", "3", "stranger"], object)


def _users(**attributes: list[object]) -> pa.RecordBatch:
    ids = [[b"1"], [b"2"], [b"3"]]
    return pa.RecordBatch.from_pydict({"user_id": ids, **attributes})


def test_everybody_is_in_one_group_each() -> None:
    users = _users(gender=[[b"F"], [b"M"], None], age=[[17], None, [56]])
    groups = user_groups([users], IDS)
    assert groups["gender"].tolist() == ["F", "M", "(unknown)", "(unknown)"]
    assert groups["age"].tolist() == ["0-17", "(unknown)", "56+", "(unknown)"]


def test_without_attributes_there_are_no_groups() -> None:
    assert user_groups([_users()], IDS) == {}
    assert user_groups([], IDS) == {}
