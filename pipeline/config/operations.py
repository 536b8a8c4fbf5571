"""Where the model of a run goes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.config.section import Section


class PushConfig(Section):
    """Where a blessed model goes."""

    directory: str | None = None
    """Serving folder; none means `serving/reelflow` inside the output folder."""
    latency_ms_max: Annotated[float, Field(gt=0)] = 1_000.0
    """Median latency of one recommendation request that ServingCheck accepts, in milliseconds."""
    keep: Annotated[int, Field(ge=1)] = 10
    """Versions to keep in the serving folder; older ones are removed after a push."""
