"""Top-K requests: our SavedModel, TFRS BruteForce, and a bare product with top_k.

Ours looks ids up, masks the movies that the user has seen, and answers with ids and titles: from
ready lists, or computed for users that have named three movies since, by looking at every movie or
by the index. BruteForce as the tutorials export it looks ids up and masks nothing; with the movies
seen excluded by its own `query_with_exclusions` it does what ours does. The bare product does
neither. All are called by place, as graphs of the inputs that are given (`LeanCalls`).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import common

OURS, BRUTE_FORCE, BARE = "Reelflow, ready", "TFRS BruteForce", "matmul + top_k"
COMPUTED, INDEX, UNCLUSTERED = "Reelflow, computed", "Reelflow, index", "index, unclustered"
EXCLUDING = "TFRS BruteForce, excluding"
SLICES = 20
SIZE = 64
K = 10
USERS = 6_000
RATINGS = 600_000
BATCHES = (1, 128)
NAMED = 3
"""Movies of one kind that a request names."""
LARGE = 1_000_000
"""Movies from which on there is an index, and no ready lists."""
RECALLS = (10, 100)

Request = tuple[Any, Any, Any]
"""Rows of users, their ids, and movies that they name."""
Call = Callable[[Any, Any, Any], Any]


def measure(movies: int, seconds: float, repeats: int) -> common.Measured:
    """Requests of all models in turn, each for some seconds, from saved and loaded models."""

    from benchmarks import arrays
    from reelflow.saved_model.lean_calls import OFTEN

    data = arrays.encoded(USERS, movies, RATINGS)
    users = arrays.words("u", USERS)
    recall: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        items = _items(data)
        ours = _ours(data, users, items, Path(folder, "ours"))
        calls: dict[str, Call] = {COMPUTED: _call(ours, named=True)}
        if movies < LARGE:
            calls[OURS] = _call(ours, named=False)
        else:
            for name, clustered in {INDEX: True, UNCLUSTERED: False}.items():
                path = Path(folder, name)
                indexed = _ours(data, users, items, path, clustered, approximate_from=1)
                calls[name] = _call(indexed, named=True)
                recall |= _recalls(name, indexed, movies, _requests(movies, 1))
        del ours
        calls |= {
            BRUTE_FORCE: _brute_force(data, users, Path(folder, "brute_force")),
            EXCLUDING: _excluding(data, users),
            BARE: _bare(movies),
        }
    found: dict[str, Any] = {}
    for batch in BATCHES:
        if batch > 1:
            del calls[EXCLUDING]  # [batch, seen, seen] comparisons of texts: seconds a request
        requests = _requests(movies, batch)
        for call in calls.values():
            for _ in range(OFTEN + 1):
                call(*requests[0])
        # In short slices, so that whatever else the machine does hits all of them alike.
        latencies: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(SLICES * repeats):
            for name, call in calls.items():
                latencies[name] += _slice(call, requests, len(latencies[name]), seconds / SLICES)
        for name, values in latencies.items():
            found[f"{name}/{batch}"] = _summary(values, batch)
    return {"runs": found, "recall": recall}


def _requests(movies: int, batch: int) -> list[Request]:
    """Requests of known users that have liked some movies of one kind, different ones each."""
    import numpy as np
    import tensorflow as tf

    from benchmarks import arrays

    order = np.argsort(arrays.kinds(movies), kind="stable")
    random = np.random.default_rng(0)
    requests = []
    for _ in range(64):
        rows = random.integers(0, USERS, batch)
        first = random.integers(0, movies - NAMED, batch)
        named = order[first[:, None] + np.arange(NAMED)]
        ids = tf.constant([f"u{row}" for row in rows])
        requests.append((tf.constant(rows), ids, tf.constant(np.char.add("m", named.astype(str)))))
    return requests


def _recalls(name: str, model: Any, movies: int, requests: list[Request]) -> dict[str, float]:
    """Shares of the exact lists that an index finds, by length.

    A request that says of each movie that it is allowed is answered exactly.
    """
    import tensorflow as tf

    recalls = {}
    for k in RECALLS:
        more: list[dict[str, Any]] = [{}, {"allowed": tf.ones([1, movies], tf.bool)}]
        lists = [_call(model, named=True, k=k, output="movie_id", **one) for one in more]
        shares = []
        for request in requests:
            approximate, whole = ({*call(*request)[0].tolist()} for call in lists)
            shares.append(len(approximate & whole) / len(whole))
        recalls[f"{name}@{k}"] = sum(shares) / len(shares)
    return recalls


def _slice(call: Call, requests: list[Request], first: int, seconds: float) -> list[float]:
    """Latencies of the requests that fit into some seconds, one at least."""
    latencies: list[float] = []
    until = time.perf_counter() + seconds
    while not latencies or time.perf_counter() < until:
        started = time.perf_counter()
        call(*requests[(first + len(latencies)) % len(requests)])
        latencies.append(time.perf_counter() - started)
    return latencies


def _summary(latencies: list[float], batch: int) -> common.Measured:
    p50, p99 = (1000 * sorted(latencies)[int(len(latencies) * share)] for share in (0.5, 0.99))
    return {
        "requests": len(latencies),
        "queries_per_second": 1000 * batch / p50,
        "p50_ms": p50,
        "p99_ms": p99,
    }


def _items(data: Any) -> Any:
    """The linear model between movies, which all of ours have."""
    from reelflow.config import ModelConfig
    from reelflow.model.items import ItemLearner

    learner = ItemLearner(data, ModelConfig())
    return learner.learn(learner.default)


def _ours(
    data: Any,
    users: list[str],
    items: Any,
    folder: Path,
    clustered: bool = True,
    **section: Any,
) -> Any:
    """The exported model's `serving_default`, its towers with made-up vectors of the movies."""
    import numpy as np
    import tensorflow as tf

    from benchmarks import arrays
    from reelflow.config import ModelConfig
    from reelflow.model.signatures import ServingModel
    from reelflow.model.stages import Mixture
    from reelflow.model.tasks import JointModel

    movies = len(data.catalogue)
    if movies >= LARGE:
        # Stars from biases: tables of the rating model would only be copied.
        section |= {"ready_lists": 0, "rating_weight": 0}
    config = ModelConfig.model_validate(
        {"embedding_size": SIZE, "genres": False, "year": False, "movie_words": 0, **section}
    )
    joint = JointModel(data, config)
    mixture = Mixture({"items": items}, {"towers": 0.5, "items": 0.5}, blend=0.2)
    if movies >= LARGE:
        # The few movies of the linear model are always scored exactly, and would fill the lists.
        mixture = Mixture({}, {"towers": 1.0}, blend=0.2)
    some = tf.zeros([1], tf.int32)
    joint.query(some, joint.timelines.ends_now(some))
    if joint.has_rating:
        joint.rating_model(some, some)
    vectors = arrays.vectors_of_kinds(movies, SIZE, clustered)
    own, past = joint.candidate_tower.named_weights(), joint.query_tower.named_weights()
    own["movie"].variable.assign(vectors)
    popularity = np.log1p(data.rating_counts)
    own["bias"].variable.assign(
        0.1 * ((popularity - popularity.mean()) / popularity.std())[:, None]
    )
    for name in ("history", "bag"):
        past[name].variable.assign(np.pad(vectors, [(0, 1), (0, 0)]))
    model = ServingModel(joint, data, users, mixture, config)
    model.prepare()
    signatures = {"serving_default": model.signatures()["serving_default"]}
    tf.saved_model.save(model, str(folder), signatures=signatures)
    return tf.saved_model.load(str(folder))


