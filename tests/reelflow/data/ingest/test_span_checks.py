"""One bad day among good ones: the data gate looks at each new span by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reelflow.config import DataConfig, DataGateConfig, SplitConfig
from reelflow.data.formats.source import open_window
from reelflow.data.ingest import span_counts
from reelflow.data.ingest.checks import Finding
from reelflow.data.ingest.outcome import rehearse
from reelflow.data.ingest.results import Change, DriftReport, IngestSummary, SpanCounts
from reelflow.data.ingest.span_checks import span_findings
from reelflow.data.spans import find_window

DAYS = 8
USERS, MOVIES, ROWS = 60, 40, 150
Rows = list[str]


def day(number: int) -> str:
    return (date(2026, 11, 1) + timedelta(days=number)).isoformat()


def good(number: int) -> Rows:
    """150 ratings of one day by the same 60 users, no pair twice in any two days."""
    random = np.random.default_rng(number)
    pairs = random.permutation(USERS * MOVIES)[:ROWS]
    start = 1_700_000_000 + 86_400 * number
    return [
        f"u{pair % USERS},m{pair // USERS},{random.integers(1, 6)}.0,{start + place}"
        for place, pair in enumerate(pairs.tolist())
    ]


@dataclass(frozen=True)
class Looked:
    """The findings about spans, and the counts that they come from."""

    summary: IngestSummary
    refused: list[Finding]
    warnings: list[Finding]


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Looked]:
    """Write spans, the changed ones as given, and look at them; None: there is no such span."""

    def looked(changed: dict[int, Rows | None], days: int = DAYS, **gate: Any) -> Looked:
        for number in range(days):
            rows = changed.get(number, good(number))
            if rows is not None:
                folder = tmp_path / "ratings" / day(number)
                folder.mkdir(parents=True)
                text = "\n".join(["userId,movieId,rating,timestamp", *rows])
                (folder / "ratings.csv").write_text(f"{text}\n")
        data, split = DataConfig(partitions=3), SplitConfig()
        window = find_window(str(tmp_path / "ratings" / "{YYYY}-{MM}-{DD}"))
        source = open_window(data, window, split)
        summary = rehearse(source, data, split, window).summary
        bounds = DataGateConfig.model_validate(gate)
        found = span_findings(summary.span_counts, window, bounds)
        return Looked(summary, [f for f in found if not f.warning], [f for f in found if f.warning])

    return looked


def poison(number: int, count: int = 400) -> Rows:
    """New users, five stars for one movie from each."""
    start = 1_700_000_000 + 86_400 * number
    return [f"p{user},m7,5.0,{start + user}" for user in range(count)]


def test_good_days_pass(look: Callable[..., Looked]) -> None:
    found = look({})
    assert (found.refused, found.warnings) == ([], [])
    counts = found.summary.span_counts
    assert [c.span for c in counts] == [day(number) for number in range(DAYS)]
    # One partition or three: what was kept is counted once.
    assert sum(c.kept for c in counts) == found.summary.rows.kept
    assert all(c.read == ROWS for c in counts)
    assert counts[0].known_users == counts[0].known_movies == 0
    assert counts[-1].known_users == counts[-1].kept
    assert counts[-1].known_movies == counts[-1].kept
    assert sum(counts[0].values.values()) == counts[0].kept
    by_user = [row.split(",")[0] for row in good(7)]
    assert counts[-1].largest_user == max(map(by_user.count, by_user))
    by_movie = [row.split(",")[1] for row in good(7)]
    assert counts[-1].largest_movie is not None
    assert counts[-1].largest_movie[1] == max(map(by_movie.count, by_movie))


def test_older_spans_are_counted_as_one(
    look: Callable[..., Looked], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = look({}).summary
    assert whole.window is not None
    monkeypatch.setattr(span_counts, "COUNTED", 3)
    source = open_window(DataConfig(), whole.window, SplitConfig())
    assert span_counts.spans_of_files(source, whole.window) == (0, 0, 0, 0, 0, 1, 2, 3)
    some = rehearse(source, DataConfig(), SplitConfig(), whole.window).summary
    assert some.span_counts == whole.span_counts[-3:]


LAST = DAYS - 1
BAD: dict[str, tuple[Rows, str]] = {
    "a day of nonsense": (["nonsense"] * 100, "100.0% of its rows are damaged"),
    "a header alone": ([], "there is not one row in it"),
    "a tenth of a tenth": (good(LAST)[:5], "5 rows, and at least 15 would be usual"),
    "another scale": (
        [row.replace(".0,", "0.0,") for row in good(LAST)],
        "of its ratings are off the scale",
    ),
    "one user": (
        [f"u1,m{number},4.0,1700604800" for number in range(60)] + good(LAST)[:100],
        "one user has",
    ),
    "one movie": (
        [f"u{number},m7,4.0,1700604800" for number in range(60)] + good(LAST)[:100],
        "m7 has",
    ),
    "poison": (good(LAST) + poison(LAST, 120), "m7 has"),
    "users renamed": ([f"x{row}" for row in good(LAST)], "of known users"),
    "movies renamed": ([row.replace(",m", ",x") for row in good(LAST)], "of known ids of movies"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_day_is_refused(look: Callable[..., Looked], kind: str) -> None:
    rows, words = BAD[kind]
    found = look({LAST: rows})
    spans = found.refused
    assert any(words in problem.text for problem in spans), found.refused
    assert {problem.where for problem in spans} == {f"span {day(LAST)}"}
    assert f'data_gate.accepted = ["{day(LAST)}"]' in spans[0].text


def test_poison_that_is_a_small_share_of_its_day(look: Callable[..., Looked]) -> None:
    """Five stars from new users are seen among the new users' rows."""
    random = np.random.default_rng(0)
    pairs = random.permutation(USERS * MOVIES)[:900].tolist()
    usual = [f"u{pair % USERS},m{pair // USERS},4.0,1700604800" for pair in pairs]
    found = look({LAST: usual + poison(LAST, 150)})
    [problem] = found.refused
    assert "m7 has 100.0% of the rows of new users" in problem.text


