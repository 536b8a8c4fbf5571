"""Loss functions of the retrieval task, each the mean over a batch in nats."""

from __future__ import annotations

import tensorflow as tf

MASKED = -1e9
"""Score of a movie that is left out of a softmax."""


def full_softmax(
    queries: tf.Tensor,
    candidates: tf.Tensor,
    targets: tf.Tensor,
    seen: tf.Tensor,
    weights: tf.Tensor | None = None,
    products: tf.DType = tf.float32,
    learns: bool = True,
) -> tf.Tensor:
    """Return the cross-entropy of a softmax over the whole catalogue.

    Exact, without a sampling bias to correct. It costs batch x catalogue x embedding size
    operations, which suits up to some 60,000 movies.

    Args:
        queries: float32 [batch, size].
        candidates: float32 [movies, size].
        targets: `movie_index`, int32 [batch].
        seen: movies to leave out of the softmax, int32 [n, 2] of (row, movie), n may be 0, or bool
            [batch, movies], which is faster for many; the target itself always stays.
        weights: of the rows in the mean, float32 [batch]; None: all alike.
        products: as for `softmax`.
        learns: as for `softmax`.
    """
    positives = tf.gather(candidates, targets)
    return softmax(queries, positives, candidates, seen, targets, weights, products, learns)


def softmax(
    queries: tf.Tensor,
    positives: tf.Tensor,
    negatives: tf.Tensor,
    excluded: tf.Tensor,
    columns: tf.Tensor | None = None,
    weights: tf.Tensor | None = None,
    products: tf.DType = tf.float32,
    learns: bool = True,
) -> tf.Tensor:
    """Return the cross-entropy of softmaxes over a target and negatives that all rows share.

    Args:
        queries: float32 [batch, size].
        positives: the targets' embeddings, float32 [batch, size].
        negatives: float32 [n, size].
        excluded: negatives to leave out, int32 [m, 2] of (row, column), or bool [batch, n].
        columns: the target's column among the negatives, left out as well, int32 [batch]; None: it
            has none, or `excluded` has it.
        weights: of the rows in the mean, float32 [batch]; None: all alike.
        products: type that queries and negatives are multiplied in; all else is in float32.
        learns: False leaves the gradient out, which takes twice as long as the loss.
    """
    inputs = queries, positives, negatives
    # The gradient is written out, because TensorFlow's own copies the [batch, n] matrix for each of
    # its steps. Not by `tf.custom_gradient`: it keeps each graph that it was traced in, with all
    # tables of the model, until the process ends.
    queries, positives, negatives = map(tf.stop_gradient, inputs)
    weights = tf.ones_like(queries[:, 0]) if weights is None else weights

    def product(left: tf.Tensor, right: tf.Tensor, **transposed: bool) -> tf.Tensor:
        found = tf.matmul(tf.cast(left, products), tf.cast(right, products), **transposed)
        return tf.cast(found, tf.float32)

    target_scores = tf.reduce_sum(queries * positives, axis=1)
    scores = product(queries, negatives, transpose_b=True)
    if columns is None:
        cells = tf.zeros([0, 2], tf.int32)
    else:
        cells = tf.stack([tf.range(tf.size(columns)), columns], axis=1)
    if excluded.dtype == tf.bool:
        scores = tf.where(excluded, MASKED, scores)
    else:
        cells = tf.concat([excluded, cells], axis=0)
    scores = tf.tensor_scatter_nd_update(scores, cells, tf.fill(tf.shape(cells)[:1], MASKED))
    highest = tf.maximum(tf.reduce_max(scores, axis=1), target_scores)
    powers = tf.exp(scores - highest[:, None])
    of_targets = tf.exp(target_scores - highest)
    sums = tf.reduce_sum(powers, axis=1) + of_targets
    shares = weights / tf.reduce_sum(weights)
    loss = tf.reduce_sum(shares * (tf.math.log(sums) + highest - target_scores))
    if not learns:
        return loss
    scale = (shares / sums)[:, None]
    of_target = scale * (of_targets - sums)[:, None]
    gradients = (
        product(powers, negatives) * scale + of_target * positives,
        of_target * queries,
        product(powers, queries * scale, transpose_a=True),
    )
    return loss + tf.add_n([_nothing(*pair) for pair in zip(inputs, gradients, strict=True)])


