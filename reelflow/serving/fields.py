"""Types of fields in requests, and the conditions on movies that several requests have."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from reelflow.serving.limits import Limits

_LIMITS = Limits()
Id = Annotated[str, Field(min_length=1, max_length=_LIMITS.id_length)]
Ids = Annotated[list[Id], Field(max_length=_LIMITS.movies)]
Count = Annotated[int, Field(ge=1, le=_LIMITS.k)]
Text = Annotated[str, Field(max_length=_LIMITS.id_length)]
Year = Annotated[int, Field(ge=0, le=9999)]
Stars = Annotated[float, Field(allow_inf_nan=False)]


class Strict(BaseModel):
    """A request; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Filtered(Strict):
    """Conditions on the movies of an answer."""

    genres: Annotated[list[Id], Field(max_length=50)] = Field(
        [], description="At least one of these genres; none means any movie."
    )
    year_from: Year | None = Field(None, description="Oldest release year.")
    year_to: Year | None = Field(None, description="Newest release year.")

    @property
    def has_conditions(self) -> bool:
        """True if not every movie fits."""
        return bool(self.genres) or self.year_from is not None or self.year_to is not None
