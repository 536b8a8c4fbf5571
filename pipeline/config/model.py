"""The two-tower retrieval model and the rating model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.section import Section

Layers = tuple[Annotated[int, Field(ge=1, le=4096)], ...]


class ModelConfig(Section):
    """The two-tower retrieval model and the rating model."""

    embedding_size: Annotated[int, Field(ge=1, le=1024)] = 64
    """Size of the embeddings of users, films and features that the towers add up."""
    query: Literal["user_id", "history", "both"] = "both"
    """What the query tower knows a user by: an embedding of its own, its last films, or both."""
    history_length: Annotated[int, Field(ge=1, le=1000)] = 20
    """Last films that the history tower looks at, with learned position weights."""
    genres: bool = True
    """Give the candidate tower the films' genres."""
    year: bool = True
    """Give the candidate tower the release year."""
    movie_features: bool = True
    """Give the candidate tower the films' columns that data.movie_features declares."""
    user_features: bool = False
    """Give the query tower the users' attributes: age bucket, gender, occupation and zip region;
    needs the opt-in data.use_users."""
    movie_bias: bool = True
    """Give each film a bias of its own: how much it is watched, whoever asks."""
    query_layers: Layers = ()
    """Units of the dense layers on top of the query tower's sum; the last one's output is the
    query, so it must be as large as the candidate tower's. None: the sum is the query."""
    candidate_layers: Layers = ()
    """Units of the dense layers on top of the candidate tower's sum, as `query_layers`."""
    layer_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of every dense layer's input dropped in training."""
    tower_l2: Annotated[float, Field(ge=0)] = 0.0
    """L2 on what both towers give (squared norms, mean over the batch) and on dense layers."""
    loss: Literal["full_softmax", "in_batch_softmax", "bpr"] = "full_softmax"
    """Retrieval loss: over the whole catalogue, over the films of the batch, or pairwise against
    sampled films (BPR)."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """What scores are divided by in the retrieval loss; below 1 sharpens it."""
    negatives: Literal["uniform", "popularity"] = "uniform"
    """Where `bpr` draws its negatives from: all films alike, or as often as they are rated."""
    negative_count: Annotated[int, Field(ge=1, le=1000)] = 1
    """Negatives of `bpr` for each rating."""
    logq: bool = True
    """Correct the in-batch softmax for how often a film is in a batch."""
    popularity_half_life: Annotated[float, Field(ge=0)] = 365.0
    """Age in days at which a rating counts half for what users without any history get; 0: all
    ratings count alike."""
    mask_seen: bool = True
    """Leave the user's other films out of the full softmax and of BPR, as serving does."""
    query_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of the query embedding dropped in training."""
    retrieval_reduction: Literal["mean", "sum"] = "mean"
    """Retrieval loss of a batch: the mean of its ratings' losses, or their sum, as TFRS's own task
    has it; weighs against the rating loss, and matters to `adagrad`."""
    retrieval_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the retrieval task in the joint loss; 0 switches it off."""
    rating_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the rating task in the joint loss; 0 switches it off."""
    rating_head: Literal["svdpp", "mlp", "dcn", "like"] = "svdpp"
    """Rating model: matrix factorisation with implicit feedback, a multi-layer perceptron, a deep &
    cross network, or a classifier of likes."""
    rating_output: Literal["mean", "ordinal"] = "mean"
    """Stars as a mean (squared error), or as ordered levels (their likelihood); not for `like`."""
    like_threshold: float = 3.5
    """Stars from which on a film counts as liked."""
    rating_embedding_size: Annotated[int, Field(ge=1, le=1024)] = 64
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
    """Ratings that stand for a user's or a film's implicit feedback in the rating model, at most,
    drawn once; 0 switches implicit feedback off."""
    rating_l2: Annotated[float, Field(ge=0)] = 0.03
    """L2 on the rating model's factors or embeddings."""
    rating_bias_l2: Annotated[float, Field(ge=0)] = 0.001
    """L2 on the rating model's biases."""
    rating_day_effects: bool = True
    """Let stars change with the user's day and the film's age, if there are timestamps."""
    rating_day_l2: Annotated[float, Field(ge=0)] = 0.01
    """L2 on the day effects."""

    @model_validator(mode="after")
    def _some_task(self) -> ModelConfig:
        if self.retrieval_weight == self.rating_weight == 0:
            raise ValueError("retrieval_weight and rating_weight must not both be 0")
        return self

    @model_validator(mode="after")
    def _one_space(self) -> ModelConfig:
        query, candidate = (
            layers[-1] if layers else self.embedding_size
            for layers in (self.query_layers, self.candidate_layers)
        )
        if query != candidate:
            raise ValueError(
                f"queries have {query} dimensions and candidates {candidate}: query_layers and "
                "candidate_layers must end alike (none: embedding_size)"
            )
        return self

    @model_validator(mode="after")
    def _shared_embeddings(self) -> ModelConfig:
        if self.rating_share_embeddings:
            if self.rating_head != "mlp":
                raise ValueError("rating_share_embeddings is for rating_head = 'mlp'")
            if self.query != "user_id":
                raise ValueError("rating_share_embeddings needs query = 'user_id'")
        return self

    @property
    def rating_units(self) -> tuple[int, ...]:
        """Units of the rating model's dense layers."""
        usual = {"svdpp": (), "mlp": (256, 128), "dcn": (64,), "like": (10,)}
        return usual[self.rating_head] if self.rating_layers is None else self.rating_layers
