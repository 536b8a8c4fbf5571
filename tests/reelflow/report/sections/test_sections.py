"""Every section on a few ratings: what it says, and what it leaves out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import pytest

from reelflow.data.ingest.results import Change, DriftReport
from reelflow.report.blocks import (
    Block,
    Bullets,
    Code,
    Examples,
    Facts,
    Figure,
    Section,
    Table,
    Text,
)
from reelflow.report.charts.bars import Bars, Ranges
from reelflow.report.charts.lines import Lines, Scatter
from reelflow.report.charts.parallel import Parallel
from reelflow.report.inputs import Inputs, Outcome
from reelflow.report.sections.accuracy import calibration_section, ranking_section, rating_section
from reelflow.report.sections.data import data_section, drift_section
from reelflow.report.sections.embedding_map import OTHER, main_genres, map_section, project
from reelflow.report.sections.examples import USERS, choose_users, examples_section
from reelflow.report.sections.gate import gate_section, overview_section, verdict
from reelflow.report.sections.lineage import RunFacts, lineage_section, run_section
from reelflow.report.sections.slices import slices_section
from reelflow.report.sections.training import training_section, tuning_section
from reelflow.saved_model.files import ModelInfo, ServingResult, WarmStart
from tests.encoded_data import checkerboard
from tests.reelflow.report import world

T = TypeVar("T", bound=Block)


def _all(section: Section, kind: type[T]) -> list[T]:
    return [block for block in section.blocks if isinstance(block, kind)]


def _figure(section: Section, title: str) -> Figure:
    return next(figure for figure in _all(section, Figure) if title in figure.title)


def _facts(section: Section) -> dict[str, str]:
    return {fact.label: fact.value for facts in _all(section, Facts) for fact in facts.facts}


def _overview(inputs: Inputs) -> Section:
    return overview_section(inputs.results, inputs.serving_check)


def _gate(inputs: Inputs) -> Section:
    return gate_section(inputs.results, inputs.serving_check, inputs.outcome)


def _verdict(inputs: Inputs) -> str:
    return verdict(inputs.outcome, inputs.serving_check)


def _data(inputs: Inputs) -> Section:
    return data_section(inputs.data, inputs.quarantine, inputs.anomalies, inputs.sample_rates)


def _lineage(inputs: Inputs) -> Section:
    return lineage_section(inputs.quarantine, inputs.info, inputs.artifacts)


def test_overview_holds_the_model_against_the_others() -> None:
    found = _overview(world.inputs())
    assert _facts(found)["Top-100 accuracy, unseen"] == "50.0 %"
    [facts] = _all(found, Facts)
    accuracy = facts.facts[0]
    assert accuracy.tone == "good"
    assert accuracy.note == "95 %: 48.0 to 52.0 %\nChampion 48.0 %\nPopularity 25.0 %"
    worse = world.inputs(results=world.results(champion=world.metrics(0.6, 0.8)))
    [facts] = _all(_overview(worse), Facts)
    assert {fact.tone for fact in facts.facts} == {"plain"}


def test_data_counts_rows_and_quarantine() -> None:
    found = _data(world.inputs())
    facts = _facts(found)
    assert (facts["Ratings"], facts["Users"], facts["Movies"]) == ("8", "3", "4")
    assert facts["In quarantine"] == "2 rows"
    tables = {table.caption: table.rows for table in _all(found, Table)}
    assert tables["Rows in quarantine, by reason"] == [("rating is no number", 2)]
    assert any("train 50.0 %" in text.text for text in _all(found, Text))


def test_data_draws_distributions() -> None:
    found = _data(world.inputs())
    ratings = _figure(found, "Ratings given").chart
    assert isinstance(ratings, Bars)
    assert dict(zip(ratings.labels, ratings.values, strict=True))["4.5"] == 2
    genres = _figure(found, "by genre").chart
    assert isinstance(genres, Bars)
    assert list(zip(genres.labels, genres.values, strict=True)) == [
        ("Drama", 4), (world.EVIL, 3), ("Comedy", 2),
    ]  # fmt: skip
    years = _figure(found, "decade")
    assert "1 movie without a year" in years.title
    assert isinstance(years.chart, Bars)
    assert (years.chart.labels, years.chart.values) == (["1990s", "2000s"], [2, 1])
    tail = _figure(found, "each movie").chart
    assert isinstance(tail, Lines)
    assert list(tail.lines[0].y) == [3, 2, 1]


def test_data_repeats_what_the_validator_found() -> None:
    found = _data(world.inputs(anomalies=["ratings: odd."]))
    assert [list(bullets.items) for bullets in _all(found, Bullets)] == [["ratings: odd."]]


def test_training_marks_the_best_epoch() -> None:
    found = training_section(world.inputs().info)
    retrieval = _figure(found, "Retrieval loss").chart
    assert isinstance(retrieval, Lines)
    assert [line.name for line in retrieval.lines] == ["train", "validation"]
    assert retrieval.marks == [(2, "best: 2.5")]
    rating_curve = _figure(found, "Rating loss").chart
    assert isinstance(rating_curve, Lines)
    assert len(rating_curve.lines) == 1  # there was no validation split
    assert _facts(found)["Parameters"] == "12,345"


def test_training_shows_the_strongest_crosses_and_survives_an_empty_description() -> None:
    cross = {"features": ["user", "genre"], "norms": [[0.5, 2.0], [1.0, 0.1]]}
    found = training_section(ModelInfo.model_validate({"cross_weights": cross}))
    chart = _figure(found, "crosses").chart
    assert isinstance(chart, Bars)
    assert chart.labels[:2] == ["user × genre", "genre × user"]
    assert _all(training_section(ModelInfo()), Figure) == []


def test_ranking_compares_everybody_under_both_protocols() -> None:
    found = ranking_section(world.results())
    chart = _figure(found, "Top-100 accuracy, unseen").chart
    assert isinstance(chart, Ranges)
    assert [row.label for row in chart.rows] == ["This model", "Champion", "Popularity"]
    assert chart.rows[0].low == pytest.approx(48)
    assert len(_all(found, Table)) == 2
    [text] = _all(found, Text)
    assert "1,000 test ratings, drawn from 2,000" in text.text
    assert "1.00 % of the users" in text.text


def test_rating_shows_both_errors_without_intervals_if_there_are_none() -> None:
    found = rating_section(world.results(champion=None, intervals={}))
    chart = _figure(found, "RMSE").chart
    assert isinstance(chart, Ranges)
    assert [(row.low, row.value, row.high) for row in chart.rows] == [(0.9,) * 3, (1.0,) * 3]
    [table] = _all(found, Table)
    assert table.rows[0] == ["RMSE", "0.900 stars", "1.000 stars"]


def test_calibration_says_how_far_off() -> None:
    found = calibration_section(world.results())
    assert _all(found, Figure)[0].title == "On average 0.20 stars off"
    [text] = _all(calibration_section(world.results(calibration=[])), Text)
    assert text.tone == "bad"


def test_slices_are_in_order_and_name_best_and_worst() -> None:
    found = slices_section(world.results())
    figure = _figure(found, "Top-100 accuracy by ratings of the user")
    assert isinstance(figure.chart, Ranges)
    assert [row.label for row in figure.chart.rows] == ["1-19", "200+"]
    assert figure.chart.reference == 50
    assert figure.alt.startswith("Best for 200+")
    error = _figure(found, "RMSE by ratings of the user")
    assert error.alt.startswith("Best for 200+ with 0.8 stars")
    assert len(_all(found, Table)) == 2


def test_examples_mark_what_the_user_turned_to() -> None:
    [block] = _all(examples_section(world.data(), ["1", "2", "3"], world.recommend), Examples)
    first = next(user for user in block.users if user.name == "User 1")
    assert [pick.title for pick in first.history] == [
        "The title of c", "The title of b", world.EVIL,
    ]  # fmt: skip
    [pick] = first.recommendations
    assert pick.title == "The title of d"
    assert pick.mark == "rated 4.5"
    assert pick.note == f"because of {world.EVIL}; predicted 4.2 stars"
    second = next(user for user in block.users if user.name == "User 2")
    assert second.recommendations[0].mark == ""


def test_examples_are_of_users_with_train_and_test_ratings() -> None:
    assert {0, 1} == set(choose_users(world.data()))
    assert len(choose_users(checkerboard().data)) == USERS


def test_map_shows_rated_movies_and_keeps_neighbours_together() -> None:
    directions = np.array([[1, 0, 0], [0.9, 0.1, 0], [-1, 0, 0.2], [0, 1, 0]], np.float32)
    found = map_section(directions, world.data())
    chart = _figure(found, "3 movies").chart
    assert isinstance(chart, Scatter)
    names = {point.name: point for point in chart.points}
    assert set(names) == {world.EVIL, "The title of b", "The title of c"}
    near, far = names["The title of b"], names["The title of c"]
    assert abs(names[world.EVIL].x - near.x) < abs(names[world.EVIL].x - far.x)
    assert chart.groups[-1] == OTHER


@pytest.mark.parametrize("directions", [None, np.zeros((9, 3), np.float32)])
def test_map_without_embeddings_is_a_sentence(directions: np.ndarray | None) -> None:
    [text] = _all(map_section(directions, world.data()), Text)
    assert "no candidate embeddings" in text.text


def test_projection_finds_the_plane() -> None:
    random = np.random.default_rng(0)
    plane = random.normal(size=(50, 2)) * [3, 1] @ random.normal(size=(2, 6))
    places, kept = project(plane.astype(np.float32))
    assert kept == pytest.approx(1)
    assert np.abs(places).max(axis=0) == pytest.approx([1, 1])
    assert abs(np.corrcoef(places.T)[0, 1]) < 1e-6


@pytest.mark.parametrize("vectors", [np.ones((3, 4)), np.array([[1.0], [2.0]])])
def test_projection_of_what_has_no_plane(vectors: np.ndarray) -> None:
    places, kept = project(vectors.astype(np.float32))
    assert places.shape == (len(vectors), 2)
    assert np.isfinite(places).all()
    assert kept == pytest.approx(1)


def test_main_genre_is_the_rarest_with_a_colour() -> None:
    names, groups = main_genres([["Drama"], ["Drama", "War"], []])
    assert names == ["Drama", "War", OTHER]
    assert groups == [0, 1, 2]


def test_gate_lists_bounds_with_room() -> None:
    found = _gate(world.inputs())
    [table] = _all(found, Table)
    assert list(table.rows[0]) == [
        "RMSE", "0.900 stars", "≤ 1.200 stars", "0.300 stars", "gate.rmse_max",
    ]  # fmt: skip
    assert table.rows[1][3] == "45.0 %"
    assert _verdict(world.inputs()).endswith("pushed as version 17.")


def test_gate_gives_every_reason_of_a_refusal() -> None:
    reasons = {"blessed": False, "reasons": ["RMSE is too high."]}
    refused = world.results(gate={**world.metrics_json()["gate"], **reasons})
    inputs = world.inputs(results=refused, outcome=Outcome(blessed=False, pushed=False))
    assert "refused by the gate" in _verdict(inputs)
    [bullets] = _all(_gate(inputs), Bullets)
    assert list(bullets.items) == ["RMSE is too high."]
    slow = ServingResult(reasons=("Too slow.",), latency_ms={"median": 9.0, "p95": 9.0})
    inputs = world.inputs(serving_check=slow, outcome=Outcome(True, False))
    assert "ServingCheck refused" in _verdict(inputs)
    [bullets] = _all(_gate(inputs), Bullets)
    assert list(bullets.items) == ["Too slow."]


def test_tuning_puts_the_best_first_and_counts_failures() -> None:
    found = tuning_section(world.TRIALS)
    assert "3 trials by random" in found.lead
    assert "1 failed" in found.lead
    chart = _figure(found, "All trials").chart
    assert isinstance(chart, Parallel)
    assert chart.best == 0
    assert chart.rows[0] == (0.1, 1.0, 0.4)
    assert chart.axes[0].log
    assert chart.axes[1].words == ["full_softmax", "in_batch_softmax"]
    [table] = _all(found, Table)
    assert [row[0] for row in table.rows] == ["2", "1"]


def test_tuning_without_a_success_says_so() -> None:
    failed = dataclasses.replace(world.TRIALS, trials=world.TRIALS.trials[2:])
    [text] = _all(tuning_section(failed), Text)
    assert text.tone == "bad"


def test_lineage_has_hash_and_settings() -> None:
    found = _lineage(world.inputs(artifacts={"model": "/a/b"}))
    [table] = _all(found, Table)
    assert ("Data (SHA-256)", "abc") in table.rows
    assert ("Artifact model", "/a/b") in table.rows
    [code] = _all(found, Code)
    assert '"embedding_size": 8' in code.text


def test_the_run_is_drawn_without_what_came_from_the_cache() -> None:
    facts = RunFacts(
        run_id="r",
        finished="now",
        seconds={"Trainer": 60.0, "Transform": 10.0, "Pusher": 1.0},
        cached=["Transform"],
        versions={"tfx": "1.16.0", "beam": None},
        config_hash="c",
        config="[data]",
    )
    found = run_section(facts)
    chart = _figure(found, "Time per component").chart
    assert isinstance(chart, Bars)
    assert chart.labels == ["Trainer", "Pusher"]
    rows: Sequence[Sequence[object]] = _all(found, Table)[0].rows
    assert ("Version of beam", "–") in rows


def test_drift_between_spans() -> None:
    change = Change("rating", "drift", "Jensen-Shannon", 0.19, 0.2)
    quiet = drift_section(world.DRIFT.model_copy(update={"changes": (change,)}))
    assert [text.tone for text in _all(quiet, Text)] == ["good"]
    [table] = _all(quiet, Table)
    assert table.rows[0][:4] == ("rating", "the span before", "Jensen-Shannon", "0.190")
    loud = drift_section(world.DRIFT)
    assert _all(loud, Bullets)[0].items == [
        "rating has changed against the span before: Jensen-Shannon 0.310, above 0.2."
    ]
    first = DriftReport(newest="1", previous=None)
    assert "the first one" in _all(drift_section(first), Text)[0].text


def test_training_says_how_it_began() -> None:
    kept = {"users": {"kept": 9, "new": 1}, "movies": {"kept": 20, "new": 0}}
    warm = {"warm": True, "cold_tasks": {"rating": "other sizes"}, **kept}
    text = _all(training_section(ModelInfo.model_validate({"warm_start": warm})), Text)[0].text
    assert "9 of 10 users and 20 of 20 movies" in text
    assert "rating starts cold: other sizes" in text
    cold = training_section(
        ModelInfo(warm_start=WarmStart(warm=False, reason="there is no champion"))
    )
    assert "Cold start: there is no champion." in _all(cold, Text)[0].text
