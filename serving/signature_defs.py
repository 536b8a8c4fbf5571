"""What a SavedModel says of its signatures: names, dtypes, shapes and defaults."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# TensorFlow's own initialiser, which is none of ours.
_HIDDEN = "__saved_model_init_op"


@dataclass(frozen=True)
class Input:
    """One input of a signature."""

    dtype: Any
    """Numpy's; `object` for strings."""
    rank: int | None
    """None if it may be any."""
    default: Any | None
    """A numpy array, or none if the input must be given."""


@dataclass(frozen=True)
class SignatureDefs:
    """All signatures of one model."""

    inputs: Mapping[str, Mapping[str, Input]]
    """By signature and input name."""
    metadata: Mapping[str, Any]
    """As TensorFlow Serving's `/metadata` shows them."""

    @classmethod
    def read(cls, saved_model: Path) -> SignatureDefs:
        """Read `saved_model.pb`; TensorFlow must be set up before."""
        from google.protobuf import json_format
        from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

        content = saved_model_pb2.SavedModel.FromString(saved_model.read_bytes())
        shown = meta_graph_pb2.MetaGraphDef()
        inputs = {}
        for name, definition in sorted(content.meta_graphs[0].signature_def.items()):
            if name == _HIDDEN:
                continue
            shown.signature_def[name].CopyFrom(definition)
            inputs[name] = {
                key: _input(tensor, definition.defaults.get(key))
                for key, tensor in sorted(definition.inputs.items())
            }
        options = inspect.signature(json_format.MessageToDict).parameters
        # protobuf renamed it; each of the two stacks has its own name.
        show_zeros = next(
            name
            for name in ("always_print_fields_with_no_presence", "including_default_value_fields")
            if name in options
        )
        metadata = json_format.MessageToDict(
            shown, preserving_proto_field_name=True, **{show_zeros: True}
        )
        return cls(inputs, metadata["signature_def"])


def _input(tensor: Any, default: Any) -> Input:
    import tensorflow as tf

    return Input(
        dtype=tf.as_dtype(tensor.dtype).as_numpy_dtype,
        rank=None if tensor.tensor_shape.unknown_rank else len(tensor.tensor_shape.dim),
        default=None if default is None else tf.make_ndarray(default),
    )
