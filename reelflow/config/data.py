"""The sections `data` and `split`, and the base of all sections."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from reelflow.base.nouns import Noun

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Word = Annotated[str, Field(pattern=r"^\S(.{0,38}\S)?$")]
FeatureName = Annotated[str, Field(pattern=r"^[^=|]+$")]


class Section(BaseModel):
    """Base of every section: immutable, unknown keys refused, docstrings are the documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Format(str, Enum):
    """Source formats; `reelflow/data/formats/` has an adapter for each."""

    AUTO = "auto"
    MOVIELENS_100K = "movielens-100k"
    MOVIELENS_1M = "movielens-1m"
    MOVIELENS_CSV = "movielens-csv"
    NETFLIX = "netflix"
    NETFLIX_PRIZE = "netflix-prize"
    BOOK_CROSSING = "book-crossing"
    RECBOLE = "recbole"
    CSV = "csv"


class Feedback(str, Enum):
    """Meanings of the values in the rating column."""

    AUTO = "auto"
    STARS = "stars"
    EVENTS = "events"
    COUNTS = "counts"


class Repeated(str, Enum):
    """Policies for several ratings of one user and movie."""

    LAST = "last"
    FIRST = "first"
    MEAN = "mean"
    ALL = "all"


class Ids(str, Enum):
    """Ways of comparing ids."""

    TEXT = "text"
    NUMBER = "number"


