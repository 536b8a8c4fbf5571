"""The table of signatures, and what a SavedModel has of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from reelflow.saved_model.contract import RATE, SIGNATURES, Definitions, missing_parts


def test_the_exported_model_has_the_signatures_of_the_table(saved_model: Path) -> None:
    found = Definitions.read(saved_model).signatures
    assert found.keys() == SIGNATURES.keys()
    for name, expected in SIGNATURES.items():
        signature = found[name]
        assert signature.outputs - expected.optional_outputs == expected.outputs
        assert signature.inputs.keys() == expected.inputs.keys()
        for key, promised in expected.inputs.items():
            one = signature.inputs[key]
            assert (one.dtype, one.rank) == (promised.dtype, promised.rank)
            if promised.default is None:
                assert one.default is None
            else:
                assert one.default is not None
                expected_default = np.array(promised.default)
                if one.dtype is object:
                    expected_default = np.char.encode(expected_default, "utf-8")
                np.testing.assert_array_equal(one.default, expected_default)


def test_missing_parts() -> None:
    assert missing_parts(SIGNATURES) == []
    lacking = {name: parts for name, parts in SIGNATURES.items() if name != "evaluate"}
    inputs = {"user_id": SIGNATURES[RATE].inputs["user_id"]}
    lacking["rate"] = replace(SIGNATURES[RATE], inputs=inputs)
    assert missing_parts(lacking) == [
        "rate: inputs are ['user_id'] instead of ['movie_id', 'user_id']",
        "signature evaluate is missing",
    ]
