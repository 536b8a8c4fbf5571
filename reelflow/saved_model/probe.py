"""ServingCheck: questions to a SavedModel in a fresh process, which loads it as a server would.

    python -m reelflow.saved_model.probe MODEL_DIR RESULT_DIR

Imports neither TFX nor Beam, so that a model that needs them fails here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from reelflow.base.columns import (
    ALLOWED,
    AS_JUDGED,
    EXCLUSIONS,
    HISTORY,
    INCLUDE_SEEN,
    LIKE,
    MIN_RATING,
    MOVIE_ID,
    ORDER,
    RANK_RAW,
    RANK_UNSEEN,
    RATING,
    SCORE,
    SEEN,
    SOURCE,
    TITLE,
    USER_ID,
    K,
)
from reelflow.base.environment import die_with_parent
from reelflow.saved_model import golden
from reelflow.saved_model.catalogue import Catalogue
from reelflow.saved_model.client import Signatures, Values
from reelflow.saved_model.contract import (
    BY_STARS,
    EVALUATE,
    FROM_HISTORY,
    FROM_POPULARITY,
    FROM_USER,
    KNOWN_MOVIE,
    KNOWN_USER,
    LOWEST,
    RATE,
    RECOMMEND,
    RETRIEVAL,
    SIMILAR,
    missing_parts,
)
from reelflow.saved_model.files import GOLDEN, ModelInfo, ServingResult
from reelflow.saved_model.manifest import find_damage

# Control characters do not survive any of the readers, so that no user or movie has this id.
UNKNOWN: Final = "\x01nobody"
WARM_UP: Final = 10
REQUESTS: Final = 50
STARS_SLACK: Final = 1e-4
"""Stars by which two predictions of the same model may differ in two calls."""
RECALLED: Final = 100
"""Movies of a list of which an approximate search must find most."""
RECALL_REQUESTS: Final = 64
NAMED: Final = 3
"""Movies that each of these requests names."""
RANKED: Final = 20
"""Movies of a list whose ranks are asked for."""
_PARENT: Final = "REELFLOW_PROBE_PARENT"
"""Variable with the process id that the probe must not outlive."""
_LAST_LINES: Final = 15

Ask = Callable[[str, Values], dict[str, Any]]
"""Sends inputs (nested lists) to a signature by name and gives its outputs (nested lists)."""


@dataclass(frozen=True)
class Subjects:
    """Known ids for the questions to a model."""

    user: str
    """Id of a user that the model knows."""
    titles: Mapping[str, str]
    """Title by id of every movie, in vocabulary order."""
    history: bool = True
    """True if the model can answer from a request's history; a tower of user ids cannot."""

    @cached_property
    def movies(self) -> list[str]:
        """Ids of every movie, in vocabulary order."""
        return list(self.titles)