class DataConfig(Section):
    """The ratings files, and what is accepted of them."""

    path: str | None = None
    """Folder with the ratings files; for ratings in spans with `{SPAN}`, or with `{YYYY}`, `{MM}`
    and `{DD}`, in its place; none: the built-in synthetic sample."""
    span: str | None = None
    """Newest span to read: `latest`, its number or its date; none: the latest, if `path` has
    placeholders."""
    spans: Annotated[int, Field(ge=1)] | Literal["all"] = "all"
    """Spans to read the ratings of, up to that one; movies count from all of them."""
    span_marker: str | None = None
    """Name of the file, as `_SUCCESS`, without which a span is taken for incomplete and is not
    read; none: every folder that fits is complete."""
    format: Format = Format.AUTO
    """Source format; `auto` recognises it from the folder's content."""
    ratings: str | None = None
    """Glob of the ratings files inside the folder, or in its zip archives, for `csv`; none:
    `ratings*` with the usual endings, or the only table that can hold ratings."""
    movies: str | None = None
    """Glob of the movies' file inside the folder, for `csv`; none: found by its name, as `movies`,
    `books` or `items`, if there; empty: there is none."""
    users: str | None = None
    """Glob of the users' file inside the folder, for `csv`; none: found by its name; read only with
    `use_users`."""
    links: str | None = None
    """Glob of a file with the ratings' ids of the movies, as `links.csv` of MovieLens, for `csv`;
    none: `links*`, where the movies' file has the ids of The Movie Database; empty: none is
    read."""
    credits: str | None = None
    """Glob of a file of casts and crews, for the movie features `director` and `star`, for `csv`;
    none: `credits*`, if there."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Canonical column to the header name in a user's own files, as `user_id = "customer"`, or to
    the position where there is no header, as `"1"`; an empty name: there is no such column."""
    delimiter: Annotated[str, Field(min_length=1, max_length=2)] | None = None
    """Column delimiter of a user's own files, as `;`, a tab or `::`; none: found out."""
    header: bool | None = None
    """True if the first line of a ratings file names its columns; false: `columns` gives their
    positions, as `user_id = "1"`; none: found out."""
    decimal: Literal[".", ","] | None = None
    """Decimal mark of the ratings; none: found out."""
    encoding: Literal["utf-8", "latin-1", "cp1252"] | None = None
    """Encoding of the files; none: UTF-8, or Latin-1 if a file is not UTF-8."""
    timestamps: bool = True
    """False: a column of times is not read, and the ratings have no times."""
    timestamp_format: str | None = None
    """Times of the ratings: `s`, `ms`, `us` or `ns` since 1970, `iso` for ISO 8601 and dates, or a
    format of `strptime`, as `%d.%m.%Y`, in UTC; none: found out."""
    movies_columns: dict[str, str] = Field(default_factory=dict)
    """Canonical column (`movie_id`, `title`, `genres`, `year`) to the header name in the movies'
    file, or to the position from 1 where it has no header; others as in `columns`."""
    users_columns: dict[str, str] = Field(default_factory=dict)
    """Likewise of the users' file: `user_id`, `gender`, `age`, `occupation`, `zip_code`."""
    genre_separator: Annotated[str, Field(min_length=1)] | None = None
    """Text between the genres of a movie; none: `|`, `;`, `,` or `/` is found out, and lists as of
    JSON need none."""
    ids: Ids = Ids.TEXT
    """`text`: ids are compared letter by letter; `number`: whole numbers are the same id however
    they are written, as 7, 007 and 7.0."""
    item: Word = "movie"
    """Word for what is rated, as `book` or `artist`, in the page, the report, the model card and
    the command line's output."""
    items: Word | None = None
    """Plural of that word; none: by rule, as `stories` of `story`."""
    use_users: bool = False
    """Opt in to user attributes (gender, age, occupation, zip code)."""
    movie_features: tuple[FeatureName, ...] = ()
    """Further columns of the movies' file to learn from, as `director` and `star`: the header's
    names; several values stand with `|` between. Those that a file does not have are left out."""
    feedback: Feedback = Feedback.AUTO
    """Meaning of a row: `stars` (how much a movie was liked), `events` (views, purchases: each row
    is one, its value does not count) or `counts` (the value is how often; frequent pairs weigh more
    in training); `auto`: stars where ratings are there and vary, else events."""
    rating_min: float | None = None
    """Lowest valid rating; none: as the data have it."""
    rating_max: float | None = None
    """Highest valid rating; none: as the data have it."""
    unrated: float | tuple[float, ...] | None = None
    """Value that stands for "not rated", as -1 or 0, or a list of them; such rows are left out, and
    not as damaged."""
    repeated: Repeated | None = None
    """The rating that counts of a user's several of one movie: `last`, `first`, their `mean`, or
    `all`; none: the last of stars, the sum of counts at the first, one event at the first. Train,
    validation and test never share a pair: it stays where it is first."""
    since: date | None = None
    """Day, as 2015-01-01 (UTC), before which ratings are left out."""
    min_user_ratings: Annotated[int, Field(ge=1)] | None = None
    """Movies that a user has rated, at least: users and movies with fewer leave, again and again
    until no user has too few (the k-core)."""
    min_movie_ratings: Annotated[int, Field(ge=1)] | None = None
    """Users that have rated a movie, at least, likewise; movies with fewer leave the catalogue."""
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

    @property
    def noun(self) -> Noun:
        """The word for an item in all its forms."""
        return Noun.of(self.item, self.items)

    @field_validator("span", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        """Return numbers and dates, which TOML has of its own, as text."""
        return str(value) if isinstance(value, (int, date)) else value

    @property
    def unrated_values(self) -> tuple[float, ...]:
        """The values that stand for "not rated"."""
        if self.unrated is None:
            return ()
        return self.unrated if isinstance(self.unrated, tuple) else (self.unrated,)

    @model_validator(mode="after")
    def _range(self) -> DataConfig:
        bounds = self.rating_min, self.rating_max
        if None not in bounds and bounds[0] >= bounds[1]:  # type: ignore[operator]
            raise ValueError("rating_min must be below rating_max")
        return self


class DataGateConfig(Section):
    """Bounds on each new span by itself, so that the spans before it do not dilute it.

    What is usual is the median of the 30 spans before; bounds that need it hold from the fourth
    span on. Shares are of at least 100 rows.
    """

    spans: Annotated[int, Field(ge=0, le=30)] = 7
    """Newest spans that are looked at: what is bad is still refused when the next span has come; 0:
    none."""
    accepted: tuple[str, ...] = ()
    """Spans, by name, that pass whatever is in them."""
    bounds: Literal["refuse", "warn"] = "refuse"
    """Result for a run with a span out of bounds."""
    missing: Literal["refuse", "warn"] = "warn"
    """Likewise if the sequence of spans has a gap that is wider than all gaps before it."""
    rows_min: Share = 0.1
    """Rows, at least, as a share of what is usual; a span without a row is always out of bounds."""
    known_min: Share = 0.25
    """Share of the rows with a user that an earlier span has, at least, as a share of what is
    usual; likewise of movies."""
    quarantined_max: Share = 0.3
    """Share of the span's rows that may be damaged; rows that are there again do not count."""
    off_scale_max: Share = 0.01
    """Share of the ratings below the lowest or above the highest of all spans before, at most."""
    user_max: Share = 0.2
    """Share of the rows of one user, at most, or `times` what is usual if that is more."""
    movie_max: Share = 0.2
    """Likewise of one movie, also among the rows of users whom no earlier span has."""
    times: Annotated[float, Field(ge=1)] = 3.0
    """Multiple of what is usual that one user's or one movie's share may have."""
    drift_max: Share = 0.5
    """Drift of ratings, genres and years of the newest span against the one before it, at most;
    1: any. `data.max_drift` bounds all columns."""


class SplitKind(str, Enum):
    """Ways of dividing ratings into train, validation and test."""

    AUTO = "auto"
    TEMPORAL = "temporal"
    LAST = "last"
    RANDOM = "random"
    LEAVE_LAST = "leave_last"
    PREDEFINED = "predefined"


class SplitConfig(Section):
    """Train, validation and test, the same on every machine for the same seed.

    `temporal`, `last` and `random` take shares, `leave_last` counts per user, `predefined` file
    names or globs inside the data folder.
    """

    kind: SplitKind = SplitKind.AUTO
    """`temporal` (a cut in time), `last` (each user's newest shares), `random`, `leave_last` (each
    user's last ratings), `predefined`; `auto`: `temporal` if `known_share` allows it, else `last`;
    without times `random`."""
    train: float | str | None = None
    """Share of train (what the others leave), or files (`predefined`)."""
    validation: int | float | str | None = None
    """Share (0.1), count per user (1), or files; unnamed `predefined`: a share of train."""
    test: int | float | str | None = None
    """Share (0.1), count per user (1), or files."""
    seed: int = 42
    """Seed of the `random` split and of the validation share of `predefined`."""
    known_share: Share = 0.5
    """Share of the test ratings that has to be of users with train ratings for `auto` to take
    `temporal`."""

    @model_validator(mode="after")
    def _kinds(self) -> SplitConfig:
        if self.kind is SplitKind.PREDEFINED:
            if not (isinstance(self.train, str) and isinstance(self.test, str)):
                raise ValueError("a predefined split needs files in split.train and split.test")
            if not isinstance(self.validation, str):
                _check_share("split.validation", self.validation_share)
        elif any(isinstance(x, str) for x in (self.train, self.validation, self.test)):
            raise ValueError("file names are for split.kind = 'predefined' only")
        elif self.kind is SplitKind.LEAVE_LAST:
            if self.validation_count < 0 or self.test_count < 1:
                raise ValueError("leave_last needs split.test of at least 1 rating per user")
            if any(float(x) != int(x) for x in (self.validation or 0, self.test or 0)):
                raise ValueError("leave_last takes whole numbers of ratings per user")
        else:
            _check_share("split.validation", self.validation_share)
            _check_share("split.test", self.test_share)
            train = 1.0 - self.validation_share - self.test_share
            if self.test_share == 0 or train <= 0:
                raise ValueError("split.train and split.test must both be above 0")
            if self.train is not None and abs(float(self.train) - train) > 1e-6:
                raise ValueError("split.train, split.validation and split.test must sum to 1")
        return self

    @property
    def validation_share(self) -> float:
        """Share of validation; for `predefined` of train."""
        return 0.1 if self.validation is None else float(self.validation)

    @property
    def test_share(self) -> float:
        """Share of test."""
        return 0.1 if self.test is None else float(self.test)

    @property
    def validation_count(self) -> int:
        """Ratings per user, for `leave_last`."""
        return 1 if self.validation is None else int(self.validation)

    @property
    def test_count(self) -> int:
        """Ratings per user, for `leave_last`."""
        return 1 if self.test is None else int(self.test)


def _check_share(name: str, value: float) -> None:
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} must be a share from 0 to below 1, not {value:g}")
