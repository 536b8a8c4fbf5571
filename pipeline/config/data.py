"""Where the ratings come from and what is accepted."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.section import Section, Share

FeatureName = Annotated[str, Field(pattern=r"^[^=|]+$")]


class Format(str, Enum):
    """The source formats that `ratings/` has adapters for."""

    AUTO = "auto"
    MOVIELENS_100K = "movielens-100k"
    MOVIELENS_1M = "movielens-1m"
    MOVIELENS_CSV = "movielens-csv"
    NETFLIX = "netflix"
    CSV = "csv"


class DataConfig(Section):
    """Where the ratings come from and what is accepted."""

    path: str | None = None
    """Folder with the ratings files; for ratings in spans with `{SPAN}`, or with `{YYYY}`, `{MM}`
    and `{DD}`, in its place; none: the built-in synthetic sample."""
    span: str | None = None
    """Newest span to read: `latest`, its number or its date; none: the latest, if `path` has
    placeholders."""
    spans: Annotated[int, Field(ge=1)] | Literal["all"] = "all"
    """Spans to read the ratings of, up to that one; films count from all of them."""
    span_marker: str | None = None
    """Name of the file, as `_SUCCESS`, without which a span is taken for incomplete and is not
    read; none: every folder that fits is complete."""
    format: Format = Format.AUTO
    """Source format; `auto` recognises it from the folder's content."""
    ratings: str | None = None
    """Glob of the ratings files inside the folder, for `csv`; none: `ratings*.csv*`."""
    movies: str | None = None
    """Glob of the films' file inside the folder, for `csv`; none: `movies*.csv*`, if there."""
    users: str | None = None
    """Glob of the users' file inside the folder, for `csv`; read only with `use_users`."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Canonical column to the header name in a user's own CSV, as `user_id = "customer"`."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Column delimiter of a user's own CSV."""
    use_users: bool = False
    """Opt in to user attributes (gender, age, occupation, zip code)."""
    movie_features: tuple[FeatureName, ...] = ()
    """Further columns of the films' file to learn from, as `director` and `star`: the header's
    names; several values stand with `|` between. Those that a file does not have are left out."""
    rating_min: float | None = None
    """Lowest valid rating, in stars; none: the format's own."""
    rating_max: float | None = None
    """Highest valid rating, in stars; none: the format's own."""
    max_quarantined: Share = 0.1
    """Share of rows that may be quarantined before the run stops."""
    max_drift: Share | None = None
    """Largest drift of a column between the newest span and the one before it, 0 to 1, that does
    not stop the run; none: drift only warns."""
    statistics_rows: Annotated[int, Field(ge=1_000)] = 200_000
    """Rows to compute descriptive statistics from, at most, sampled evenly; counts stay exact."""
    partitions: Annotated[int, Field(ge=1, le=4096)] = 8
    """User partitions of the ratings; a worker holds one partition in memory at a time."""
    chunk_bytes: Annotated[int, Field(ge=1024, le=2**30)] = 64 * 2**20
    """Bytes of a ratings file that one worker parses at a time."""

    @field_validator("span", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        """TOML has numbers and dates of its own."""
        return str(value) if isinstance(value, (int, date)) else value

    @model_validator(mode="after")
    def _range(self) -> DataConfig:
        bounds = self.rating_min, self.rating_max
        if None not in bounds and bounds[0] >= bounds[1]:  # type: ignore[operator]
            raise ValueError("rating_min must be below rating_max")
        return self
