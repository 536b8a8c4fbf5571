"""The `reelflow` command on the stand-in pipeline, for a process of its own."""

from __future__ import annotations

import sys
import types
from typing import Any

from pipeline import cli


def _create_pipeline(*args: Any, **kwargs: Any) -> Any:
    from tests.pipeline import standin  # imports TFX

    return standin.create_pipeline(*args, **kwargs)


definition = types.ModuleType("pipeline.definition")
definition.create_pipeline = _create_pipeline  # type: ignore[attr-defined]
sys.modules["pipeline.definition"] = definition

if __name__ == "__main__":
    cli.main()