def _call(model: Any, *, named: bool, k: int = K, output: str = "score", **more: Any) -> Call:
    """Requests of known users, seen movies masked; `more` inputs of the signature."""
    import tensorflow as tf

    from reelflow.saved_model.contract import RECOMMEND, SIGNATURES
    from reelflow.saved_model.lean_calls import LeanCalls

    recommend = LeanCalls(model.signatures[RECOMMEND], SIGNATURES[RECOMMEND])
    fixed = {"k": tf.constant(k), **more}
    given = [
        name
        for name in SIGNATURES[RECOMMEND].inputs
        if name in fixed or name == "user_id" or (named and name == "history")
    ]

    def call(rows: Any, ids: Any, liked: Any) -> Any:
        inputs = {"user_id": ids, "history": liked, **fixed}
        return recommend({name: inputs[name] for name in given})[output].numpy()

    vars(call)["model"] = model  # whose variables live as long as it does
    return call


def _brute_force(data: Any, users: list[str], folder: Path) -> Call:
    """As the retrieval tutorial exports it: user ids in, movie ids out, nothing masked."""
    import tensorflow as tf
    import tensorflow_recommenders as tfrs
    import tf_keras as keras

    towers = keras.Sequential(
        [
            keras.layers.StringLookup(vocabulary=users, mask_token=None),
            keras.layers.Embedding(len(users) + 1, SIZE),
        ]
    )
    index = tfrs.layers.factorized_top_k.BruteForce(towers, k=K)
    movies = len(data.catalogue)
    index.index(tf.random.normal([movies, SIZE]), tf.constant(data.catalogue.movie_id))
    index(tf.constant(users[:1]))
    tf.saved_model.save(index, str(folder))
    model = tf.saved_model.load(str(folder))
    loaded = model.signatures["serving_default"]
    [(name, spec)] = loaded.structured_input_signature[1].items()
    # By place, as ours is called: by name takes longer.
    by_place = tf.function(lambda ids: loaded(**{name: ids}), input_signature=[spec])
    answer = by_place.get_concrete_function()

    def call(rows: Any, ids: Any, _: Any) -> Any:
        return answer(ids)["output_1"].numpy()

    vars(call)["model"] = model
    return call


