"""The sections `model`, `train` and `tuner`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from reelflow.config.data import Section

Term = Literal["towers", "items", "spectral", "directed", "neighbours"]
"""Terms of the retrieval score."""
Positive = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]
Layers = tuple[Annotated[int, Field(ge=1, le=4096)], ...]


class ModelConfig(Section):
    """The two-tower retrieval model and the rating model."""

    embedding_size: Annotated[int, Field(ge=1, le=1024)] = 256
    """Size of the embeddings of users, movies and features that the towers add up."""
    query: Literal["user_id", "history", "both", "sequence"] = "both"
    """The query tower's input: an embedding of the user, the user's last movies, or both; or the
    last movies in order, with the time between them, by causal self-attention, for a GPU or for
    patience."""
    history_length: Annotated[int, Field(ge=1, le=1000)] = 20
    """Last movies that the history tower looks at, with learned position weights."""
    attention_blocks: Annotated[int, Field(ge=1, le=16)] = 2
    """Blocks of `query = "sequence"`, each of attention and two dense layers."""
    attention_heads: Annotated[int, Field(ge=1, le=64)] = 2
    """Heads of the attention; `embedding_size` must be a multiple of them."""
    history_stars: bool = False
    """Let the history tower know how the user rated each movie, against the user's own mean."""
    query_bag: bool = True
    """Let the query tower see all movies that the user has rated, in no order, beside the last."""
    mix: dict[Term, Annotated[float, Field(ge=0)]] | None = None
    """Weights of the terms of the retrieval score, for example `{ towers = 0.5, items = 0.5 }`;
    those that are not named have none; they are divided by their sum. None: chosen on the
    validation ratings."""
    mix_objective: Literal["unseen", "liked"] = "unseen"
    """Goal that the weights are chosen for: all movies that people turned to, or those that they
    liked."""
    item_movies: Annotated[int, Field(ge=0, le=20_000)] = 4096
    """Most rated movies between which the linear models beside the towers learn weights: `items`
    (EASE), `spectral` (the leading eigenvectors), and `directed` (which movies follow which) or
    `neighbours` (what is rated around the same time), of 4,096 at most; time grows with the cube,
    size with the square. 0 leaves them out."""
    item_ridge: Positive = (300.0, 100.0, 1000.0)
    """L2 regularisations of `items` to choose from on the validation ratings."""
    item_half_life: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)] = (
        4.0,
        0.0,
        25.0,
    )
    """Half-lives of histories in `items` and `spectral` to choose from, where validation comes
    after train: movies rated since, at which a movie counts half; 0: all count alike."""
    item_opinion: Annotated[
        tuple[Annotated[float, Field(ge=0, le=0.5)], ...], Field(min_length=1)
    ] = (0.25, 0.0)
    """Values to choose from: by how much a rated movie counts more in all of them but `directed`
    for each standard deviation that the user rated it above the user's own mean, and less below."""
    spectral_size: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (
        32,
        16,
        64,
        128,
    )
    """Numbers of eigenvectors of `spectral` to choose from."""
    directed_ridge: Positive = (100.0, 300.0)
    """L2 regularisations of `directed` to choose from; without times, and where validation does not
    come after train, there is no such term."""
    neighbour_ridge: Positive = (30.0,)
    """L2 regularisations of `neighbours` to choose from; without times, and where validation comes
    after train, there is no such term."""
    candidates: Annotated[int, Field(ge=10)] = 100
    """Movies that retrieval finds, to be put into their final order."""
    ready_lists: Annotated[int, Field(ge=0)] = 200_000
    """Users, at most, whose lists are computed once when the model is exported (1.2 kB each), for
    requests that say nothing new of them; of more users, or with 0, every list is computed when it
    is asked for."""
    approximate_from: Annotated[int, Field(ge=1)] | None = None
    """Movies of a catalogue from which on lists are searched approximately, by an inverted file;
    requests with filters are searched exactly all the same. None: every list is exact. ServingCheck
    measures what is found (`push.recall_min`)."""
    probed_buckets: Annotated[int, Field(ge=1)] = 128
    """Buckets of some hundred movies that an approximate search looks into; more find more and take
    longer."""
    blend_weight: Annotated[float, Field(ge=0)] | None = None
    """Weight of the predicted stars beside the retrieval score in the final order; none: chosen on
    the validation ratings, for liked movies. 0 leaves the order to retrieval."""
    genres: bool = True
    """Give the candidate tower the movies' genres."""
    year: bool = True
    """Give the candidate tower the release year."""
    movie_features: bool = True
    """Give the candidate tower the movies' columns that data.movie_features declares."""
    movie_words: Annotated[int, Field(ge=0, le=1 << 16)] = 4096
    """Numbers that words and parts of words of titles, genres and declared features are hashed to,
    by which movies with few or no ratings are placed as they are served; 0: by genres, year and
    features alone."""
    user_features: bool = False
    """Give the query tower the users' attributes: age bucket, gender, occupation and zip region;
    needs the opt-in data.use_users."""
    movie_bias: bool = True
    """Give each movie a bias of its own: how much it is watched, by any user."""
    query_layers: Layers = ()
    """Units of the dense layers on top of the query tower's sum; the last one's output is the
    query, so it must be as large as the candidate tower's. None: the sum is the query."""
    candidate_layers: Layers = ()
    """Units of the dense layers on top of the candidate tower's sum, as `query_layers`."""
    layer_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of every dense layer's input dropped in training."""
    tower_l2: Annotated[float, Field(ge=0)] = 0.0
    """L2 on the towers' outputs (squared norms, mean over the batch) and on dense layers."""
    loss: Literal[
        "sampled_softmax", "full_softmax", "in_batch_softmax", "tfrs_retrieval", "bpr"
    ] = "sampled_softmax"
    """Retrieval loss: over a sample of the catalogue that all ratings of a step share, over the
    whole catalogue, over the movies of the batch (ours, or TFRS's own task, with the same values
    and slower), or pairwise against sampled movies (BPR). The first two train on whole timelines,
    the others rating by rating."""
    sampled_movies: Annotated[int, Field(ge=1)] = 1024
    """Size of the sample of `sampled_softmax`; up to twice as many movies are compared in full."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Divisor of the scores in the retrieval loss; below 1 sharpens it."""
    negatives: Literal["uniform", "popularity"] = "uniform"
    """Distribution of the negatives of `bpr`: all movies alike, or as often as they are rated."""
    negative_count: Annotated[int, Field(ge=1, le=1000)] = 1
    """Negatives of `bpr` for each rating."""
    logq: bool = True
    """Correct the in-batch softmax for how often a movie is in a batch."""
    popularity_half_life: Annotated[float, Field(ge=0)] = 365.0
    """Age in days at which a rating counts half for what users without any history get; 0: all
    ratings count alike."""
    mask_seen: bool = True
    """Leave the user's other movies out of the full softmax and of BPR, as serving does."""
    query_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.7
    """Share of the query embedding dropped in training."""
    retrieval_reduction: Literal["mean", "sum"] = "mean"
    """Retrieval loss of a batch: the mean of its ratings' losses, or their sum, as in TFRS's own
    task; weighs against the rating loss, and matters to `adagrad`."""
    retrieval_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the retrieval task in the joint loss; 0 switches it off."""
    rating_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the rating task in the joint loss; 0 switches it off."""
    rating_head: Literal["svdpp", "mlp", "dcn", "like"] = "svdpp"
    """Rating model: matrix factorisation with implicit feedback, a multi-layer perceptron, a deep &
    cross network, or a classifier of likes."""
    rating_output: Literal["mean", "ordinal"] = "mean"
    """Stars as a mean (squared error), or as ordered levels (their likelihood); not for `like`."""
    like_threshold: float | None = None
    """Stars from which on a movie counts as liked; none: 70 % of the way from the lowest to the
    highest rating of train."""
    rating_embedding_size: Annotated[int, Field(ge=1, le=1024)] = 128
    """Size of the rating model's factors or embeddings."""
    rating_share_embeddings: bool = False
    """Let `mlp` rate by the retrieval towers' embeddings; needs `query = "user_id"`."""
    rating_layers: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    """Units of the dense layers; none: 256 and 128 for `mlp`, 64 for `dcn`, 10 for `like`."""
    rating_cross_layers: Annotated[int, Field(ge=1, le=10)] = 2
    """Cross layers of `dcn`."""
    rating_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the inputs of `mlp`, `dcn` and `like` dropped in training."""
    rating_bag: Annotated[int, Field(ge=0)] = 500
    """Ratings that stand for a user's or a movie's implicit feedback in the rating model, at most,
    drawn once; 0 switches implicit feedback off."""
    rating_l2: Annotated[float, Field(ge=0)] = 0.12
    """L2 on the rating model's factors or embeddings."""
    rating_bias_l2: Annotated[float, Field(ge=0)] = 0.001
    """L2 on the rating model's biases."""
    rating_draws: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """Draws of a Bayesian matrix factorisation (Gibbs sampling) whose mean counts half in the
    stars, beside the rating head; 0 leaves it out. None: 100 with `rating_head = "svdpp"` and
    `rating_output = "mean"`, beyond 500,000 ratings in proportion fewer, at least 30; otherwise
    0."""
    rating_draw_size: Annotated[int, Field(ge=1, le=128)] | None = None
    """Factors of each of its draws; time grows with the square. Their mean is exported with four
    times as many. None: 16, beyond 500,000 ratings 32."""
    rating_day_effects: bool = True
    """Let stars change with the user's day and the movie's age, if there are timestamps."""
    rating_day: Literal["latest", "mean"] | None = None
    """Day of their user that stars are predicted for: the latest, or the mean of all; none: the
    latest where most validation ratings are later than train, else the mean."""
    rating_day_l2: Annotated[float, Field(ge=0)] = 0.01
    """L2 on the day effects."""

    @model_validator(mode="after")
    def _keys_fit(self) -> ModelConfig:
        if self.mix is not None and not sum(self.mix.values()):
            raise ValueError("mix needs a weight above 0")
        if self.retrieval_weight == self.rating_weight == 0:
            raise ValueError("retrieval_weight and rating_weight must not both be 0")
        query, candidate = (
            layers[-1] if layers else self.embedding_size
            for layers in (self.query_layers, self.candidate_layers)
        )
        if query != candidate:
            raise ValueError(
                f"queries have {query} dimensions and candidates {candidate}: query_layers and "
                "candidate_layers must end alike (none: embedding_size)"
            )
        if self.query == "sequence" and self.embedding_size % self.attention_heads:
            raise ValueError("embedding_size must be a multiple of attention_heads")
        if self.rating_draws and self.rating_head == "like":
            raise ValueError("rating_draws predicts stars, rating_head = 'like' does not")
        if self.rating_share_embeddings and self.rating_head != "mlp":
            raise ValueError("rating_share_embeddings is for rating_head = 'mlp'")
        if self.rating_share_embeddings and self.query != "user_id":
            raise ValueError("rating_share_embeddings needs query = 'user_id'")
        return self

    @property
    def rating_units(self) -> tuple[int, ...]:
        """Units of the rating model's dense layers."""
        usual = {"svdpp": (), "mlp": (256, 128), "dcn": (64,), "like": (10,)}
        return usual[self.rating_head] if self.rating_layers is None else self.rating_layers


