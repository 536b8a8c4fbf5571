"""Every section on a few ratings: what it says, and what it leaves out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import pytest

from reelflow.base.metrics import Scope
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
from reelflow.report.sections.embedding_map import (
    OTHER,
    main_genres,
    map_section,
    nearest,
    project,
    regions,
)
from reelflow.report.sections.examples import USERS, choose_users, examples_section
from reelflow.report.sections.gate import gate_section, overview_section, verdict
from reelflow.report.sections.knowledge import knowledge_section
from reelflow.report.sections.lineage import RunFacts, lineage_section, run_section
from reelflow.report.sections.order import order_section
from reelflow.report.sections.slices import slices_section
from reelflow.report.sections.training import training_section, tuning_section
from reelflow.saved_model.files import ChosenMix, ChosenWeight, ModelInfo, ServingResult, WarmStart
from tests.encoded_data import checkerboard
from tests.ingested import ingest_summary
from tests.reelflow.report import world

T = TypeVar("T", bound=Block)


def _all(section: Section, kind: type[T]) -> list[T]:
    return [block for block in section.blocks if isinstance(block, kind)]


def _figure(section: Section, title: str) -> Figure:
    return next(figure for figure in _all(section, Figure) if title in figure.title)


def _facts(section: Section) -> dict[str, str]:
    return {fact.label: fact.value for facts in _all(section, Facts) for fact in facts.facts}


def _overview(inputs: Inputs) -> Section:
    return overview_section(inputs.results, inputs.serving_check, inputs.quarantine.split)


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
    accuracy = next(fact for fact in facts.facts if fact.label == "Top-100 accuracy, unseen")
    assert accuracy.tone == "good"
    assert accuracy.note.splitlines() == [
        "95 %: 48.0 to 52.0 %", "Over users 55.0 %", "Live histories 60.0 %",
        "Retrieval alone 51.0 %", "Champion 48.0 %", "Popularity 25.0 %",
    ]  # fmt: skip
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
    assert [row[:2] for row in tables["Rows of the files"]] == [("kept", 8), ("in quarantine", 2)]
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


def test_data_says_how_they_were_understood() -> None:
    sentences = _all(_data(world.inputs()), Bullets)[0].items
    assert list(sentences) == [
        "Ratings go from 0.5 to 5.",
        "Split random: ratings are held out by chance, as split.kind says.",
    ]


def test_events_have_no_histogram_of_ratings() -> None:
    inputs = world.without_stars()
    titles = [figure.title for figure in _all(_data(inputs), Figure)]
    assert not [title for title in titles if "average" in title]
    counts = {"feedback": "counts", "asked": "counts", "lowest": 1.0, "highest": 5.0}
    counted = _data(world.inputs(quarantine=ingest_summary(ratings=counts)))
    assert _figure(counted, "Counts, ").title.endswith("times on average")


def test_data_repeats_what_the_validator_found() -> None:
    found = _data(world.inputs(anomalies=["ratings: odd."]))
    assert list(_all(found, Bullets)[-1].items) == ["ratings: odd."]


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


def test_ranking_compares_all_models_under_all_protocols() -> None:
    found = ranking_section(world.results())
    chart = _figure(found, "Top-100 accuracy, unseen").chart
    assert isinstance(chart, Ranges)
    labels = [row.label for row in chart.rows]
    assert labels == ["This model", "Retrieval alone", "Champion", "Popularity"]
    assert chart.rows[0].low == pytest.approx(48)
    tables = {table.caption.partition(":")[0]: table for table in _all(found, Table)}
    assert list(tables) == [
        "Unseen", "Liked", "Raw", "Means over users", "Settings of the baselines",
    ]  # fmt: skip
    assert ["Top-100 accuracy", "52.0 %", "53.0 %", "50.0 %", "27.0 %"] in tables["Liked"].rows
    over_users = {row[0]: list(row[1:]) for row in tables["Means over users"].rows}
    assert over_users["Top-100 accuracy, unseen"] == [
        "50.0 %",
        "55.0 %",
        "56.0 %",
        "53.0 %",
        "30.0 %",
    ]
    assert over_users["RMSE"][:3] == ["0.900 stars", "0.880 stars", "–"]
    sizes = _all(found, Text)[0].text
    assert "1,000 test ratings, drawn from 2,000" in sizes
    assert "A like is a rating of 3.65 stars or more: 60.0 % of them." in sizes
    assert "1.00 % are of users" in sizes
    assert "Of 4 movies, top-5 and top-10 accuracy says nothing." in sizes


def test_ranking_tells_the_settings_of_the_baselines_and_their_budget() -> None:
    table = _all(ranking_section(world.results()), Table)[-1]
    assert list(table.rows) == [
        ["EASE", "ridge 250", 6, "NDCG@10, unseen 0.1200 on 77 ratings"],
        ["Popularity", "none", 1, None],
    ]


def test_ranking_of_old_results_has_no_liked_protocol() -> None:
    old = world.metrics(0.5, 0.9)
    for key in ("liked", "over_users"):
        old[key] = {}
    found = ranking_section(world.results(metrics=old, chosen={}, live=None, retrieval=None))
    assert [table.caption[:3] for table in _all(found, Table)] == ["Uns", "Raw"]


def test_the_final_order_stands_beside_retrieval_alone() -> None:
    found = order_section(world.results(), world.inputs().info)
    rows = {row[0]: row for row in _all(found, Table)[0].rows}
    top_100 = rows["Top-100 accuracy, unseen"]
    assert top_100 == [
        "Top-100 accuracy, unseen",
        "50.0 %",
        "48.0 to 52.0 %",
        "51.0 %",
        "–",
        "-1.0 percentage points",
    ]
    assert rows["Mean stars of the hits in the top 10"][-1] == "+0.100 stars"


def test_lists_say_what_the_blend_costs_and_gives() -> None:
    lists = [
        {"order": "blend", "users": 1, "coverage": 0.05, "novelty": 2.5, "stars": 4.2},
        {"order": "retrieval", "users": 1, "coverage": 0.075, "novelty": 3, "stars": None},
    ]
    found = order_section(world.results(lists=lists), world.inputs().info)
    [table] = [table for table in _all(found, Table) if "Lists of ten" in table.caption]
    assert table.caption == "Lists of ten of 1 test user"
    assert table.rows == [
        ["Final order", "4.20", "5.0 %", "2.50 bits"],
        ["Retrieval alone", "–", "7.5 %", "3.00 bits"],
    ]


def test_what_training_lacks_is_a_share_of_the_test_ratings() -> None:
    shares = {"users": 0.0, "movies": 0.0844}
    found = ranking_section(world.results(out_of_vocabulary=shares))
    words = " ".join(text.text for text in _all(found, Text))
    expected = "0.00 % are of users and 8.44 % are of movies without a rating in training."
    assert f"Of all test ratings {expected}" in words


def test_a_call_of_the_model_is_not_called_a_request() -> None:
    fact = next(f for f in _all(_overview(world.inputs()), Facts)[0].facts if "call" in f.label)
    assert "without HTTP" in fact.note


def test_the_trade_off_is_drawn_over_the_weight_with_the_chosen_one_marked() -> None:
    found = order_section(world.results(), world.inputs().info)
    accuracy = _figure(found, "Accuracy over the blend")
    assert "on validation ratings" in accuracy.title
    chart = accuracy.chart
    assert isinstance(chart, Lines)
    assert [line.name for line in chart.lines] == [
        "Top-10 accuracy, unseen", "Top-10 accuracy, liked",
    ]  # fmt: skip
    assert list(chart.lines[0].x) == [0.0, 0.3, 1.0]
    assert list(chart.lines[0].y) == pytest.approx([30.0, 29.4, 28.0])
    assert chart.marks == [(0.3, "chosen: 0.3")]
    stars = _figure(found, "Stars of the hits")
    assert isinstance(stars.chart, Lines)
    assert list(stars.chart.lines[0].y) == pytest.approx([4.0, 4.3, 5.0])
    assert "4.000 stars at 0 and 4.300 stars at the chosen 0.3" in stars.alt
    folded = [table for table in _all(found, Table) if table.folded]
    assert folded[0].rows[1][0] == "0.3, chosen"


def test_the_best_gain_is_drawn_over_the_weight_of_each_term() -> None:
    found = order_section(world.results(), world.inputs().info)
    profile = _figure(found, "Best mean gain at each weight")
    assert isinstance(profile.chart, Lines)
    towers, items = profile.chart.lines
    assert list(towers.x) == list(items.x) == [0.0, 0.5, 1.0]
    assert list(towers.y) == pytest.approx([0.0, 0.25, 0.0])
    assert "items: best at 0.5, 0.2500" in profile.alt
    [trials] = [table for table in _all(found, Table) if "All mixtures" in table.caption]
    assert trials.header[:4] == ["towers", "items", "Settings", "Mean gain"]
    assert [row[2] for row in trials.rows] == ["", "items ridge 100, chosen", "items ridge 100"]
    words = " ".join(text.text for text in _all(found, Text))
    assert "0.5 of what is rated by the same users (items, ridge 100)" in words


def test_weights_that_are_set_have_no_figure() -> None:
    info = ModelInfo(
        blend=ChosenWeight(weight=0.2), mix=ChosenMix(weights={"towers": 0.5, "items": 0.5})
    )
    found = order_section(world.results(retrieval=None), info)
    assert _all(found, Figure) == []
    words = [text.text for text in _all(found, Text)]
    assert words[0] == "The final order of this model is that of retrieval alone."
    assert [text.endswith("set, and not chosen on validation ratings.") for text in words] == [
        False, True, True,
    ]  # fmt: skip


def test_known_and_new_are_apart_and_live_stands_beside_nightly() -> None:
    found = knowledge_section(world.results())
    known, live = _all(found, Table)
    assert [row[0] for row in known.rows] == ["known users", "new users", "new movies"]
    assert not known.folded
    assert "55.0 (60.0) %" in known.rows[0]
    assert "900 test ratings" in live.caption
    row = next(row for row in live.rows if row[0] == "Top-100 accuracy, unseen")
    assert row[1:] == ["50.0 %", "60.0 %", "58.0 to 62.0 %", "55.0 %", "65.0 %"]
    assert "RMSE" not in [row[0] for row in live.rows]
    [text] = _all(knowledge_section(world.results(live=None)), Text)
    assert "not measured" in text.text


def test_new_users_have_a_curve() -> None:
    points = [(0, 0.02), (1, 0.05), (3, 0.07), (5, 0.08), (None, 0.12)]
    curve = [
        {
            "named": named,
            "metrics": {"unseen/top_10": value, "unseen/ndcg_10": value / 2},
            "intervals": {
                "unseen/top_10": [value - 0.01, value + 0.02],
                "unseen/ndcg_10": [0.0, value],
            },
        }
        for named, value in points
    ]
    found = knowledge_section(
        world.results(newcomers={"users": 400, "rows": 900, "curve": curve}, live=None)
    )
    chart = _figure(found, "Top-10 accuracy, unseen by the first movies of a new user").chart
    assert isinstance(chart, Lines)
    assert [list(line.x) for line in chart.lines] == [[0, 1, 3, 5], [0, 5]]
    assert chart.lines[0].y == pytest.approx([2, 5, 7, 8])
    table = _all(found, Table)[-1]
    assert [row[0] for row in table.rows] == [
        "nothing", "1 movie", "3 movies", "5 movies", "all, by the user's id",
    ]  # fmt: skip
    assert table.rows[1][1:3] == ["5.0 %", "4.0 to 7.0 %"]
    assert "900 test ratings" in table.caption


def test_rating_shows_both_errors_without_intervals_if_there_are_none() -> None:
    found = rating_section(world.results(champion=None, intervals={}))
    chart = _figure(found, "RMSE").chart
    assert isinstance(chart, Ranges)
    assert [(row.low, row.value, row.high) for row in chart.rows] == [(0.9,) * 3, (1.0,) * 3]
    [table] = _all(found, Table)
    assert table.rows[0] == ["RMSE", "0.900 stars", "1.000 stars"]


def test_a_model_without_stars_has_a_sentence_instead() -> None:
    found = rating_section(world.results(), Scope(likes=False, stars=False))
    [block] = found.blocks
    assert isinstance(block, Text)
    assert "was not trained to predict stars" in block.text


def test_calibration_says_how_far_off() -> None:
    found = calibration_section(world.results(), (0.5, 5.0))
    assert _all(found, Figure)[0].title == "On average 0.2 stars off"
    [text] = _all(calibration_section(world.results(calibration=[]), (0.5, 5.0)), Text)
    assert text.tone == "bad"


def test_slices_are_in_order_and_name_best_and_worst() -> None:
    found = slices_section(world.results())
    figure = _figure(found, "Top-100 accuracy, unseen, by ratings of the user")
    assert isinstance(figure.chart, Ranges)
    assert [row.label for row in figure.chart.rows] == ["1-19", "200+"]
    assert figure.chart.reference == 50
    assert figure.alt.startswith("Best for 200+")
    error = _figure(found, "RMSE, by ratings of the user")
    assert error.alt.startswith("Best for 200+ with 0.8 stars")
    assert len(_all(found, Table)) == 2


def test_a_group_of_four_is_drawn_faintly_and_is_no_best() -> None:
    slices = [world.a_slice("genre", "Western", 4, 0.9, 0.1), *world.results().slices]
    figure = _figure(slices_section(world.results(slices=slices)), "RMSE, by genre")
    assert isinstance(figure.chart, Ranges)
    faint = {row.label: row.faint for row in figure.chart.rows}
    assert faint["Western (n = 4)"]
    assert not faint[world.EVIL]
    assert figure.alt.startswith(f"Best for {world.EVIL}")


def test_examples_mark_what_the_user_turned_to() -> None:
    section = examples_section(world.data(), ["1", "2", "3"], world.recommend, (0.5, 5.0))
    [block] = _all(section, Examples)
    first = next(user for user in block.users if user.name == "User 1")
    assert [pick.title for pick in first.history] == [
        "The title of c", "The title of b", world.EVIL,
    ]  # fmt: skip
    [pick] = first.recommendations
    assert pick.title == "The title of d"
    assert pick.mark == "rated 4.5"
    assert pick.note == f"because of {world.EVIL}, rated 4; predicted 4.2 stars"
    second = next(user for user in block.users if user.name == "User 2")
    # User 2 has not rated movie d in the test split, so that it may be a reason there.
    assert "and The title of d, rated 1" in second.recommendations[0].note
    assert second.recommendations[0].mark == ""


def test_examples_of_events_tell_no_stars() -> None:
    events = Scope(likes=False, stars=False)
    section = examples_section(world.data(), ["1", "2", "3"], world.recommend, (1.0, 1.0), events)
    [block] = _all(section, Examples)
    first = next(user for user in block.users if user.name == "User 1")
    assert {pick.note for pick in first.history} == {""}
    assert (first.recommendations[0].mark, first.recommendations[0].note) == (
        "in test", f"because of {world.EVIL}",
    )  # fmt: skip


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


def _islands() -> tuple[np.ndarray, list[int]]:
    """240 unit vectors around six directions, and the direction of each."""
    random = np.random.default_rng(0)
    of = np.arange(240) % 6
    vectors = np.eye(8)[of] + random.normal(scale=0.1, size=(240, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), of.tolist()


def test_projection_keeps_neighbourhoods_apart() -> None:
    vectors, of = _islands()
    places = project(vectors)
    assert np.abs(places).max(axis=0) == pytest.approx([1, 1])
    distances = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (np.array(of)[distances.argmin(axis=1)] == of).all()
    np.testing.assert_array_equal(places, project(vectors))


@pytest.mark.parametrize("vectors", [np.ones((3, 4)), np.array([[1.0], [2.0]])])
def test_projection_of_what_has_no_plane(vectors: np.ndarray) -> None:
    places = project(vectors.astype(np.float32))
    assert places.shape == (len(vectors), 2)
    assert np.isfinite(places).all()


def test_regions_are_named_by_what_is_rare_elsewhere() -> None:
    vectors, of = _islands()
    names = ["Horror", "Western", "Musical", "War", "Children", "Crime"]
    places = project(vectors)
    found = regions(places, [["Drama", names[at]] for at in of])
    assert {one.name for one in found} == {*names}  # and not what all of them are
    for one in found:
        own = places[np.array(of) == names.index(one.name)]
        assert np.abs(own - [one.x, one.y]).max(axis=1).min() < 0.5


def test_nearest_are_by_the_cosine() -> None:
    vectors, of = _islands()
    assert (np.array(of)[nearest(vectors)] == np.array(of)[:, None]).all()
    assert nearest(vectors[:2]).tolist() == [[1], [0]]


def test_main_genre_is_the_own_one_that_is_nearest() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 1], [1, 0]], np.float32)
    genres = [["Drama"], ["Drama"], ["War"], ["Drama", "War"], ["Drama"], []]
    names, groups = main_genres(genres, vectors)
    assert names == ["Drama", "War", OTHER]
    assert groups == [0, 0, 1, 1, 0, 2]
    assert main_genres([[], []], vectors[:2]) == ([OTHER], [0, 0])


def test_gate_lists_bounds_with_difference_and_interval() -> None:
    found = _gate(world.inputs())
    [table] = _all(found, Table)
    assert [list(row) for row in table.rows] == [
        [
            "RMSE", "yes", "0.900 stars", "Mean plus biases 1.000 stars", "-0.100 stars",
            "-0.130 to -0.070 stars (97.5 %)", "difference ≤ +0.020 stars",
            "gate.rmse_biases_margin",
        ],
        [
            "Top-100, unseen", "yes", "50.0 %", "Champion 48.0 %", "+2.0 percentage points",
            "0.0 to 4.0 percentage points (95 %)", "lower end ≥ -1.0 percentage points",
            "gate.top_100_accuracy_margin",
        ],
        [
            "Top-100, unseen", "yes", "50.0 %", "–", "–", "–", "≥ 5.0 %",
            "gate.top_100_accuracy_min",
        ],
    ]  # fmt: skip
    assert "1,000 test ratings, protocol unseen, nightly histories" in found.lead
    assert _verdict(world.inputs()).endswith("pushed as version 17.")


def test_gate_shows_the_guards() -> None:
    guards = [{"name": "known_ids", "passed": True, "detail": "99 % are known."}]
    table = _all(_gate(world.inputs(results=world.results(guards=guards))), Table)[-1]
    assert list(table.rows) == [("known ids", "yes", "99 % are known.")]


def test_gate_of_likes_names_their_number() -> None:
    liked = world.results(gate={**world.metrics_json()["gate"], "protocol": "liked"})
    found = _gate(world.inputs(results=liked))
    assert "600 test ratings that count as a like" in found.lead


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