def check(
    model_dir: Path, *, latency_ms_max: float, recall_min: float, timeout_seconds: float
) -> ServingResult:
    """Load and ask a SavedModel in a process of its own.

    Args:
        model_dir: folder with `saved_model.pb` and `assets.extra/`.
        latency_ms_max: accepted median latency of one recommendation request, in milliseconds.
        recall_min: accepted share of exact lists that an approximate search finds.
        timeout_seconds: time after which the process is ended and the model refused.
    """
    if (damage := find_damage(model_dir, by_content=True)) is not None:
        return ServingResult(reasons=(damage,))
    packages = (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))
    environment = {
        _PARENT: str(os.getpid()),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONWARNINGS": "ignore",
        "TF_USE_LEGACY_KERAS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, packages)),
    }
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "reelflow.saved_model.probe", str(model_dir), scratch]
        try:
            process = subprocess.run(
                command,
                env=os.environ | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout_seconds,
                check=False,
                text=True,
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            reason = f"the model did not answer within {timeout_seconds:g} seconds"
            return ServingResult(reasons=(reason,))
        if process.returncode != 0:
            lines = "\n".join(process.stdout.strip().splitlines()[-_LAST_LINES:])
            reason = f"the model cannot be loaded and questioned on its own:\n{lines}"
            return ServingResult(reasons=(reason,))
        return judge(ServingResult.read(Path(scratch)), latency_ms_max, recall_min)


def judge(result: ServingResult, latency_ms_max: float, recall_min: float) -> ServingResult:
    """Return a probe's result with a reason more for each figure that is out of its bound."""
    reasons = []
    median = result.latency_ms.get("median", 0.0)
    if median > latency_ms_max:
        reasons.append(
            f"a recommendation takes {median:.1f} ms (median), "
            f"push.latency_ms_max allows {latency_ms_max:g} ms"
        )
    if result.recall is not None and result.recall < recall_min:
        reasons.append(
            f"approximate lists of {RECALLED} have {result.recall:.3f} of the exact ones, "
            f"push.recall_min asks for {recall_min:g}"
        )
    return result.model_copy(update={"reasons": (*result.reasons, *reasons)})


def probe(model_dir: Path) -> ServingResult:
    """Load a model and ask it everything that the contract promises."""
    start = time.perf_counter()
    signatures = Signatures.load(model_dir)
    load_seconds = round(time.perf_counter() - start, 3)
    reasons = missing_parts(signatures.definitions.signatures)
    requests = golden.read(model_dir / GOLDEN)
    users = golden.known_users(requests)
    if not users:
        reasons.append(f"{GOLDEN} has no request of a known user")
    if reasons:
        return ServingResult(reasons=tuple(reasons), load_seconds=load_seconds)
    movies = Catalogue.load(model_dir).movies.values()
    titles = {movie.movie_id: movie.title for movie in movies}
    subjects = Subjects(users[0], titles, golden.uses_history(requests))
    reasons += different_answers(requests, signatures.ask)
    reasons += broken_promises(signatures.ask, subjects)
    return ServingResult(
        reasons=tuple(reasons),
        latency_ms=latency(signatures.ask, users),
        load_seconds=load_seconds,
        golden=len(requests),
        recall=recall(signatures, model_dir, users),
    )


def recall(
    signatures: Signatures, model_dir: Path, users: Sequence[str], k: int = RECALLED
) -> float | None:
    """Return which share of exact lists of k movies approximate ones have; None if all are exact.

    By requests of strangers that name movies, drawn as they are rated, and of known users. A
    request that says of each movie that it is allowed is answered exactly.
    """
    movies = list(Catalogue.load(model_dir).movies.values())
    approximate_from = (ModelInfo.read(model_dir).model or {}).get("approximate_from")
    if approximate_from is None or len(movies) < approximate_from:
        return None
    counts = np.array([movie.rating_count for movie in movies], np.float64) + 1.0
    random = np.random.default_rng(0)
    named = random.choice(len(movies), (RECALL_REQUESTS, NAMED), p=counts / counts.sum())
    found = []
    for number, row in enumerate(named):
        inputs = {
            USER_ID: [users[number % len(users)] if number % 2 else UNKNOWN],
            HISTORY: [[movies[place].movie_id for place in row]],
            K: min(k, len(movies)),
            ORDER: RETRIEVAL,
        }
        lists = [
            {*signatures.call(RECOMMEND, {**inputs, **more})[MOVIE_ID][0]} - {b""}
            for more in ({}, {ALLOWED: np.ones((1, len(movies)), np.bool_)})
        ]
        found.append(len(lists[0] & lists[1]) / max(len(lists[1]), 1))
    return round(float(np.mean(found)), 4)


def different_answers(requests: Sequence[golden.Golden], ask: Ask) -> list[str]:
    """Differences between the answers of the training process and those of this one."""
    return [
        f"golden request {number}: {difference}"
        for number, one in enumerate(requests, start=1)
        for difference in golden.compare(one, ask(one.signature, one.inputs))
    ]


def latency(ask: Ask, users: Sequence[str]) -> dict[str, float]:
    """`median` and `p95` of the milliseconds that a request of one user for ten movies takes."""
    milliseconds = []
    for number in range(WARM_UP + REQUESTS):
        start = time.perf_counter()
        ask(RECOMMEND, {USER_ID: [users[number % len(users)]], K: 10})
        milliseconds.append(1_000 * (time.perf_counter() - start))
    median, p95 = np.percentile(milliseconds[WARM_UP:], [50, 95])
    return {"median": round(float(median), 3), "p95": round(float(p95), 3)}


def broken_promises(ask: Ask, subjects: Subjects) -> Iterator[str]:
    """Ask a few dozen questions and yield a sentence for each answer that breaks the contract."""
    yield from _sources(ask, subjects)
    faults = list(_lists(ask, subjects))
    yield from faults
    yield from _exclusions(ask, subjects)
    if faults:
        return  # the other questions take whole lists of the catalogue's movies for granted
    yield from _choices(ask, subjects)
    yield from _ratings(ask, subjects)
    yield from _similar(ask, subjects)


def _sources(ask: Ask, subjects: Subjects) -> Iterator[str]:
    """Each row is answered for itself and names its source."""
    users = [subjects.user, UNKNOWN, UNKNOWN]
    answer = ask(RECOMMEND, {USER_ID: users, HISTORY: [[""], subjects.movies[:1], [""]], K: 3})
    by_history = FROM_HISTORY if subjects.history else FROM_POPULARITY
    expected = [FROM_USER, by_history, FROM_POPULARITY]
    if answer[SOURCE] != expected:
        yield (
            "serving_default: a known user, an unknown one with a history and an unknown one "
            f"without are answered from {answer[SOURCE]} instead of {expected}"
        )


def _lists(ask: Ask, subjects: Subjects) -> Iterator[str]:
    """K movies, best first, none twice, under the catalogue's titles, padded when none are left."""
    for user in (subjects.user, UNKNOWN):
        for k in (1, 7, len(subjects.movies) + 2):
            answer = ask(RECOMMEND, {USER_ID: [user], K: k})
            name = "an unknown user" if user == UNKNOWN else f"user {user}"
            for fault in _list_faults(answer, k, subjects):
                yield f"serving_default: k = {k} for {name} gives {fault}"


def _list_faults(answer: Values, k: int, subjects: Subjects) -> Iterator[str]:
    ids, titles, scores = (answer[name][0] for name in (MOVIE_ID, TITLE, SCORE))
    # A k beyond the catalogue may be cut to its size: no request should get endless padding.
    allowed = {k, min(k, len(subjects.titles))}
    if not len(ids) == len(titles) == len(scores) or len(ids) not in allowed:
        yield f"{len(ids)} ids, {len(titles)} titles and {len(scores)} scores"
        return
    movies = [movie for movie in ids if movie]
    if ids != movies + [""] * (len(ids) - len(movies)):
        yield "gaps between the movies"
    if len(set(movies)) != len(movies):
        yield "a movie twice"
    if any(movie not in subjects.titles for movie in movies):
        yield "movies that are not in the catalogue"
    elif any(subjects.titles[movie] != title for movie, title in zip(movies, titles, strict=False)):
        yield "titles that are not the catalogue's"
    if not all(np.isfinite(scores)) or any(a < b for a, b in pairwise(scores)):
        yield "scores that are not in descending order"
    if any(score != LOWEST for score in scores[len(movies) :]):
        yield "padding without the lowest score"


def _exclusions(ask: Ask, subjects: Subjects) -> Iterator[str]:
    """Movies that the user has rated, or that the request excludes or has as history, stay out."""

    def movies(user: str, inputs: Values) -> set[str]:
        ids = ask(RECOMMEND, {USER_ID: [user], K: 10, **inputs})[MOVIE_ID][0]
        return {movie for movie in ids if movie}

    for user in (subjects.user, UNKNOWN):
        first = ask(RECOMMEND, {USER_ID: [user], K: 3})[MOVIE_ID][0]
        if movies(user, {EXCLUSIONS: [first]}) & set(first):
            yield "serving_default: excluded movies are recommended"
        if user == UNKNOWN and movies(user, {HISTORY: [first]}) & set(first):
            yield "serving_default: movies of the request's own history are recommended"
    # Every known user has rated a movie, so not all can be left over to recommend.
    everything = len(subjects.movies)
    if len(movies(subjects.user, {K: everything})) >= everything:
        yield f"serving_default: movies that user {subjects.user} has rated are recommended"


def _choices(ask: Ask, subjects: Subjects) -> Iterator[str]:
    """Seen movies, filters, the order by stars and the least stars do what they say."""
    everything = {USER_ID: [subjects.user], K: len(subjects.movies), INCLUDE_SEEN: True}
    answer = ask(RECOMMEND, everything)
    if set(answer[MOVIE_ID][0]) != set(subjects.movies):
        yield "serving_default: include_seen does not give every movie"
    elif not any(answer[SEEN][0]):
        yield f"serving_default: no movie of user {subjects.user} is marked as seen"
    few = [[place < 2 for place in range(len(subjects.movies))]]
    chosen = {movie for movie in ask(RECOMMEND, {**everything, ALLOWED: few})[MOVIE_ID][0] if movie}
    if chosen != set(subjects.movies[:2]):
        yield "serving_default: other movies than the allowed ones are recommended"
    stars = ask(RECOMMEND, {**everything, K: 10, ORDER: BY_STARS})[RATING][0]
    if any(a < b - STARS_SLACK for a, b in pairwise(stars)):
        yield f"serving_default: by stars the order is {stars}"
    least = float(np.median(answer[RATING][0]))
    kept = ask(RECOMMEND, {**everything, MIN_RATING: least})
    rated = [s for s, m in zip(kept[RATING][0], kept[MOVIE_ID][0], strict=True) if m]
    if not rated or min(rated) < least - STARS_SLACK:
        yield f"serving_default: min_rating = {least:g} gives movies of {min(rated, default=0):g}"


def _ratings(ask: Ask, subjects: Subjects) -> Iterator[str]:
    """Ratings are finite; ranks run from 1, and a movie that the model does not know comes last."""
    movies = [subjects.movies[0], UNKNOWN]
    users = [subjects.user, UNKNOWN, UNKNOWN]
    answer = ask(RATE, {USER_ID: users, MOVIE_ID: [movies[0], *movies]})
    if not all(np.isfinite(answer[RATING])):
        yield f"rate: ratings are {answer[RATING]}"
    if not all(0.0 <= like <= 1.0 for like in answer.get(LIKE, ())):
        yield f"rate: probabilities of a like are {answer[LIKE]}"
    known = (answer[KNOWN_USER], answer[KNOWN_MOVIE])
    if known != ([True, False, False], [True, True, False]):
        yield f"rate: known_user and known_movie are {known[0]} and {known[1]}"
    yield from _ranks(ask, subjects)


def _ranks(ask: Ask, subjects: Subjects) -> Iterator[str]:
    """A rank is the place in the list that is served with the test hidden; unknown movies last."""
    movies = [subjects.movies[0], UNKNOWN]
    answer = ask(EVALUATE, {USER_ID: [subjects.user] * 2, MOVIE_ID: movies})
    last = len(subjects.movies) + 1
    for name in (RANK_RAW, RANK_UNSEEN):
        rank, unknown = answer[name]
        if not 1 <= rank < last or unknown != last:
            yield f"evaluate: {name} of a known and an unknown movie are {rank} and {unknown}"
    request = {USER_ID: [subjects.user], K: len(subjects.movies), AS_JUDGED: True}
    listed = ask(RECOMMEND, request)
    places = {movie: at for at, movie in enumerate(listed[MOVIE_ID][0], start=1) if movie}
    asked = list(places)[:RANKED]
    answer = ask(EVALUATE, {USER_ID: [subjects.user] * len(asked), MOVIE_ID: asked})
    scores = np.array(listed[SCORE][0])
    for movie, rank in zip(asked, answer[RANK_UNSEEN], strict=True):
        place = places[movie]
        tied = np.flatnonzero(np.isclose(scores, scores[place - 1])) + 1
        if not tied[0] <= rank <= tied[-1]:
            yield f"evaluate: rank_unseen of {movie} is {rank}, in the list it is at {place}"
            return


def _similar(ask: Ask, subjects: Subjects) -> Iterator[str]:
    movies = subjects.movies[:2]
    answer = ask(SIMILAR, {MOVIE_ID: movies, K: 5})
    sizes = {len(row) for name in (MOVIE_ID, TITLE, SCORE) for row in answer[name]}
    if len(answer[MOVIE_ID]) != len(movies) or sizes != {5}:
        yield f"similar: k = 5 for {len(movies)} movies gives lists of {sorted(sizes)}"
    cosines = [score for row in answer[SCORE] for score in row if score != LOWEST]
    if not all(-1.001 <= score <= 1.001 for score in cosines):
        yield "similar: scores are no cosines"


if __name__ == "__main__":
    die_with_parent(int(os.environ[_PARENT]))
    probe(Path(sys.argv[1])).write(Path(sys.argv[2]))
