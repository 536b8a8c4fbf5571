"""The configuration and the code know the same baselines."""

from __future__ import annotations

import pytest

from reelflow import config
from reelflow.base.errors import BadInput
from reelflow.baselines import BASELINES
from reelflow.config.loading import load


def test_names() -> None:
    assert tuple(BASELINES) == config.BASELINES


def test_a_wrong_name_is_refused_with_the_nearest_right_one() -> None:
    with pytest.raises(BadInput, match=r"gate\.baselines: .*'eas'; the nearest is ease"):
        load(overrides=['gate.baselines=["eas"]'])
    with pytest.raises(BadInput, match="there are popularity, recent_popularity, item_knn"):
        load(overrides=['gate.baselines=["xyz"]'])
