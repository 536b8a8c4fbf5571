"""Work of requests, and what a client may ask for."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.serving import messages as m
from reelflow.serving import work
from reelflow.serving.limits import Limits, Problem
from reelflow.serving.work import Allowance, work_of

SMALL = m.RecommendRequest(user_id="1")
HEAVY = m.RecommendRequest(liked=[str(n) for n in range(500)], k=500, explain=True)


def test_heavy_requests_are_known_as_such() -> None:
    limits = Limits()
    assert 1 <= work_of(SMALL) < 2
    assert work_of(HEAVY) > 300 * work_of(SMALL)
    assert work_of(m.RecommendRequest(user_id="1", explain=True)) < limits.heavy_work
    assert work_of(m.RecommendRequest(user_id="1", k=500)) < limits.heavy_work
    assert work_of(("1", m.SimilarRequest(k=500))) == 11
    one = {"user_id": np.array([b"1"], object)}
    assert work_of(one) < 2
    assert work_of({"user_id": np.array([b"1"] * 512, object), "k": np.int32(500)}) > 5_000


def test_a_bucket_empties_and_fills() -> None:
    now = 0.0
    allowance = Allowance(10, 20, lambda: now)
    for _ in range(20):
        allowance.enter("a")
    with pytest.raises(Problem) as refused:
        allowance.enter("a")
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "1"})
    allowance.enter("b")  # another client is not meant
    now = 0.5
    allowance.enter("a")
    allowance.charge("a", 100)
    now = 5.0
    with pytest.raises(Problem) as refused:
        allowance.enter("a")  # its debt is 95 units less 45
    assert refused.value.headers == {"Retry-After": "6"}
    now = 11.0
    allowance.enter("a")


def test_no_rate_no_bound() -> None:
    allowance = Allowance(0, 1)
    for _ in range(100):
        allowance.enter("a")
        allowance.charge("a", 1_000)


def test_clients_are_forgotten_beyond_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_CLIENTS", 2)
    allowance = Allowance(0.001, 1)
    for client in "abc":
        allowance.enter(client)
    allowance.enter("a")
    with pytest.raises(Problem):
        allowance.enter("c")
