"""Sentences on the decisions of ingestion: the split, and the meaning of the ratings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

from reelflow.base.nouns import MOVIE, Noun
from reelflow.config import Feedback, Repeated, SplitKind
from reelflow.data.ingest.results import IdHint, IngestSummary, RatingScale, SplitChoice

_KINDS = {
    SplitKind.TEMPORAL: "one moment divides all ratings",
    SplitKind.LAST: "the newest ratings of each user are held out",
    SplitKind.RANDOM: "ratings are held out by chance",
    SplitKind.LEAVE_LAST: "the last ratings of each user are held out",
    SplitKind.PREDEFINED: "the files say which ratings are held out",
}


def split_sentence(choice: SplitChoice) -> str:
    """Return the split that was made, and why."""
    made = f"{choice.kind.value}: {_KINDS[choice.kind]}"
    if choice.asked is not SplitKind.AUTO:
        return f"{made}, as split.kind says."
    known = (
        ""
        if choice.known_share is None or choice.required_share is None
        else f"{choice.known_share:.0%} of the test ratings of a cut in time are of users that "
        f"training knows, and split.known_share asks for {choice.required_share:.0%}"
    )
    why = {
        "known_users": known,
        "new_users": known,
        "no_test": "no moment leaves ratings on both sides",
        "no_times": "the ratings have no times",
        "one_time": "all ratings have the same time",
        "few_ratings": "no user has the three ratings that the split last needs",
        "asked": "",
    }[choice.reason]
    return f"{made}, chosen by split.kind = auto: {why}."


_REPEATED = {
    Repeated.LAST: "only the last one counts",
    Repeated.FIRST: "only the first one counts",
    Repeated.MEAN: "their mean counts",
    Repeated.ALL: "all count that lie in the split of the first",
}
_FILTERS = {
    "since": "before data.since",
    "min_user_ratings": "of users with fewer than data.min_user_ratings",
    "min_movie_ratings": "of {many} with fewer than data.min_movie_ratings",
}


def scale_sentences(
    scale: RatingScale,
    repeated: int = 0,
    unrated: int = 0,
    noun: Noun = MOVIE,
    repeated_by: Repeated | None = None,
) -> list[str]:
    """Return what the ratings were taken for, and the range found in them.

    Args:
        scale: what was decided.
        repeated: rows that gave way to another of the same user and movie.
        unrated: rows left out by `data.unrated`.
        noun: the word for an item.
        repeated_by: `data.repeated`.
    """
    found = f"from {scale.lowest:g} to {scale.highest:g}"
    if scale.feedback is Feedback.EVENTS:
        why = "data.feedback says so"
        if scale.asked is Feedback.AUTO:
            why = "there is no column of ratings" if scale.absent else "the ratings do not vary"
        sentences = [
            f"Every row is an event, since {why}: the model learns what users turn to, and "
            "predicts no stars."
        ]
    elif scale.feedback is Feedback.COUNTS:
        sentences = [
            f"Every row is a count, {found}: the model learns what users turn to, the more the "
            "higher the count, and predicts no stars."
        ]
    else:
        sentences = [f"Ratings go {found}."]
    if scale.foreign and scale.documented is not None:
        low, high = scale.documented
        sentences.append(
            f"The format's own scale, {low:g} to {high:g}, does not fit: more than a tenth of the "
            f"ratings lie outside. Nothing was cut; data.rating_min = {scale.lowest:g} and "
            f"data.rating_max = {scale.highest:g} make it certain."
        )
    sentences += _refused_sentences(scale)
    if scale.suspect is not None:
        sentences.append(
            f'{scale.suspect:g} may stand for "not rated"; data.unrated = {scale.suspect:g} leaves '
            "these rows out."
        )
    if repeated:
        sentences.append(_repeated_sentence(scale, repeated, noun, repeated_by))
    if unrated:
        sentences.append(f"{unrated:,} rows without a rating (data.unrated) were left out.")
    return sentences


def _refused_sentences(scale: RatingScale) -> list[str]:
    """Return what was refused at either end, and the setting by which it is right."""
    sentences = []
    ends = (
        (scale.above, "above", scale.accepted_max, "data.rating_max"),
        (scale.below, "below", scale.accepted_min, "data.rating_min"),
    )
    for refused, side, bound, option in ends:
        if refused is None:
            continue
        one = refused.lowest == refused.highest
        values = f"{refused.lowest:g}" if one else f"{refused.lowest:g} to {refused.highest:g}"
        edge = "the scale" if bound is None else f"{bound:g}"
        right = refused.highest if side == "above" else refused.lowest
        words = f"{refused.rows:,} ratings {side} {edge} were refused ({values})"
        hint = f"If they are right, set {option} = {right:g}"
        if side == "below" and one:
            hint += f'; if {right:g} stands for "not rated", set data.unrated = {right:g}'
        sentences.append(f"{words}. {hint}.")
    return sentences


def _repeated_sentence(scale: RatingScale, rows: int, noun: Noun, by: Repeated | None) -> str:
    """Return what became of rows of the same user and movie."""
    if by is None and not scale.says_likes:
        return f"{rows:,} repeated rows of the same user and {noun.one} were added to the first."
    rule = _REPEATED[by or Repeated.LAST]
    return f"{rows:,} rows are of a user and {noun.one} that have another: {rule} (data.repeated)."


def filter_sentences(filtered: Mapping[str, int], noun: Noun = MOVIE) -> list[str]:
    """Return what was left out by filters; `filtered` has rows by option."""
    return [
        f"{rows:,} ratings {_FILTERS[name].format(many=noun.many)} were left out."
        for name, rows in filtered.items()
    ]


def data_sentences(summary: IngestSummary, noun: Noun = MOVIE) -> list[str]:
    """Return all that ingestion decided by itself."""
    sentences = scale_sentences(
        summary.ratings, summary.repeated, summary.unrated, noun, summary.repeated_by
    )
    sentences += filter_sentences(summary.filtered, noun)
    sentences += [
        f"{shared.rows:,} rows are in {shared.files[0]} and in {shared.files[1]}; they count once."
        for shared in summary.shared
    ]
    if summary.years_dropped:
        sentences.append(
            f"The years of {summary.years_dropped:,} {noun.many} are no years, and were left out."
        )
    if summary.ids is not None:
        sentences.append(id_sentence(summary.ids))
    return [*sentences, f"Split {split_sentence(summary.split)}"]


def day(timestamp: int) -> str:
    """Return the UTC day of a time in seconds, as 2026-11-27; of times that have none, the time."""
    try:
        return datetime.fromtimestamp(timestamp, timezone.utc).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return f"{timestamp:,}"


def id_sentence(hint: IdHint) -> str:
    """Return why ratings have no movie, and the setting by which they have."""
    rating, movie = hint.example
    if hint.kind is None:
        return (
            f"{hint.known:.0%} of the ratings are of movies that the movies' file has; its ids are "
            f"written like {movie}, and {rating} is not there."
        )
    setting = 'data.ids = "number"'
    if hint.kind == "column":
        setting = f'data.movies_columns.movie_id = "{hint.column}"'
        return (
            f"The column {hint.column} of the movies' file has the movies of {hint.best:.0%} of "
            f"the ratings, as {rating}, and not of {hint.known:.0%}: set {setting}."
        )
    return (
        f"{rating} is not in the movies' file, but {movie} is: set {setting}, and {hint.best:.0%} "
        f"of the ratings have a movie, not {hint.known:.0%}."
    )