def _excluding(data: Any, users: list[str]) -> Call:
    """BruteForce with the movies that users have seen as exclusions; eager, as TFRS needs it."""
    import numpy as np
    import tensorflow as tf
    import tensorflow_recommenders as tfrs

    embeddings = tf.random.normal([len(users), SIZE])
    row = {user: number for number, user in enumerate(users)}
    index = tfrs.layers.factorized_top_k.BruteForce(k=K)
    ids = np.array(data.catalogue.movie_id, dtype=object)
    index.index(tf.random.normal([len(ids), SIZE]), tf.constant(ids))
    lengths = np.diff(data.offsets)[: len(users)]
    seen = tf.RaggedTensor.from_row_lengths(tf.constant(ids[data.train.movie_index]), lengths)

    def call(rows: Any, asked: Any, _: Any) -> Any:
        queries = tf.gather(embeddings, [row[user.decode()] for user in asked.numpy()])
        exclusions = tf.gather(seen, rows).to_tensor("")
        return index.query_with_exclusions(queries, exclusions)[0].numpy()

    return call


def _bare(movies: int) -> Call:
    """The least there is to do."""
    import tensorflow as tf

    user_table, movie_table = tf.random.normal([USERS, SIZE]), tf.random.normal([movies, SIZE])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
    def best(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scores = tf.matmul(tf.gather(user_table, rows), movie_table, transpose_b=True)
        return tuple(tf.math.top_k(scores, k=K))

    call = best.get_concrete_function()
    return lambda rows, ids, _: call(rows)[0].numpy()


def main() -> None:
    """Measure and reports."""
    parser = common.parser(__doc__)
    parser.add_argument("--movies", type=int, nargs="*", help="sizes of catalogues")
    chosen = parser.parse_args()
    catalogues = chosen.movies or ((4_000, 60_000) if chosen.short else (4_000, 60_000, LARGE))
    repeats = chosen.repeats or (1 if chosen.short else 3)
    rows, details = [], {}
    for movies in catalogues:
        measured = common.fresh("serving:measure", movies=movies, seconds=2.0, repeats=repeats)
        runs = measured["runs"]
        details[movies] = {"runs": runs, "recall": measured["recall"]}
        for key, run in runs.items():
            name, _, batch = key.partition("/")
            speed = run["queries_per_second"]
            rows.append(
                {
                    "model": name,
                    "movies": movies,
                    "batch": int(batch),
                    "queries/s": speed,
                    "× BruteForce": speed / runs[f"{BRUTE_FORCE}/{batch}"]["queries_per_second"],
                    "time ÷ bare": runs[f"{BARE}/{batch}"]["queries_per_second"] / speed,
                    "p50 ms": run["p50_ms"],
                    "p99 ms": run["p99_ms"],
                    **{
                        f"recall@{k}": measured["recall"].get(f"{name}@{k}", float("nan"))
                        for k in RECALLS
                    },
                }
            )
    title = f"Top {K} of a SavedModel, d = {SIZE}"
    common.report("serving", title, rows, short=chosen.short, details={"details": details})


if __name__ == "__main__":
    main()
