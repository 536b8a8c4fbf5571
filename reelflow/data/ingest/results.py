"""The JSON files that ingestion leaves: `report.json` of the quarantine, `drift.json` of SpanDrift.

Each is a typed model with one reader and one writer. Imports nothing heavy.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict

from reelflow.base import columns
from reelflow.config import Feedback, Repeated, SplitKind
from reelflow.data import files
from reelflow.data.formats.summary import TableSummary
from reelflow.data.spans import Window

QUARANTINE_FILE = "quarantine.tsv"
"""The refused rows, beside `report.json`; see `reelflow.data.quarantine`."""

R = TypeVar("R", bound="Result")


class Result(BaseModel):
    """A JSON file in an artifact's folder; unknown keys are ignored."""

    model_config = ConfigDict(frozen=True)

    FILE: ClassVar[str]
    END: ClassVar[str] = ""

    @classmethod
    def read(cls: type[R], folder: str | Path) -> R:
        """Read the file from an artifact's folder.

        Raises:
            OSError: there is no such file.
            pydantic.ValidationError: the content is not as described.
        """
        with files.open_stored(files.join(str(folder), cls.FILE)) as file:
            return cls.model_validate_json(file.read())

    def content(self) -> dict[str, Any]:
        """Return what the file holds."""
        return self.model_dump(mode="json")

    def write(self, folder: str | Path) -> None:
        """Write the file into an existing folder."""
        text = json.dumps(self.content(), indent=2) + self.END
        files.write(files.join(str(folder), self.FILE), text.encode())


class RowCounts(BaseModel):
    """Rows of the ratings files, and how many of those kept are in each split."""

    read: int
    kept: int
    train: int
    validation: int
    test: int

    @property
    def splits(self) -> dict[str, int]:
        """Split to rows, in the order of `columns.RATING_SPLITS`."""
        return {split: getattr(self, split) for split in columns.RATING_SPLITS}


SplitReason: TypeAlias = Literal[
    "asked", "known_users", "new_users", "no_test", "no_times", "one_time", "few_ratings"
]


class SplitChoice(BaseModel):
    """The split that was made, and why; `words.split_sentence` puts it in words."""

    model_config = ConfigDict(frozen=True)

    kind: SplitKind
    """The split that was made; never `auto`."""
    asked: SplitKind
    """`split.kind` of the configuration."""
    reason: SplitReason = "asked"
    """`asked`: no choice was left. Of `auto`, `temporal`: `known_users` (enough of the test ratings
    are of users that train knows). `last`: `new_users` (too few are), `no_test` (no moment divides
    the ratings). `random`: `no_times`, `one_time` (all ratings have the same), `few_ratings` (no
    user has the three that `last` needs)."""
    known_share: float | None = None
    """Of `auto`: share of the test ratings, had the cut in time been made, that are of users with
    train ratings, 0 to 1; None if there was no cut to measure."""
    required_share: float | None = None
    """`split.known_share`, of `auto` only."""


class RefusedRatings(BaseModel):
    """Ratings out of range at one end."""

    model_config = ConfigDict(frozen=True)

    rows: int
    lowest: float
    highest: float


class RatingScale(BaseModel):
    """The values of the ratings; `words.scale_sentences` puts it in words."""

    model_config = ConfigDict(frozen=True)

    feedback: Feedback
    """Meaning of a rating; never `auto`."""
    asked: Feedback
    """`data.feedback` of the configuration."""
    absent: bool = False
    """True if the files have no column of ratings."""
    lowest: float
    """Lowest rating that was kept; of `events` it is 1, as `highest`."""
    highest: float
    """Highest rating that was kept; of `counts` the sums of repeated pairs count."""
    accepted_min: float | None = None
    """Rating below which rows were refused; None: any was accepted."""
    accepted_max: float | None = None
    """Rating above which rows were refused; None: any was accepted."""
    documented: tuple[float, float] | None = None
    """The format's own scale, if it has one."""
    foreign: bool = False
    """True if the data do not keep to it: more than one row in ten, of three values or
    more, lies outside."""
    suspect: float | None = None
    """Value that may stand for "not rated", though `data.unrated` does not say so."""
    below: RefusedRatings | None = None
    """Ratings that were refused as too low."""
    above: RefusedRatings | None = None
    """Ratings that were refused as too high."""

    @property
    def says_likes(self) -> bool:
        """True if the values say how much users liked a movie; False of events and counts."""
        return self.feedback is Feedback.STARS


class IdHint(BaseModel):
    """The reason, as far as a sample tells, for ratings of movies that the movies' file lacks."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["number", "column"] | None = None
    """`number`: the ids are the same whole numbers, written otherwise; `column`: another column of
    the movies' file has them; None: neither."""
    known: float
    """Share of the ratings whose movie is in the movies' file, 0 to 1."""
    best: float
    """Share of them by the other reading of the ids; `known` without one."""
    column: str | None = None
    """That column."""
    example: tuple[str, str]
    """Id of a rating, and the one of the movies' file that fits; any one if none does."""


