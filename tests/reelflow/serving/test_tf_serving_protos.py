"""Our REST answers and requests, read by the model server's own messages."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from fastapi.testclient import TestClient
from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

from reelflow.saved_model.client import ServedModel
from reelflow.serving.tf_serving import parse
from tests.tiny_model import REQUESTS

MODEL = "/v1/models/reelflow"


def test_status_is_a_status_response(client: TestClient) -> None:
    status = json_format.Parse(
        client.get(MODEL).text, get_model_status_pb2.GetModelStatusResponse()
    )
    (version,) = status.model_version_status
    assert version.version == 7
    assert version.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE


def test_metadata_is_a_signature_map(client: TestClient, served: ServedModel) -> None:
    metadata = client.get(f"{MODEL}/metadata").json()["metadata"]["signature_def"]
    found = get_model_metadata_pb2.SignatureDefMap()
    json_format.ParseDict(metadata, found)
    assert found.signature_def.keys() == served.signatures.definitions.signatures.keys()
    assert found.signature_def["rate"].inputs["user_id"].dtype == tf.string.as_datatype_enum


def test_requests_become_the_tensors_that_a_predict_request_holds(served: ServedModel) -> None:
    from reelflow.serving.limits import Limits

    definitions = served.signatures.definitions
    for signature, inputs in REQUESTS:
        body = {"signature_name": signature, "inputs": inputs}
        name, _, arrays = parse(body, definitions.signatures, Limits())
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "reelflow"
        request.model_spec.signature_name = name
        for key, array in arrays.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(array))
        again = predict_pb2.PredictRequest.FromString(request.SerializeToString())
        sent = {key: tf.make_ndarray(tensor) for key, tensor in again.inputs.items()}
        call = served.signatures.call
        expected, found = call(name, inputs), call(name, sent)
        for output in expected:
            np.testing.assert_array_equal(found[output], expected[output])
