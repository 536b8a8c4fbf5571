"""Requests made from the OpenAPI document, valid and hostile: none may be a fault of the server."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from reelflow.serving.access import Access, Key
from reelflow.serving.app import openapi
from reelflow.serving.limits import Limits
from reelflow.serving.messages import ERRORS
from tests.reelflow.serving.live import live

EXAMPLES = 15
LINE_BYTES = 60_000
CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


TEXT, KEY = Key.make("fuzz", ["read"])
WITHOUT, WITH = Access(), Access([KEY], ("localhost",))


def test_keys_errors_and_limits_are_described() -> None:
    document = openapi(Limits(k=77, rate=1_234, body_bytes=5_678))
    text = document["info"]["description"]
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "## Keys",
        "## Errors",
        "## Limits",
    ]
    assert all(f"- `{code}`: " in text for code in ERRORS)
    assert all(bound in text for bound in ("77 movies", "1,234 units", "5,678 bytes"))
    scopes = {one.get("x-scope") for path in document["paths"].values() for one in path.values()}
    assert scopes == {"read", "events", "admin", None}
    assert "--rate" in openapi(Limits())["info"]["description"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("access", "examples"), [(WITHOUT, EXAMPLES), (WITH, 4)], ids=["without keys", "with keys"]
)
def test_no_request_is_a_fault(pushed: Path, tmp_path: Path, access: Access, examples: int) -> None:
    bounds = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    headers = {"Authorization": f"Bearer {TEXT}"}
    with live(pushed, limits=Limits(), events=tmp_path, access=access) as address:
        document = schemathesis.openapi.from_url(f"{address}openapi.json")
        operations = [found.ok() for found in document.get_all_operations()]
        assert len(operations) > 15
        for operation in operations:
            for mode in GenerationMode:

                @bounds
                @given(case=operation.as_strategy(generation_mode=mode))
                def ask(case: schemathesis.Case) -> None:
                    # The HTTP parser refuses longer lines, before the application sees them.
                    assume(len(urlencode(case.query or {}, doseq=True)) < LINE_BYTES)
                    case.call_and_validate(checks=CHECKS, headers=headers)

                if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
                    continue  # nothing that could be wrong
                ask()
