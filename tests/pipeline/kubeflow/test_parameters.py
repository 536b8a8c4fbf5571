"""The graph that a package and its containers must agree on."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("kfp")  # for the package in `graphs`

from reelflow.base.errors import BadInput, ReelflowError
from tests.kubeflow.graphs import GRAPH


def test_the_same_graph_fits_in_any_order() -> None:
    turned = {node: tuple(reversed(up)) for node, up in reversed(GRAPH.upstream.items())}
    replace(GRAPH, upstream=turned).check(GRAPH.fingerprint)


@pytest.mark.parametrize(
    "upstream",
    [
        GRAPH.upstream | {"Tuner": ("RatingsExampleGen",)},
        GRAPH.upstream | {"Evaluator": ("ChampionResolver",)},
    ],
    ids=["a node more", "a dependency less"],
)
def test_another_graph_is_refused(upstream: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(BadInput, match="other nodes"):
        replace(GRAPH, upstream=upstream).check(GRAPH.fingerprint)


def test_other_code_is_refused() -> None:
    with pytest.raises(ReelflowError, match="other code"):
        replace(GRAPH, code="f" * 64).check(GRAPH.fingerprint)