class TrainConfig(Section):
    """The training loop."""

    epochs: Annotated[int, Field(ge=1)] | None = None
    """Passes over the train split for each task, at most. None: 6 in one cycle (`schedule`), and 20
    otherwise."""
    optimizer: Literal["adam", "adagrad"] = "adam"
    """Optimizer of the weights; on parameter servers (`distribution`) it is always `adagrad`."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.003
    """Step size of the optimizer."""
    rating_learning_rate: Annotated[float, Field(gt=0)] = 0.002
    """Step size for the rating task in its first epoch; where it shares embeddings with the
    retrieval task (and so its steps), `learning_rate` counts."""
    rating_decay: Annotated[float, Field(gt=0, le=1)] = 0.75
    """Factor of the rating task's step size after each epoch; 1 keeps it."""
    by_counts: bool = False
    """Draw training rows in proportion to log(1 + rating), for ratings that count events; set by
    data.feedback = "counts"."""
    batch_size: Annotated[int, Field(ge=1)] | None = None
    """Ratings per step. None: 1,024; on timelines 3.2 times the root of their number, from 64 to
    4,096; of the rating task alone a hundredth of them, from 1,024 to 8,192, by a step size that
    grows with the root."""
    window: Annotated[int, Field(ge=1)] = 100
    """Consecutive ratings of timelines that are trained on together, with losses that train on
    whole timelines; a step has as many windows as make up its batch."""
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    """Step size of retrieval on timelines: up to `learning_rate` and down to nothing over all
    `epochs`, none of which is left out, or always the same, until validation stops it."""
    patience: Annotated[int, Field(ge=1)] = 2
    """Epochs without a better validation loss before training stops."""
    refit: bool = True
    """Train once more on train and validation together. What is pushed then knows all ratings but
    those of test."""
    refit_epochs: Annotated[int, Field(ge=1)] | None = 2
    """Last epochs of the first training that the second one repeats, from the first one's weights
    and with validation ratings among its own. None: it begins anew, for as many epochs as were
    best, which takes as long again."""
    validation_rows: Annotated[int, Field(ge=1)] = 50_000
    """Validation ratings to look at after each epoch, at most, sampled by seed."""
    precision: Literal["float32", "mixed"] = "float32"
    """Type of the products in the retrieval loss: `mixed` multiplies in bfloat16 on a GPU, tables,
    sums and losses staying in float32. Without a GPU, where it would be slower, it says so and does
    not."""
    seed: int = 42
    """Seed of initial weights, order of batches and dropout."""
    warm_start: bool = False
    """Begin with the champion's weights instead of random ones, where they fit; the model then
    keeps its own weights for the run after it, which makes it larger."""
    warm_start_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Factor of the movies' vectors at a warm start, so that new ratings can still be learned;
    users' vectors and biases stay; 1 leaves all as they are."""
    seeds: Annotated[int, Field(ge=1, le=20)] = 1
    """Rating models to train with this many seeds, one after the other, and to average; training
    the rating model, its size and its answers take as many times longer. `model.rating_draws` is
    apart from them."""

    distribution: Literal["parameter_servers"] | None = None
    """Machines that train the retrieval towers: `parameter_servers` shards their tables over
    servers, which several workers fetch rows from, as processes started here or as TF_CONFIG says;
    trained by Adagrad, and by losses that take rows of a table. None: one machine."""
    workers: Annotated[int, Field(ge=1, le=256)] = 2
    """Worker processes to start with `distribution`; TF_CONFIG counts where it is set."""
    servers: Annotated[int, Field(ge=1, le=256)] = 2
    """Parameter servers to start with `distribution`, and shards of a table, at most."""
    shard_bytes: Annotated[int, Field(ge=1)] = 1 << 18
    """Least size of a table's shard."""
    checkpoint_steps: Annotated[int, Field(ge=1)] = 1000
    """Steps between two checkpoints with `distribution`, beside the one at the end of each epoch;
    workers wait for each other there."""
    restarts: Annotated[int, Field(ge=0)] = 3
    """Times that training with `distribution` goes on from its checkpoint after the loss of a
    server, and lost workers are started again, before it is given up."""

    def most_epochs(self, in_a_cycle: bool) -> int:
        """Return how many epochs a task is trained for, at most."""
        return self.epochs or (6 if in_a_cycle else 20)

    def ratings_per_step(self, ratings: int, on_timelines: bool) -> int:
        """Return how many ratings a step takes, of so many in train."""
        if self.batch_size is not None or not on_timelines:
            return self.batch_size or 1024
        return max(64, min(round(3.2 * ratings**0.5), 4096))

    def rating_step(self, ratings: int) -> tuple[int, float]:
        """Return how many of so many ratings a step of the rating task alone takes, and its size.

        Adam's step size goes with the root of the batch (Malladi et al. 2022, "On the SDEs and
        scaling rules for adaptive gradient algorithms").
        """
        if self.batch_size is not None:
            return self.batch_size, self.rating_learning_rate
        batch = max(1024, min(ratings // 100, 8192))
        return batch, self.rating_learning_rate * (batch / 1024) ** 0.5


Value = bool | int | float | str


class Range(Section):
    """Numbers from `min` to `max`, both included; whole ones if both bounds are whole."""

    min: int | float
    """Lowest value."""
    max: int | float
    """Highest value."""
    log: bool = False
    """Draw evenly on a logarithmic scale."""

    @model_validator(mode="after")
    def _order(self) -> Range:
        if self.min >= self.max:
            raise ValueError(f"tuner.space: min = {self.min} must be below max = {self.max}")
        if self.log and self.min <= 0:
            raise ValueError(f"tuner.space: min = {self.min} must be above 0 where log = true")
        return self

    @property
    def whole(self) -> bool:
        """True if only whole numbers are meant."""
        return isinstance(self.min, int) and isinstance(self.max, int)


Values = Annotated[tuple[Value, ...], Field(min_length=1)] | Range
"""A list of values, or `{ min = 1e-4, max = 1e-1, log = true }`."""


class Space(Section):
    """Keys of the sections `model` and `train`, each with the values to try."""

    model: dict[str, Values] = Field(
        default={
            "embedding_size": (64, 128, 256),
            "query_dropout": Range(min=0.0, max=0.8),
            "history_length": (10, 20, 50),
            "sampled_movies": (256, 512, 1024),
            "mix_objective": ("unseen", "liked"),
            "rating_l2": Range(min=0.003, max=0.3, log=True),
        }
    )
    """Keys of `model`, each a list of values or a range."""
    train: dict[str, Values] = Field(
        default={
            "learning_rate": Range(min=0.0005, max=0.02, log=True),
            "rating_learning_rate": Range(min=0.0003, max=0.01, log=True),
            "rating_decay": Range(min=0.5, max=1.0),
        }
    )
    """Keys of `train`, each a list of values or a range."""


class TunerConfig(Section):
    """The search for better hyperparameters, on the validation split alone."""

    trials: Annotated[int, Field(ge=0)] = 0
    """Models to train before the final one, at most; 0 leaves the Tuner out of the graph."""
    algorithm: Literal["random", "bayesian", "hyperband"] = "random"
    """Choice of the next trial; `hyperband` decides on the epochs itself."""
    objective: Literal[
        "joint", "lists", "liked_ndcg_10", "top_10", "top_100", "ndcg_10", "mrr", "rmse"
    ] = "joint"
    """Goal on validation, as served, over the whole catalogue with seen movies masked, with nightly
    and, where the split is by time, live histories: one metric, or `lists`, the geometric mean of
    liked NDCG@10 and top-100 accuracy, or `joint`, that less RMSE in standard deviations of the
    ratings, of the tasks that are switched on."""
    seed: Annotated[int, Field(ge=1)] = 42
    """Seed of the choice of trials; all of them train with `train.seed`."""
    space: Space = Space()
    """Values to try, as `space.model.embedding_size = [32, 64]` or `space.train.learning_rate =
    { min = 0.001, max = 0.1, log = true }`; a section that is given replaces the default one."""
