"""TensorFlow Serving's REST paths: the SavedModel's own answers, in its formats."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from reelflow.saved_model.client import ServedModel, Signatures
from reelflow.serving.engine import Engine
from reelflow.serving.limits import Limits
from reelflow.serving.tf_serving import PredictBatch, parse

MODEL = "/v1/models/reelflow"


def _close(one: Any, other: Any) -> bool:
    if one != one:  # NaN
        return bool(other != other)
    if isinstance(one, list):
        pairs = zip(one, other, strict=True)
        return len(one) == len(other) and all(_close(a, b) for a, b in pairs)
    return bool(one == pytest.approx(other, rel=1e-6) if isinstance(one, float) else one == other)


def _own(served: ServedModel, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """From the SavedModel without the server."""
    return Signatures.load(served.path).ask(name, inputs)


REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("serving_default", {"user_id": ["1", "nobody"]}),
    ("serving_default", {"user_id": ["3"], "k": 3, "exclusions": [["1", "9"]]}),
    ("serving_default", {"user_id": ["nobody", "2"], "history": [["4", ""], ["", ""]], "k": 4}),
    (
        "serving_default",
        {"user_id": ["1", "2"], "order": ["stars", "blend"], "min_rating": [2, 1.5]},
    ),
    ("serving_default", {"user_id": ["1", "2"], "include_seen": [True, False], "k": 12}),
    ("serving_default", {"user_id": ["1"], "allowed": [[True, False, True] * 4], "k": 12}),
    (
        "serving_default",
        {"user_id": [""], "history": [["1", "2"]], "stars": [[float("nan"), 1]], "k": 5},
    ),
    ("rate", {"user_id": ["1", "nobody"], "movie_id": ["2", "nothing"]}),
    ("similar", {"movie_id": ["1", "12"], "k": 4}),
    ("evaluate", {"user_id": ["1"], "movie_id": ["5"], "order": ["retrieval"]}),
]


@pytest.mark.parametrize(("name", "inputs"), REQUESTS)
def test_columns_in_columns_out(
    client: TestClient, served: ServedModel, name: str, inputs: dict[str, Any]
) -> None:
    request = {"signature_name": name, "inputs": inputs}
    answer = client.post(f"{MODEL}:predict", content=json.dumps(request)).json()["outputs"]
    own = _own(served, name, inputs)
    assert answer.keys() == own.keys()
    assert all(_close(answer[key], own[key]) for key in own)


@pytest.mark.parametrize(("name", "inputs"), REQUESTS)
def test_rows_in_rows_out(
    client: TestClient, served: ServedModel, name: str, inputs: dict[str, Any]
) -> None:
    rows = max(len(values) for values in inputs.values() if isinstance(values, list))
    columns = {
        key: values if isinstance(values, list) else [values] * rows
        for key, values in inputs.items()
    }
    instances = [{key: values[row] for key, values in columns.items()} for row in range(rows)]
    request = {"signature_name": name, "instances": instances}
    found = client.post(f"{MODEL}/versions/7:predict", content=json.dumps(request))
    answer = found.json()["predictions"]
    own = _own(served, name, inputs)
    assert len(answer) == rows
    for row, prediction in enumerate(answer):
        assert prediction.keys() == own.keys()
        assert all(_close(prediction[key], own[key][row]) for key in own)


def test_numbers_that_are_not_known_are_nan(client: TestClient) -> None:
    request = {"signature_name": "timeline", "instances": [{"user_id": "1"}, {"user_id": "5"}]}
    answer = client.post(f"{MODEL}:predict", json=request)
    assert "NaN" in answer.text
    assert answer.json()["predictions"][0]["rating"][:2] == [1, 5]


def test_scalars_hold_for_all_rows(client: TestClient) -> None:
    inputs = {"user_id": ["1", "2"], "order": "stars", "min_rating": 2, "include_seen": True}
    request = {"signature_name": "serving_default", "inputs": inputs}
    ratings = client.post(f"{MODEL}:predict", json=request).json()["outputs"]["rating"]
    shown = [[rating for rating in row if rating] for row in ratings]
    assert all(row and row == sorted(row, reverse=True) for row in shown)


def test_the_default_signature_and_no_content_type(client: TestClient) -> None:
    body = json.dumps({"instances": [{"user_id": {"b64": "MQ=="}}]})
    answer = client.post(f"{MODEL}:predict", content=body)
    assert len(answer.json()["predictions"][0]["movie_id"]) == 10


def test_status(client: TestClient) -> None:
    expected = {
        "model_version_status": [
            {
                "version": "7",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    assert client.get(MODEL).json() == expected
    assert client.get(f"{MODEL}/versions/7").json() == expected


@pytest.mark.parametrize("path", ["/metadata", "/versions/7/metadata"])
def test_metadata(client: TestClient, path: str) -> None:
    answer = client.get(f"{MODEL}{path}").json()
    assert answer["model_spec"] == {"name": "reelflow", "signature_name": "", "version": "7"}
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "rate", "similar", "evaluate"} <= signatures.keys()
    user_id = signatures["rate"]["inputs"]["user_id"]
    assert user_id["dtype"] == "DT_STRING"
    assert user_id["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}],
        "unknown_rank": False,
    }


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("8", 404),
        ("latest", 400),
        ("-7", 400),
        ("7.0", 400),
        ("٧", 400),
        ("9" * 400, 400),
        ("..%2f..%2fetc%2fpasswd", 404),
        ("%2e%2e", 400),
        ("7%00", 400),
    ],
)
def test_versions_that_are_not_served(client: TestClient, version: str, status: int) -> None:
    answer = client.get(f"{MODEL}/versions/{version}")
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ([], "JSON object"),
        ({}, "either 'instances' or 'inputs'"),
        ({"instances": [], "inputs": []}, "either 'instances' or 'inputs'"),
        ({"instances": []}, "not empty"),
        ({"instances": {"user_id": "1"}}, "list"),
        ({"instances": ["1"]}, "inputs by name"),
        ({"instances": [{"user_id": "1"}, {"user_id": "2", "k": 3}]}, "same inputs"),
        ({"instances": [{"user_id": "1"}], "signature": "rate"}, "Unknown keys: 'signature'"),
        ({"instances": [{"user_id": "1"}], "signature_name": "train"}, "no signature 'train'"),
        ({"instances": [{"user_id": "1"}], "signature_name": ["rate"]}, "no signature"),
        ({"instances": [{"user_id": "1", "kk": 3}]}, "no input 'kk'"),
        ({"instances": [{"k": 3}]}, "needs the input 'user_id'"),
        ({"instances": [{"user_id": 1}]}, "strings are wanted"),
        ({"instances": [{"user_id": ["1"]}]}, "1 axes are wanted, not 2"),
        ({"instances": [{"user_id": "1", "k": 2.5}]}, "whole numbers"),
        ({"instances": [{"user_id": "1", "k": True}]}, "whole numbers"),
        ({"instances": [{"user_id": "1", "k": 0}]}, "k must be from 1"),
        ({"instances": [{"user_id": "1", "k": 501}]}, "k must be from 1"),
        ({"instances": [{"user_id": "1", "k": 10**40}]}, "out of range"),
        ({"instances": [{"user_id": "1"}] * 9}, "8 rows at most"),
        ({"inputs": {"user_id": ["1"], "history": [["1"], ["2", "3"]]}}, "2 axes are wanted"),
        ({"inputs": {"user_id": ["1", "2"], "history": [["1"], ["2"], ["3"]]}}, "refuses"),
        ({"inputs": {"user_id": [{"b64": "?"}]}}, "not base64"),
        ({"inputs": {"user_id": [None]}}, "strings are wanted"),
        ({"instances": [{"user_id": "1", "order": 3}]}, "order: strings are wanted"),
        ({"instances": [{"user_id": "1", "min_rating": "4"}]}, "min_rating: numbers are wanted"),
        ({"instances": [{"user_id": "1", "min_rating": True}]}, "min_rating: numbers are wanted"),
        ({"instances": [{"user_id": "1", "as_judged": 1}]}, "true or false are wanted"),
        ({"instances": [{"user_id": "1", "allowed": [True, False]}]}, "refuses"),
        ({"inputs": {"user_id": ["1"] * 8, "k": 60}}, "may have 500 cells"),
    ],
)
def test_wrong_requests(client: TestClient, request_: Any, words: str) -> None:
    answer = client.post(f"{MODEL}:predict", json=request_)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nothing",
        b'{"inputs": NaN}',
        b'{"inputs": Infinity}',
        b'{"inputs": {"user_id": ["\\ud800"]}}',
        b'{"instances": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json(client: TestClient, body: bytes) -> None:
    answer = client.post(f"{MODEL}:predict", content=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]


def test_small_requests_that_are_alike_are_answered_together(served: ServedModel) -> None:
    engine, limits = Engine(served), Limits()

    def predict(name: str, body: dict[str, Any]) -> tuple[PredictBatch, dict[str, Any]]:
        request = {"signature_name": name, "inputs": body}
        _, _, arrays = parse(request, served.signatures.definitions.signatures, limits)
        return PredictBatch.of(engine, name, limits, arrays, histories=True), arrays

    one, inputs = predict("serving_default", {"user_id": ["1"]})
    alike, more_inputs = predict("serving_default", {"user_id": ["nobody"]})
    assert one == alike
    joined = one([inputs, more_inputs])
    for question, answer in zip((inputs, more_inputs), joined, strict=True):
        (own,) = one([question])
        assert own.keys() == answer.keys()
        for key in own:
            assert _close(own[key].tolist(), answer[key].tolist())
    different = [
        predict("serving_default", {"user_id": ["1"], "k": 3}),
        predict("serving_default", {"user_id": ["1"], "k": [10]}),
        predict("serving_default", {"user_id": ["1", "2"]}),
        predict("serving_default", {"user_id": ["1", "2"], "history": [["1"]]}),
        predict("serving_default", {"user_id": ["1"], "history": [["1", "2"]]}),
        predict("serving_default", {"user_id": ["1"] * 5}),
        predict("timeline", {"user_id": ["1"]}),
    ]
    found = [one, *(other for other, _ in different)]
    assert len({id(other) for other in found}) == len(set(found)) == len(found)
