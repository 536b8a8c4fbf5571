"""Artifact types that TFX does not have."""

from typing import ClassVar

from tfx.types.artifact import Artifact, Property, PropertyType


class Quarantine(Artifact):
    """What ExampleGen saw: `report.json` (counts) and `quarantine.tsv` (the damaged rows)."""

    TYPE_NAME = "ReelflowQuarantine"
    PROPERTIES: ClassVar = {"rows": Property(type=PropertyType.INT)}


class Report(Artifact):
    """`report.html`, and the model card as `model_card.md` and `model_card.html`."""

    TYPE_NAME = "ReelflowReport"


class DataBlessing(Artifact):
    """DataGate's word that the data may be learned from."""

    TYPE_NAME = "ReelflowDataBlessing"


class Registration(Artifact):
    """`registration.json`: the model's version in the registry, and what it is there."""

    TYPE_NAME = "ReelflowRegistration"


class Drift(Artifact):
    """SpanDrift's `drift.json`: how far the newest span is from the one before it."""

    TYPE_NAME = "ReelflowDrift"
