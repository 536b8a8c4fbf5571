"""The client of a SavedModel: signatures asked with arrays, and a pushed model."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from reelflow.base.errors import BadInput
from reelflow.saved_model.client import ServedModel, Signatures, named_history
from reelflow.saved_model.contract import TIMELINE
from reelflow.saved_model.files import SAVED_MODEL, ModelInfo, StarScale
from reelflow.saved_model.manifest import (
    MANIFEST,
    FileEntry,
    Manifest,
    latest_version,
    write_manifest,
)
from tests import tiny_model


@tf.function(
    input_signature=[
        tf.TensorSpec([None], tf.string, "user_id"),
        tf.TensorSpec(None, tf.int32, "k"),
    ]
)
def _echo(user_id: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
    return {
        "text": tf.strings.join([user_id, "é"]),
        "k": k + tf.zeros_like(tf.strings.length(user_id)),
        "lists": tf.ones([tf.size(user_id), 2]) / 3,
    }


ECHO = Signatures({TIMELINE: _echo})


def test_nested_lists_go_in_and_come_out_and_defaults_are_filled_in() -> None:
    answer = ECHO.ask(TIMELINE, {"user_id": ["ä", ""]})
    assert answer["text"] == ["äé", "é"]
    assert answer["k"] == [10, 10]
    assert answer["lists"][1] == pytest.approx([1 / 3, 1 / 3])


def test_steps_that_follow_each_other_share_a_model(exported: Path, tmp_path: Path) -> None:
    first = Signatures.kept(exported)
    assert Signatures.kept(exported) is first
    other = tmp_path / "model"
    shutil.copytree(exported, other)
    second = Signatures.kept(other)
    assert second is not first
    os.utime(other / SAVED_MODEL, (1, 1))  # another model in the same place
    assert Signatures.kept(other) is not second


def test_arrays_go_in_and_come_out() -> None:
    users = np.array(["ä", ""], object)
    answer = ECHO.call(TIMELINE, {"user_id": users, "k": tf.constant(3)})
    assert answer["text"].tolist() == ["äé".encode(), "é".encode()]
    assert answer["k"].dtype == np.int32
    with pytest.raises(ValueError, match="dtype int32"):
        ECHO.call(TIMELINE, {"user_id": users, "k": tf.constant(3, tf.int64)})


def test_an_input_without_default_must_be_given() -> None:
    with pytest.raises(KeyError, match="user_id"):
        ECHO.call(TIMELINE, {"k": 3})


def test_a_known_user_gets_the_best_unseen_movies(served: ServedModel) -> None:
    answer = served.recommend("1", k=4)
    assert answer.source == "user"
    assert [item.movie_id for item in answer.items] == ["11", "10", "4", "12"]
    assert answer.items[0].title == "Movie 11 (2001)"
    assert answer.items[0].score > answer.items[1].score


def test_seen_movies_are_left_out_and_padding_too(served: ServedModel) -> None:
    movies = {item.movie_id for item in served.recommend("2", k=1000).items}
    assert movies == set(tiny_model.MOVIES) - set(tiny_model.SEEN["2"])


def test_an_unknown_user_gets_popular_movies(served: ServedModel) -> None:
    answer = served.recommend("nobody", k=3)
    assert answer.source == "popularity"
    assert [(item.movie_id, item.score) for item in answer.items] == [("5", 3), ("1", 2), ("2", 2)]


def test_an_unknown_user_with_a_history(served: ServedModel) -> None:
    answer = served.recommend("nobody", liked=["4"], exclusions=["6", "11"])
    assert answer.source == "history"
    assert not {"4", "6", "11"} & {item.movie_id for item in answer.items}
    assert answer.items[0].movie_id == "5"


def test_named_movies_have_the_stars_that_they_stand_for_the_newest_last() -> None:
    scale = tiny_model.STARS
    history = named_history(scale, ["1", "2"], ["3", "4"], {"5": 3.5, "1": 1.0})
    assert list(history.items()) == [("5", 3.5), ("3", 2.0), ("4", 2.0), ("1", 4.5), ("2", 4.5)]
    assert all(math.isnan(stars) for stars in named_history(None, ["1"], ["2"]).values())
    assert named_history(scale) == {}


def test_order_and_least_rating(served: ServedModel) -> None:
    by_stars = served.recommend("1", k=12, order="stars", min_rating=2.5).items
    ratings = [item.rating for item in by_stars if item.rating is not None]
    assert len(ratings) == len(by_stars) > 1
    assert ratings == sorted(ratings, reverse=True)
    assert min(ratings) >= 2.5
    everything = {item.movie_id for item in served.recommend("1", k=12).items}
    assert {item.movie_id for item in by_stars} < everything
    for wrong in (0.5, 5.5, float("nan")):
        with pytest.raises(BadInput, match="not on the scale of the ratings, which is 1 to 5"):
            served.recommend("1", min_rating=wrong)


def test_a_disliked_movie_counts_and_is_left_out(served: ServedModel) -> None:
    liked = served.recommend("nobody", k=12, liked=["4"]).items
    both = served.recommend("nobody", k=12, liked=["4"], disliked=["6"]).items
    assert [item.score for item in liked] != [item.score for item in both]
    assert "6" not in {item.movie_id for item in both}
    with pytest.raises(BadInput, match="'4' is both liked and disliked"):
        served.recommend("nobody", liked=["4"], disliked=["4"])


@pytest.mark.parametrize("stars", [None, tiny_model.STARS.model_copy(update={"lowest": 5.0})])
def test_a_model_without_ratings_predicts_none(
    exported: Path, tmp_path: Path, stars: StarScale | None
) -> None:
    """None were there, or all were the same."""
    model = shutil.copytree(exported, tmp_path / "model")
    ModelInfo(stars=stars).write(model)
    write_manifest(model)
    loaded = ServedModel.load(model)
    assert {item.rating for item in loaded.recommend("1", liked=["4"]).items} == {None}
    assert loaded.rate("1", "2").rating is None
    with pytest.raises(BadInput, match="trained without ratings"):
        loaded.recommend("1", order="stars")
    with pytest.raises(BadInput, match="trained without ratings"):
        loaded.recommend("1", min_rating=3)


@pytest.mark.parametrize("argument", ["liked", "disliked", "exclusions"])
def test_unknown_movies_are_bad_input(served: ServedModel, argument: str) -> None:
    with pytest.raises(BadInput, match="use the id 1"):
        served.recommend("1", **{argument: ["Toy Story"]})


def test_rate(served: ServedModel) -> None:
    known = served.rate("1", "2")
    assert known.known_user
    assert known.known_movie
    assert 0.5 <= known.rating <= 5.0
    assert known.like is None
    unknown = served.rate("nobody", "nothing")
    assert not unknown.known_user
    assert not unknown.known_movie


def test_similar(served: ServedModel) -> None:
    items = served.similar("1", k=3)
    assert [item.movie_id for item in items] == ["9", "7", "2"]
    with pytest.raises(BadInput, match="no movie with the id '99'"):
        served.similar("99")


@pytest.mark.parametrize("k", [0, -1])
def test_k_is_at_least_one(served: ServedModel, k: int) -> None:
    with pytest.raises(BadInput, match="k must be at least 1"):
        served.recommend("1", k=k)
    with pytest.raises(BadInput, match="k must be at least 1"):
        served.similar("1", k=k)


def test_the_latest_version_is_the_highest_number(tmp_path: Path) -> None:
    for name in ("9", "10", ".incoming-x", "notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    (tmp_path / "11").mkdir()
    (tmp_path / "12").mkdir()  # being copied
    (tmp_path / "12" / "saved_model.pb").write_bytes(b"part")
    (tmp_path / "12" / MANIFEST).parent.mkdir()
    entry = FileEntry(bytes=10, sha256="")
    text = Manifest(files={"saved_model.pb": entry}).model_dump_json()
    (tmp_path / "12" / MANIFEST).write_text(text)
    assert latest_version(tmp_path) == tmp_path / "10"


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_without_a_model_run_first(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput) as refusal:
        latest_version(tmp_path / name)
    assert refusal.value.remedy == "Run `reelflow run` first."


def test_a_folder_without_a_model_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no saved_model\.pb"):
        ServedModel.load(tmp_path)


def test_a_damaged_model_is_bad_input(exported: Path, tmp_path: Path) -> None:
    model = shutil.copytree(exported, tmp_path / "model")
    (model / "saved_model.pb").write_bytes(b"no graph")
    with pytest.raises(BadInput, match=r"saved_model\.pb has 8 of [\d,]+ bytes"):
        ServedModel.load(model)
    (model / MANIFEST).unlink()
    with pytest.raises(BadInput, match="cannot be loaded"):
        ServedModel.load(model)


@pytest.mark.parametrize("size", [0, 10, 200])
def test_variables_that_are_cut_short_are_bad_input(
    exported: Path, tmp_path: Path, size: int
) -> None:
    """Of a model without a manifest: TensorFlow raises an IndexError, among others."""
    model = shutil.copytree(exported, tmp_path / "model")
    (model / MANIFEST).unlink()
    for variables in (model / "variables").iterdir():
        variables.write_bytes(variables.read_bytes()[:size])
    with pytest.raises(BadInput, match="cannot be loaded"):
        ServedModel.load(model)


def test_another_model_is_bad_input(exported: Path, tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path))
    shutil.copytree(exported / "assets.extra", tmp_path / "assets.extra")
    write_manifest(tmp_path)
    with pytest.raises(BadInput, match="signature serving_default is missing"):
        ServedModel.load(tmp_path)


@pytest.mark.slow
def test_a_process_of_its_own_needs_tensorflow_only_and_is_quiet(exported: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from reelflow.saved_model.client import ServedModel; "
        "assert 'tensorflow' not in sys.modules; "
        "print(ServedModel.load(Path(sys.argv[1])).recommend('1', k=1).items[0].movie_id); "
        "assert not {'tfx', 'apache_beam', 'tensorflow_transform'} & set(sys.modules)"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    ended = subprocess.run(
        [sys.executable, "-c", code, str(exported)],
        cwd=Path(__file__).parents[3],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "11\n"
    assert ended.stderr == ""
