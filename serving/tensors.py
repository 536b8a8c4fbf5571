"""TensorFlow Serving's JSON for tensors: row format (`instances`), columnar format (`inputs`).

https://www.tensorflow.org/tfx/serving/api_rest says what both look like.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from serving.limits import Limits
from serving.problems import Problem
from serving.signature_defs import Input

DEFAULT_SIGNATURE: Final = "serving_default"
_KEYS: Final = {"instances", "inputs", "signature_name"}


def parse(
    request: Any, signatures: Mapping[str, Mapping[str, Input]], limits: Limits
) -> tuple[str, bool, dict[str, Any]]:
    """Read a `:predict` request.

    Args:
        request: the parsed JSON.
        signatures: inputs by signature and name.
        limits: the rows it may have.

    Returns:
        The signature's name, whether the row format was used, and numpy arrays by input name.

    Raises:
        Problem: 400, with what is wrong.
    """
    if not isinstance(request, dict):
        raise Problem(400, "The request must be a JSON object.")
    if ("instances" in request) == ("inputs" in request):
        raise Problem(400, "The request must have either 'instances' or 'inputs'.")
    strange = sorted(set(request) - _KEYS)
    if strange:
        raise Problem(400, f"Unknown keys: {', '.join(map(repr, strange))}.")
    name = request.get("signature_name", DEFAULT_SIGNATURE) or DEFAULT_SIGNATURE
    if not isinstance(name, str) or name not in signatures:
        known = ", ".join(signatures)
        raise Problem(400, f"There is no signature {name!r}; there are {known}.")
    by_row = "instances" in request
    expected = signatures[name]
    given = (
        _columns(request["instances"], expected) if by_row else _named(request["inputs"], expected)
    )
    unknown = sorted(set(given) - set(expected))
    if unknown:
        raise Problem(400, f"{name} has no input {unknown[0]!r}; it has {', '.join(expected)}.")
    missing = [key for key, one in expected.items() if key not in given and one.default is None]
    if missing:
        raise Problem(400, f"{name} needs the input {missing[0]!r}.")
    arrays = {key: _array(key, values, expected[key], limits) for key, values in given.items()}
    return name, by_row, arrays


def render(outputs: Mapping[str, Any], by_row: bool) -> dict[str, Any]:
    """Write the answer in the format of the request.

    Args:
        outputs: numpy arrays whose first axis are the rows.
        by_row: whether `predictions` are wanted instead of `outputs`.
    """
    lists = {name: _plain(array) for name, array in outputs.items()}
    if not by_row:
        return {"outputs": lists if len(lists) > 1 else next(iter(lists.values()))}
    if len(lists) == 1:
        return {"predictions": next(iter(lists.values()))}
    rows = zip(*lists.values(), strict=True)
    return {"predictions": [dict(zip(lists, row, strict=True)) for row in rows]}


def _columns(instances: Any, expected: Mapping[str, Input]) -> dict[str, Any]:
    """Rows turned into columns; a row of a signature with one input may be the bare value."""
    if not isinstance(instances, list) or not instances:
        raise Problem(400, "'instances' must be a list that is not empty.")
    bare = not isinstance(instances[0], dict) or set(instances[0]) == {"b64"}
    if bare:
        if len(expected) > 1:
            raise Problem(400, "Each of 'instances' must be an object, with inputs by name.")
        return {next(iter(expected)): instances}
    keys = set(instances[0])
    if not all(isinstance(row, dict) and set(row) == keys for row in instances):
        raise Problem(400, "All 'instances' must have the same inputs.")
    return {key: [row[key] for row in instances] for key in instances[0]}


def _named(inputs: Any, expected: Mapping[str, Input]) -> dict[str, Any]:
    if isinstance(inputs, dict) and set(inputs) != {"b64"}:
        return inputs
    if len(expected) > 1:
        raise Problem(400, "'inputs' must be an object, with inputs by name.")
    return {next(iter(expected)): inputs}


def _array(name: str, values: Any, expected: Input, limits: Limits) -> Any:
    """A numpy array of the input's dtype and rank."""
    wanted = "strings" if expected.dtype is object else "whole numbers"
    nested = np.array(_leaves(name, values, expected.dtype is object, wanted), dtype=object)
    if expected.rank is not None and nested.ndim != expected.rank:
        raise Problem(
            400, f"{name}: {expected.rank} axes are wanted, not {nested.ndim}, and no ragged lists."
        )
    if nested.ndim and len(nested) > limits.rows:
        raise Problem(400, f"{name}: a request may have {limits.rows} rows at most.")
    if any(isinstance(leaf, list) for leaf in nested.ravel()):
        raise Problem(400, f"{name}: lists of one axis must have one length.")
    try:
        array = nested.astype(expected.dtype)
    except OverflowError:
        raise Problem(400, f"{name}: a number is out of range.") from None
    if name == "k" and array.size and not 1 <= array.min() <= array.max() <= limits.k:
        raise Problem(400, f"k must be from 1 to {limits.k}.")
    return array


def _leaves(name: str, values: Any, strings: bool, wanted: str) -> Any:
    """The same nested lists with every leaf checked; strings as UTF-8."""
    if isinstance(values, list):
        return [_leaves(name, value, strings, wanted) for value in values]
    if strings and isinstance(values, str):
        try:
            return values.encode("utf-8")
        except UnicodeEncodeError:
            raise Problem(400, f"{name}: half a surrogate pair is no text.") from None
    if strings and isinstance(values, dict) and set(values) == {"b64"}:
        try:
            return base64.b64decode(values["b64"], validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise Problem(400, f"{name}: {{'b64': ...}} is not base64.") from None
    if not strings and isinstance(values, int) and not isinstance(values, bool):
        return values
    raise Problem(400, f"{name}: {wanted} are wanted.")


def _plain(array: Any) -> Any:
    if array.dtype == object:
        flat = [text.decode("utf-8", errors="replace") for text in array.ravel()]
        array = np.array([*flat, None], dtype=object)[:-1].reshape(array.shape)
    return array.tolist()