def test_the_day_after_does_not_let_it_in(look: Callable[..., Looked]) -> None:
    bad, _ = BAD["a day of nonsense"]
    found = look({4: bad})
    assert [problem.where for problem in found.refused] == [f"span {day(4)}"]


@pytest.mark.parametrize(
    "gate", [{"accepted": [day(4)]}, {"spans": 2}, {"bounds": "warn"}, {"quarantined_max": 1}]
)
def test_what_someone_has_looked_at_passes(
    look: Callable[..., Looked], gate: dict[str, Any]
) -> None:
    found = look({4: [*["nonsense"] * 60, *good(4)[:60]]}, **gate)
    assert found.refused == []
    assert len(found.warnings) == ("bounds" in gate)


@pytest.mark.parametrize("missing", ["warn", "refuse"])
def test_a_span_that_has_vanished_is_said(look: Callable[..., Looked], missing: str) -> None:
    found = look({5: None}, missing=missing)
    said = found.refused if missing == "refuse" else found.warnings
    assert [(p.where, p.text.split(":")[0]) for p in said] == [
        (f"span {day(6)}", f"it follows {day(4)}")
    ]


def test_weekends_are_no_gaps(look: Callable[..., Looked]) -> None:
    found = look({4: None, 5: None, 11: None, 12: None}, days=15, accepted=[day(6)])
    assert found.warnings == []


def test_the_first_spans_have_nothing_to_be_held_against(look: Callable[..., Looked]) -> None:
    found = look({2: good(2)[:5]}, days=3)
    assert (found.refused, found.warnings) == ([], [])


@pytest.mark.parametrize(("value", "column"), [(0.6, "rating"), (0.4, "rating"), (0.6, "user_id")])
def test_drift_of_the_stars_is_refused(
    look: Callable[..., Looked], value: float, column: str
) -> None:
    found = look({})
    change = Change(column, "drift", "Jensen-Shannon", value, 0.2)
    rows = {day(LAST - 1): ROWS, day(LAST): ROWS}
    drift = DriftReport(newest=day(LAST), previous=day(LAST - 1), rows=rows, changes=(change,))
    findings = span_findings(
        found.summary.span_counts, found.summary.window, DataGateConfig(), drift
    )
    # One user's share has a bound of its own.
    refused = value > 0.5 and column == "rating"
    assert ["data_gate.drift_max" in finding.text for finding in findings] == [True] * refused


def test_the_only_span_is_not_said_to_be_left_out(look: Callable[..., Looked]) -> None:
    window = look({}, days=1).summary.window
    assert window is not None
    assert open_window(DataConfig(), window, SplitConfig()).look_alikes == ()


def test_counts_survive_their_file() -> None:
    counts = SpanCounts(span="1", read=2, damaged=0, kept=2, values={0.5: 1, 4.0: 1})
    assert SpanCounts.model_validate_json(counts.model_dump_json()) == counts
    assert json.loads(counts.model_dump_json())["values"] == {"0.5": 1, "4.0": 1}
