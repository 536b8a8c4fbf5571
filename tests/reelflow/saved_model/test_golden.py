"""Recording answers, and reading them back."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from reelflow.saved_model.golden import Golden, Request, call, input_dtypes, read, record, write
from tests import tiny_model


@tf.function(
    input_signature=[
        tf.TensorSpec([None], tf.string, "user_id"),
        tf.TensorSpec(None, tf.int32, "k"),
    ]
)
def _echo(user_id: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
    return {
        "text": tf.strings.join([user_id, "é"]),
        "k": k + tf.zeros_like(tf.strings.length(user_id)),
        "lists": tf.ones([tf.size(user_id), 2]) / 3,
    }


def test_record_answers_with_nested_lists_and_defaults() -> None:
    (golden,) = record({"echo": _echo}, [Request("echo", {"user_id": ["ä", ""]})])
    assert golden.inputs == {"user_id": ["ä", ""]}
    assert golden.outputs["text"] == ["äé", "é"]
    assert golden.outputs["k"] == [10, 10]
    assert golden.outputs["lists"][1] == pytest.approx([1 / 3, 1 / 3])


def test_an_input_without_default_must_be_given() -> None:
    with pytest.raises(KeyError, match="user_id"):
        call(_echo, {"k": 3})


def test_dtypes_come_from_the_signature() -> None:
    assert {name: str(dtype) for name, dtype in input_dtypes(_echo).items()} == {
        "user_id": "<class 'object'>",
        "k": "<class 'numpy.int32'>",
    }
    assert input_dtypes(_echo.get_concrete_function()) == input_dtypes(_echo)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    model = tiny_model.TinyModel()
    golden = record(model.signatures(), tiny_model.REQUESTS)
    file = tmp_path / "assets.extra/golden.json"
    write(file, golden)
    assert read(file) == golden
    assert {one.signature for one in golden} == {"serving_default", "rate", "similar", "evaluate"}


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "golden.json").write_text('[{"signature": "rate"}]')
    with pytest.raises(TypeError):
        read(tmp_path / "golden.json")


def test_golden_is_plain() -> None:
    assert Golden("rate", {}, {}) == Golden(signature="rate", inputs={}, outputs={})