class SharedRows(BaseModel):
    """Rows that two ratings files have in common."""

    model_config = ConfigDict(frozen=True)

    files: tuple[str, str]
    rows: int
    """Different rows that are in both."""
    of: tuple[int, int]
    """Different valid rows of each."""
    spans: bool = False
    """True if the files are of different spans."""

    @property
    def contained(self) -> int | None:
        """0 or 1, the file all of whose rows are in the other one; None if neither is."""
        return next((at for at in (1, 0) if self.rows == self.of[at]), None)


class SpanCounts(BaseModel):
    """Counts of one span by itself."""

    model_config = ConfigDict(frozen=True)

    span: str
    """Its name."""
    read: int
    damaged: int
    """Rows in quarantine; those that are there again do not count."""
    kept: int
    largest_user: int = 0
    """Rows of the user who has most."""
    largest_movie: tuple[str, int] | None = None
    """Movie with most rows, and these; None without rows, as below."""
    known_users: int = 0
    """Rows of users whom an earlier span has."""
    known_movies: int = 0
    """Rows of movies that an earlier span has."""
    newcomers_movie: tuple[str, int] | None = None
    """Movie with most rows of users whom no earlier span has, and these."""
    values: dict[float, int] = {}
    """Rows by rating; empty unless these are stars of few values."""

    @property
    def new_users(self) -> int:
        """Rows of users whom no earlier span has."""
        return self.kept - self.known_users


class IngestSummary(Result):
    """Counts of what was read, kept and refused.

    `read` is the sum of `kept`, `quarantined`, `unrated`, `repeated` and `filtered`.
    """

    FILE = "report.json"
    END = "\n"

    format: str
    """Value of `reelflow.config.Format`."""
    synthetic: bool
    """True if the data are the built-in sample's."""
    span: str | None = None
    """Name of the newest span."""
    spans: list[str] = []
    """Names of the spans whose ratings were read, the oldest first."""
    window: Window | None = None
    """The spans themselves."""
    files: list[str]
    """Names of the ratings files."""
    rows: RowCounts
    users: int
    movies: int
    split: SplitChoice
    ratings: RatingScale
    repeated: int = 0
    """Rows that gave way to another of the same user and movie, or were added to it, by
    `data.repeated`; they are neither kept nor damaged."""
    pairs: int = 0
    """Users and movies with more than one rating, exact copies not counted."""
    repeated_by: Repeated | None = None
    """`data.repeated` of the configuration."""
    filtered: dict[str, int] = {}
    """Rows left out by a filter: by `since`, `min_user_ratings` or `min_movie_ratings`."""
    shared: list[SharedRows] = []
    """Ratings files that have rows in common."""
    times: tuple[int, int] | None = None
    """First and last timestamp kept, in seconds; None without times."""
    known_test: int | None = None
    """Test rows whose user has a rating in train."""
    years_dropped: int = 0
    """Movies whose year was no year, and is taken for missing."""
    unrated: int = 0
    """Rows without a rating, by `data.unrated`; neither kept nor damaged."""
    quarantined: dict[str, int]
    """Refused rows by the name of the reason."""
    data_hash: str
    """SHA-256 of the ratings and movies that were kept, whatever their order."""
    absent_features: list[str] = []
    """Features that the configuration asks for and the data lack, in words."""
    ids: IdHint | None = None
    """Set if there is a movies' file, and ratings of movies that it does not have."""
    span_counts: list[SpanCounts] = []
    """The newest spans, the oldest first; empty without spans."""
    tables: list[TableSummary] = []
    """Files of movies and users; their rows are in none of the counts above, but in quarantine."""

    @property
    def refused(self) -> int:
        """Rows in quarantine."""
        return sum(self.quarantined.values())


@dataclass(frozen=True)
class Change:
    """One column, compared in one way."""

    column: str
    kind: Literal["drift", "skew"]
    """Against the span before, or against the train split."""
    measure: str
    """`L-infinity` or `Jensen-Shannon`."""
    value: float
    """0 to 1."""
    threshold: float
    """Of the comparator in the schema."""

    @property
    def exceeded(self) -> bool:
        """True if it is worth a warning."""
        return self.value > self.threshold

    def __str__(self) -> str:
        against = "the span before" if self.kind == "drift" else "what is trained on"
        return (
            f"{self.column} has changed against {against}: {self.measure} {self.value:.3f}, "
            f"above {self.threshold:g}."
        )


class DriftReport(Result):
    """The newest span against the one before it and against the train split."""

    FILE = "drift.json"

    newest: str
    """Name of the newest span."""
    previous: str | None
    """Name of the span before it; None: there is none, and nothing was compared."""
    rows: dict[str, int] = {}
    """Rows looked at, by span."""
    changes: tuple[Change, ...] = ()
    """The widest first."""

    @property
    def warnings(self) -> list[Change]:
        """Changes above their thresholds."""
        return [change for change in self.changes if change.exceeded]

    def content(self) -> dict[str, Any]:
        """Return what the file holds; `warnings` put in words what `exceeded` marks."""
        changes = [{**asdict(change), "exceeded": change.exceeded} for change in self.changes]
        warnings = [str(change) for change in self.warnings]
        return {**super().content(), "changes": changes, "warnings": warnings}
