"""TensorFlow Serving's REST paths, so that clients written for it work unchanged."""

from __future__ import annotations

import json
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from serving.engine import Engine
from serving.messages import ERRORS
from serving.predicting import Predict
from serving.problems import Problem
from serving.state import state
from serving.tensors import parse, render

MODEL: Final = "reelflow"
BASE: Final = f"/v1/models/{MODEL}"
_LONGEST_VERSION: Final = 18  # digits: an int64

router = APIRouter(tags=["TensorFlow Serving"], responses=ERRORS)


@router.get(BASE, summary="Which version is served")
@router.get(f"{BASE}/versions/{{version}}", summary="Whether a version is served")
async def status(request: Request, version: str | None = None) -> JSONResponse:
    """The model's state, as TensorFlow Serving reports it."""
    engine = _engine(request, version)
    one = {
        "version": str(engine.version),
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    return JSONResponse({"model_version_status": [one]})


@router.get(f"{BASE}/metadata", summary="Signatures")
@router.get(f"{BASE}/versions/{{version}}/metadata", summary="Signatures of a version")
async def metadata(request: Request, version: str | None = None) -> JSONResponse:
    """Inputs and outputs of all signatures."""
    engine = _engine(request, version)
    spec = {"name": MODEL, "signature_name": "", "version": str(engine.version)}
    definitions = {"signature_def": engine.model.definitions.metadata}
    return JSONResponse({"model_spec": spec, "metadata": {"signature_def": definitions}})


_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "signature_name": {"type": "string", "default": "serving_default"},
                        "instances": {"type": "array", "description": "Row format.", "items": {}},
                        "inputs": {"description": "Columnar format."},
                    },
                },
                "example": {"instances": [{"user_id": "1"}]},
            }
        },
    }
}


@router.post(f"{BASE}:predict", summary="Ask a signature", openapi_extra=_BODY)
@router.post(
    f"{BASE}/versions/{{version}}:predict",
    summary="Ask a signature of a version",
    openapi_extra=_BODY,
)
async def predict(request: Request, version: str | None = None) -> JSONResponse:
    """Row (`instances`) or columnar (`inputs`) format; `signature_name` chooses the signature."""
    engine = _engine(request, version)
    limits = state(request).limits
    try:
        content = json.loads(await request.body(), parse_constant=_no_number)
    except ValueError as error:  # a number of thousands of digits is one as well
        raise Problem(400, f"The body is not JSON: {error}") from None
    name, by_row, inputs = parse(content, engine.model.definitions.inputs, limits)
    if name in _OF_USERS and not state(request).histories:
        raise Problem(403, f"{name} is switched off: it would tell what users have rated.")
    predict_all = Predict.of(engine, name, limits, inputs)
    outputs = await state(request).batcher.ask(predict_all, inputs)
    return JSONResponse(render(outputs, by_row))


_OF_USERS: Final = {"score", "explain", "timeline"}


def _engine(request: Request, version: str | None) -> Engine:
    """The engine in use.

    Raises:
        Problem: 400 if `version` is no number, 404 if another version is served.
    """
    engine = state(request).versions.engine
    if version is None:
        return engine
    if not (version.isascii() and version.isdigit() and len(version) <= _LONGEST_VERSION):
        raise Problem(400, "A version is a whole number.")
    if int(version) != engine.version:
        raise Problem(404, f"Version {int(version)} of {MODEL} is not served.")
    return engine


def _no_number(text: str) -> float:
    raise Problem(400, f"{text} is no JSON.")
