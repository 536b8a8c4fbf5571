"""TensorFlow Serving's REST paths, so that clients written for it work unchanged.

Tensors come as JSON in row format (`instances`) or columnar format (`inputs`):
https://www.tensorflow.org/tfx/serving/api_rest.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from reelflow.base.columns import ALLOWED, USER_ID, K
from reelflow.saved_model.client import to_lists
from reelflow.saved_model.contract import RECOMMEND, Input, Signature
from reelflow.serving.api import ServerState
from reelflow.serving.engine import Engine
from reelflow.serving.limits import Limits, Problem
from reelflow.serving.messages import ERRORS
from reelflow.serving.middleware import CLIENT
from reelflow.serving.privacy import check_inputs

SMALL: Final = 4
"""Most rows of a request that is joined with others."""
MODEL: Final = "reelflow"
BASE: Final = f"/v1/models/{MODEL}"
_LONGEST_VERSION: Final = 18  # digits: an int64

Arrays = Mapping[str, Any]
router = APIRouter(tags=["TensorFlow Serving"], responses=ERRORS)


def parse(
    request: Any, signatures: Mapping[str, Signature], limits: Limits
) -> tuple[str, bool, dict[str, Any]]:
    """Return a `:predict` request's signature, True for the row format, and arrays by input.

    Raises:
        Problem: 400, the request is malformed.
    """
    if not isinstance(request, dict):
        raise Problem(400, "The request must be a JSON object.")
    if ("instances" in request) == ("inputs" in request):
        raise Problem(400, "The request must have either 'instances' or 'inputs'.")
    strange = sorted(set(request) - {"instances", "inputs", "signature_name"})
    if strange:
        raise Problem(400, f"Unknown keys: {', '.join(map(repr, strange))}.")
    name = request.get("signature_name", RECOMMEND) or RECOMMEND
    if not isinstance(name, str) or name not in signatures:
        known = ", ".join(signatures)
        raise Problem(400, f"There is no signature {name!r}; there are {known}.")
    by_row = "instances" in request
    expected = signatures[name].inputs
    columns = (
        _columns(request["instances"], expected) if by_row else _named(request["inputs"], expected)
    )
    unknown = sorted(set(columns) - set(expected))
    if unknown:
        raise Problem(400, f"{name} has no input {unknown[0]!r}; it has {', '.join(expected)}.")
    missing = [key for key, one in expected.items() if key not in columns and one.default is None]
    if missing:
        raise Problem(400, f"{name} needs the input {missing[0]!r}.")
    arrays = {key: _array(key, values, expected[key], limits) for key, values in columns.items()}
    return name, by_row, arrays


def render(outputs: Mapping[str, Any], by_row: bool) -> dict[str, Any]:
    """Return the JSON of outputs, arrays with a row per user: `predictions` if by row."""
    lists = {name: to_lists(array, errors="replace") for name, array in outputs.items()}
    if not by_row:
        return {"outputs": lists if len(lists) > 1 else next(iter(lists.values()))}
    if len(lists) == 1:
        return {"predictions": next(iter(lists.values()))}
    rows = zip(*lists.values(), strict=True)
    return {"predictions": [dict(zip(lists, row, strict=True)) for row in rows]}


def _columns(instances: Any, expected: Mapping[str, Input]) -> dict[str, Any]:
    """Turn rows into columns; a row of a signature with one input may be the bare value."""
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
    nested = np.array(_leaves(name, values, np.dtype(expected.dtype).kind), dtype=object)
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
    if name == K and array.size and not 1 <= array.min() <= array.max() <= limits.k:
        raise Problem(400, f"k must be from 1 to {limits.k}.")
    return array


_LEAVES: Final = {"O": "strings", "i": "whole numbers", "f": "numbers", "b": "true or false"}
"""Kind of numpy's dtypes to the JSON that is wanted."""


