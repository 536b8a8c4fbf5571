"""Golden requests: what the training process itself answered, to hold a reloaded model against.

Free of TensorFlow: signatures are called with numpy arrays, whose dtypes they state themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from components.trainer.features import EXCLUSIONS, HISTORY, K

GOLDEN_FILE: Final = "assets.extra/golden.json"

# TensorFlow Serving applies the defaults of a signature's inputs; in Python each must be given.
DEFAULTS: Final[Mapping[str, Any]] = {HISTORY: [[""]], EXCLUSIONS: [[""]], K: 10}

Values = Mapping[str, Any]
"""Tensors by name as nested lists; strings are text, whose bytes in the tensor are UTF-8."""


@dataclass(frozen=True)
class Request:
    """A call of one signature; inputs with a default may be left out."""

    signature: str
    inputs: Values


@dataclass(frozen=True)
class Golden:
    """A request with its known answer."""

    signature: str
    inputs: Values
    outputs: Values


def record(
    signatures: Mapping[str, Callable[..., Any]], requests: Iterable[Request]
) -> list[Golden]:
    """Answer the requests in this process.

    Args:
        signatures: by name, functions with an input signature or concrete functions.
        requests: what to ask; a signature that is not in `signatures` is a KeyError.
    """
    return [
        Golden(
            signature=request.signature,
            inputs=dict(request.inputs),
            outputs=call(signatures[request.signature], request.inputs),
        )
        for request in requests
    ]


def call(signature: Callable[..., Any], inputs: Values) -> dict[str, Any]:
    """Call a signature with nested lists and get nested lists back.

    Raises:
        KeyError: an input without a default is missing.
    """
    arrays = {
        name: _to_array(inputs[name] if name in inputs else DEFAULTS[name], dtype)
        for name, dtype in input_dtypes(signature).items()
    }
    return {name: _to_lists(tensor) for name, tensor in signature(**arrays).items()}


def input_dtypes(signature: Callable[..., Any]) -> dict[str, Any]:
    """Numpy dtypes by input name; strings are `object`."""
    concrete: Any = signature
    if hasattr(signature, "get_concrete_function"):
        concrete = signature.get_concrete_function()
    positional, named = concrete.structured_input_signature
    specs = {spec.name: spec for spec in positional} | named
    return {name: spec.dtype.as_numpy_dtype for name, spec in specs.items()}


def write(path: Path, golden: Iterable[Golden]) -> None:
    """Write golden requests as JSON; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps([asdict(one) for one in golden], ensure_ascii=False)
    path.write_text(content, encoding="utf-8")


def read(path: Path) -> list[Golden]:
    """Read golden requests.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError, TypeError: the file is not what `write` writes.
    """
    return [Golden(**one) for one in json.loads(path.read_text(encoding="utf-8"))]


def _to_array(values: Any, dtype: Any) -> Any:
    array = np.asarray(values, dtype=dtype)
    if dtype is object:
        flat = [str(text).encode() for text in array.ravel()]
        array = np.array([*flat, None], dtype=object)[:-1].reshape(array.shape)
    return array


def _to_lists(tensor: Any) -> Any:
    array = np.asarray(tensor)
    if array.dtype == object:
        flat = [text.decode() for text in array.ravel()]
        array = np.array([*flat, None], dtype=object)[:-1].reshape(array.shape)
    return array.tolist()