def _nothing(inputs: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
    """Return 0, with a gradient that is given: of the shape of the inputs."""
    differences = inputs - tf.stop_gradient(inputs)
    return tf.reduce_sum(tf.stop_gradient(gradient) * differences)


def bayesian_personalised_ranking(
    target_scores: tf.Tensor, scores: tf.Tensor, weights: tf.Tensor
) -> tf.Tensor:
    """Return the negative log-likelihood that each target is ranked above its negatives.

    BPR (Rendle et al. 2009, "BPR: Bayesian personalized ranking from implicit feedback", eq. 7).

    Args:
        target_scores: float32 [batch].
        scores: of the negatives, float32 [batch, negatives].
        weights: of the negatives, float32 [batch, negatives]; zeros leave a negative out.
    """
    losses = tf.math.softplus(scores - target_scores[:, None])
    return tf.math.divide_no_nan(tf.reduce_sum(weights * losses), tf.reduce_sum(weights))


def draw_negatives(probabilities: tf.Tensor, rows: tf.Tensor, count: int) -> tf.Tensor:
    """Draw movies with replacement.

    Args:
        probabilities: of each movie, float32 [movies].
        rows: number of rows, a scalar.
        count: number of movies for each row.

    Returns:
        `movie_index`, int32 [rows, count].
    """
    logits = tf.math.log(probabilities)[None]
    drawn = tf.random.categorical(logits, rows * count, dtype=tf.int32)
    return tf.reshape(drawn, [-1, count])


def draw_once(ends: tf.Tensor, count: int) -> tf.Tensor:
    """Draw movies, each at most once, with given odds (systematic sampling, Madow 1949).

    Args:
        ends: sums of the odds up to each movie, float64 [movies]; odds are at most 1, and sum to
            `count`.
        count: number of movies.

    Returns:
        Distinct `movie_index`, int32 [count], ascending.
    """
    marks = tf.random.uniform([], dtype=tf.float64) + tf.range(count, dtype=tf.float64)
    marks *= ends[-1] / count  # but for rounding 1
    return tf.searchsorted(ends, marks, side="right")


def in_batch_softmax(
    queries: tf.Tensor,
    candidates: tf.Tensor,
    targets: tf.Tensor,
    probabilities: tf.Tensor | None,
    products: tf.DType = tf.float32,
) -> tf.Tensor:
    """Return the cross-entropy of a softmax over the movies of the batch.

    With logQ correction (Yi et al. 2019, "Sampling-bias-corrected neural modeling for large corpus
    item recommendations") and accidental hits removed. Value and gradients are those of TFRS's task
    (`tfrs.tasks.Retrieval`), in which a movie that is in the batch n times has n columns: here it
    has one, with log(n) added for the rows that it is a negative of. The task's step takes 3 to 11
    times as long in batches of 1,024, 7 to 21 times in batches of 8,192 (`python -m
    benchmarks.losses`, two cores).

    Args:
        queries: float32 [batch, size].
        candidates: embeddings of the batch's own targets, float32 [batch, size].
        targets: `movie_index`, int32 [batch].
        probabilities: share of each movie among the train ratings, float32 [movies], to correct
            for; None means no correction.
        products: as for `softmax`.
    """
    movies, columns, counts = tf.unique_with_counts(targets)
    rows = tf.range(tf.size(targets))
    first = tf.math.unsorted_segment_min(rows, columns, tf.size(movies))
    repeats = tf.math.log(tf.cast(counts, tf.float32))
    offsets = repeats
    if probabilities is not None:
        offsets -= tf.math.log(tf.gather(probabilities, movies))
    queries = tf.concat([queries, tf.ones_like(queries[:, :1])], axis=1)
    negatives = tf.concat([tf.gather(candidates, first), offsets[:, None]], axis=1)
    positives = tf.gather(offsets - repeats, columns)[:, None]
    positives = tf.concat([candidates, positives], axis=1)
    nothing = tf.zeros([0, 2], tf.int32)
    return softmax(queries, positives, negatives, nothing, columns, products=products)
