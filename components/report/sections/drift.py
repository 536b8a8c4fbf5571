"""Whether the newest span is like the one before it, and like what the model learned from."""

from __future__ import annotations

from components.report.blocks import Block, Bullets, Section, Table, Text
from components.report.inputs import Json

_KINDS = {"drift": "the span before", "skew": "the train split"}


def section(drift: Json) -> Section:
    """Every comparison, and in words those that are above their threshold.

    Args:
        drift: `drift.json`; not empty.
    """
    blocks: list[Block] = []
    if drift["previous"] is None:
        blocks.append(Text(f"Span {drift['newest']} is the first one: there is none to compare."))
    elif drift["warnings"]:
        blocks.append(Bullets(drift["warnings"], "bad"))
    else:
        blocks.append(Text("No column has changed by more than its threshold.", "good"))
    rows = [
        (
            change["column"],
            _KINDS[change["kind"]],
            change["measure"],
            f"{change['value']:.3f}",
            f"{change['threshold']:g}",
            "above" if change["exceeded"] else "below",
        )
        for change in drift["changes"]
    ]
    if rows:
        header = ("Column", "Against", "Measure", "Change", "Threshold", "Verdict")
        counts = ", ".join(f"{name}: {count:,}" for name, count in drift["rows"].items())
        blocks.append(Table(f"Comparisons; rows looked at: {counts}", header, rows))
    newest, previous = drift["newest"], drift["previous"] or "–"
    lead = (
        f"Span {newest} against span {previous}, and against what the model learned from. 0 is no "
        "change, 1 the largest there can be. L-infinity is the largest change of one value's "
        "share, Jensen-Shannon that of the whole distribution."
    )
    return Section("drift", "Drift", lead, blocks)