def _leaves(name: str, values: Any, kind: str) -> Any:
    """Return the same nested lists with checked leaves, strings as UTF-8."""
    if isinstance(values, list):
        return [_leaves(name, value, kind) for value in values]
    if kind == "O" and isinstance(values, str):
        try:
            return values.encode("utf-8")
        except UnicodeEncodeError:
            raise Problem(400, f"{name}: half a surrogate pair is no text.") from None
    if kind == "O" and isinstance(values, dict) and set(values) == {"b64"}:
        try:
            return base64.b64decode(values["b64"], validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise Problem(400, f"{name}: {{'b64': ...}} is not base64.") from None
    if isinstance(values, bool):
        if kind == "b":
            return values
    elif (kind in "if" and isinstance(values, int)) or (kind == "f" and isinstance(values, float)):
        return values
    raise Problem(400, f"{name}: {_LEAVES[kind]} are wanted.")


@dataclass(frozen=True)
class PredictBatch:
    """Answer `:predict` requests; the batcher joins requests for which this is equal."""

    engine: Engine
    name: str
    """Name of the signature."""
    limits: Limits
    histories: bool
    """True if answers may contain what users have rated."""
    key: tuple[object, ...]
    """Equal for requests that one call can answer: number of rows, k and shapes."""

    @classmethod
    def of(
        cls, engine: Engine, name: str, limits: Limits, inputs: Arrays, *, histories: bool
    ) -> PredictBatch:
        """Return the batch of a request that has passed `parse`; a large one is its own batch."""
        k = inputs.get(K)
        rows = {len(array) if array.ndim else 0 for key, array in inputs.items() if key != K}
        key: tuple[object, ...] = (object(),)  # equal to nothing else
        if len(rows) == 1 and 0 < max(rows) <= SMALL and (k is None or not k.ndim):
            shapes = tuple((key, inputs[key].shape[1:]) for key in sorted(inputs) if key != K)
            key = (*rows, None if k is None else int(k), shapes)
        return cls(engine, name, limits, histories, key)

    def __call__(self, requests: Sequence[Arrays]) -> list[Arrays]:
        """Return the answers in order.

        Raises:
            Problem: 400, the model refuses the inputs, or the answer is too large.
        """
        joined = requests[0]
        if len(requests) > 1:
            joined = {
                key: first if key == K else np.concatenate([r[key] for r in requests])
                for key, first in joined.items()
            }
        import tensorflow as tf

        try:
            if self.name == RECOMMEND and not self.histories:
                shown = self.engine.shown(joined[USER_ID].tolist())
                joined = {**joined, ALLOWED: shown & joined.get(ALLOWED, True)}
            outputs = self.engine.ask(self.name, joined)
        except (tf.errors.InvalidArgumentError, ValueError) as error:
            first = str(error).strip().splitlines()[0]
            raise Problem(400, f"The model refuses these inputs: {first}") from error
        if sum(array.size for array in outputs.values()) > self.limits.cells * len(requests):
            raise Problem(400, f"An answer may have {self.limits.cells:,} cells: ask for less.")
        parts = {key: np.array_split(array, len(requests)) for key, array in outputs.items()}
        return [{key: part[at] for key, part in parts.items()} for at in range(len(requests))]


class StatusMessage(BaseModel):
    """An error code of gRPC with its words."""

    error_code: str
    error_message: str


class VersionStatus(BaseModel):
    """State of one version."""

    version: str
    state: str
    status: StatusMessage


class ModelStatus(BaseModel):
    """State of the model."""

    model_version_status: list[VersionStatus]


class ModelSpec(BaseModel):
    """Name of the model."""

    name: str
    signature_name: str
    version: str


class ModelMetadata(BaseModel):
    """Inputs and outputs of all signatures, as TensorFlow Serving renders its messages."""

    model_spec: ModelSpec
    metadata: dict[str, Any]


class Predictions(BaseModel):
    """Answer of a signature: `predictions` to `instances`, `outputs` to `inputs`."""

    predictions: list[Any] | None = Field(None, description="A row each.")
    outputs: Any = Field(None, description="Arrays by name, or the only one.")


@router.get(BASE, summary="Which version is served")
@router.get(
    f"{BASE}/versions/{{version}}", name="status_of_version", summary="Whether a version is served"
)
async def status(request: Request, version: str | None = None) -> ModelStatus:
    """The model's state, as TensorFlow Serving reports it."""
    engine = _engine(request, version)
    status = StatusMessage(error_code="OK", error_message="")
    one = VersionStatus(version=str(engine.version), state="AVAILABLE", status=status)
    return ModelStatus(model_version_status=[one])


@router.get(f"{BASE}/metadata", summary="Signatures")
@router.get(
    f"{BASE}/versions/{{version}}/metadata",
    name="metadata_of_version",
    summary="Signatures of a version",
)
async def metadata(request: Request, version: str | None = None) -> ModelMetadata:
    """Inputs and outputs of all signatures."""
    engine = _engine(request, version)
    spec = ModelSpec(name=MODEL, signature_name="", version=str(engine.version))
    definitions = {"signature_def": engine.model.signatures.definitions.metadata}
    return ModelMetadata(model_spec=spec, metadata={"signature_def": definitions})


_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "signature_name": {"type": "string", "default": RECOMMEND},
                        "instances": {"type": "array", "description": "Row format.", "items": {}},
                        "inputs": {"description": "Columnar format."},
                    },
                },
                "example": {"instances": [{"user_id": "1"}]},
            }
        },
    }
}


@router.post(
    f"{BASE}:predict",
    summary="Ask a signature",
    response_model=Predictions,
    openapi_extra=_BODY,
)
@router.post(
    f"{BASE}/versions/{{version}}:predict",
    name="predict_by_version",
    summary="Ask a signature of a version",
    response_model=Predictions,
    openapi_extra=_BODY,
)
async def predict(request: Request, version: str | None = None) -> Response:
    """Row (`instances`) or columnar (`inputs`) format; `signature_name` chooses the signature."""
    engine = _engine(request, version)
    limits = ServerState.of(request).limits
    try:
        question = json.loads(await request.body())
    except ValueError as error:  # a number of thousands of digits is one as well
        raise Problem(400, f"The body is not JSON: {error}") from None
    name, by_row, inputs = parse(question, engine.model.signatures.definitions.signatures, limits)
    histories = ServerState.of(request).histories
    if not histories:
        check_inputs(name, inputs)
    predict_all = PredictBatch.of(engine, name, limits, inputs, histories=histories)
    client = request.scope.get(CLIENT, "")
    outputs = await ServerState.of(request).ask(predict_all, inputs, client)
    # NaN as it is, which JSON does not know: TensorFlow Serving's answers have it as well.
    content = json.dumps(render(outputs, by_row), ensure_ascii=False, separators=(",", ":"))
    return Response(content, media_type="application/json")


def _engine(request: Request, version: str | None) -> Engine:
    """The engine in use.

    Raises:
        Problem: 400 if `version` is no number, 404 if another version is served.
    """
    engine = ServerState.of(request).versions.engine
    if version is None:
        return engine
    if not (version.isascii() and version.isdigit() and len(version) <= _LONGEST_VERSION):
        raise Problem(400, "A version is a whole number.")
    if int(version) != engine.version:
        raise Problem(404, f"Version {int(version)} of {MODEL} is not served.")
    return engine
