"""Loss functions of the retrieval task, each the mean over a batch in nats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import tensorflow as tf

MASKED = -1e9
"""Score of a movie that is left out of a softmax."""
BLOCK: Final = 1 << 22
"""Scores of a block of rows, 16 MB: they stay in the processor's cache while a step goes through
them several times."""


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
    return softmax(queries, positives, candidates, seen, targets, None, weights, products, learns)


def softmax(
    queries: tf.Tensor,
    positives: tf.Tensor,
    negatives: tf.Tensor,
    excluded: tf.Tensor | None,
    columns: tf.Tensor | None = None,
    surplus: tf.Tensor | None = None,
    weights: tf.Tensor | None = None,
    products: tf.DType = tf.float32,
    learns: bool = True,
) -> tf.Tensor:
    """Return the cross-entropy of softmaxes over a target and negatives that all rows share.

    Args:
        queries: float32 [batch, size].
        positives: the targets' embeddings, float32 [batch, size].
        negatives: float32 [n, size].
        excluded: negatives to leave out, int32 [m, 2] of (row, column), or bool [batch, n]; None:
            all count, and in training the scores of some rows of a large batch at a time are in
            memory.
        columns: the target's column among the negatives, left out as well, int32 [batch]; None: it
            has none, or `excluded` has it.
        surplus: by how much the score of that column exceeds the target's own, float32 [batch], at
            least 0; None: by nothing.
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
    shares = weights / tf.reduce_sum(weights)
    target_scores = tf.reduce_sum(queries * positives, axis=1)
    if surplus is None:
        surplus = tf.zeros_like(target_scores)

    def product(left: tf.Tensor, right: tf.Tensor, **transposed: bool) -> tf.Tensor:
        found = tf.matmul(tf.cast(left, products), tf.cast(right, products), **transposed)
        return tf.cast(found, tf.float32)

    def masked(scores: tf.Tensor) -> tf.Tensor:
        if excluded is None:
            return scores
        if excluded.dtype == tf.bool:
            return tf.where(excluded, MASKED, scores)
        masks = tf.fill(tf.shape(excluded)[:1], MASKED)
        return tf.tensor_scatter_nd_update(scores, excluded, masks)

    def of_rows(first: tf.Tensor, last: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The loss of some rows, and its gradients by negatives, queries and target scores."""
        own, of_own = queries[first:last], target_scores[first:last]
        scores = product(own, negatives, transpose_b=True)
        if columns is not None:
            # The same number on both sides of the differences below, however large it is.
            at = columns[first:last]
            cells = tf.stack([tf.range(tf.size(at)), at], axis=1)
            of_own = tf.gather_nd(scores, cells) - surplus[first:last]
        scores = masked(scores)
        highest = tf.maximum(tf.reduce_max(scores, axis=1), of_own)
        powers = tf.exp(scores - highest[:, None])
        of_targets = tf.exp(of_own - highest)
        sums = tf.reduce_sum(powers, axis=1)
        if columns is not None:
            # Taken off again: TensorFlow would copy the matrix to change some cells beforehand.
            twice = tf.gather_nd(powers, cells)
            sums -= twice
        sums += of_targets
        loss = tf.reduce_sum(shares[first:last] * (tf.math.log(sums) + highest - of_own))
        if not learns:
            return (loss,)
        scale = (shares[first:last] / sums)[:, None]
        scaled = own * scale
        # Eigen takes twice as long to go through the large matrix by columns.
        of_negatives = tf.transpose(product(scaled, powers, transpose_a=True))
        of_queries = product(powers, negatives)
        if columns is not None:
            taken_off = scaled * twice[:, None]
            of_negatives -= tf.math.unsorted_segment_sum(taken_off, at, tf.shape(negatives)[0])
            of_queries -= tf.gather(negatives, at) * twice[:, None]
        return loss, of_negatives, of_queries * scale, scale * (of_targets - sums)[:, None]

    batch = tf.shape(queries)[0]
    if excluded is not None or not learns:
        loss, *gradients = of_rows(0, batch)
    else:
        size = tf.maximum(BLOCK // tf.shape(negatives)[0], 1)
        sums, widths = [0.0, tf.zeros_like(negatives)], [queries.shape[1], 1]
        loss, *gradients = _by_blocks(of_rows, batch, size, sums, widths)
    if not learns:
        return loss
    of_negatives, of_queries, of_scores = gradients
    by_input = of_queries + of_scores * positives, of_scores * queries, of_negatives
    return loss + tf.add_n([_nothing(*pair) for pair in zip(inputs, by_input, strict=True)])


def _by_blocks(
    of_rows: Callable[[tf.Tensor, tf.Tensor], Sequence[tf.Tensor]],
    rows: tf.Tensor,
    size: tf.Tensor,
    sums: Sequence[tf.Tensor],
    widths: Sequence[int],
) -> list[tf.Tensor]:
    """Put together what a function says of some rows after the other.

    Args:
        of_rows: of a first row and the one after the last.
        rows: number of all rows, a scalar.
        size: rows of a block, a scalar.
        sums: zeros of what is summed, which it says first.
        widths: of what has a line for each row, float32 [rows, width], which it says after that.
    """
    blocks = (rows + size - 1) // size
    lines = [
        tf.TensorArray(tf.float32, blocks, element_shape=[None, width], infer_shape=False)
        for width in widths
    ]

    def block(at: tf.Tensor, *before: Any) -> list[Any]:
        found = of_rows(at * size, tf.minimum((at + 1) * size, rows))
        both = list(zip(before, found, strict=True))
        summed = [one + more for one, more in both[: len(sums)]]
        written = [array.write(at, values) for array, values in both[len(sums) :]]
        return [at + 1, *summed, *written]

    _, *found = tf.while_loop(
        lambda at, *_: at < blocks, block, [0, *sums, *lines], parallel_iterations=1
    )
    return [*found[: len(sums)], *(array.concat() for array in found[len(sums) :])]


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
    has one, with log(n) added for the rows that it is a negative of. The task's step takes 3 to 4
    times as long in batches of 1,024, 11 to 22 times in batches of 8,192 (`python -m
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
    surplus = tf.gather(repeats, columns)
    return softmax(queries, positives, negatives, None, columns, surplus, products=products)
