"""Artifact types that TFX does not have."""

from tfx.types.artifact import Artifact, Property, PropertyType


class Quarantine(Artifact):
    """What ExampleGen saw: `report.json` (counts by reason) and `quarantine.tsv` (the damaged rows)."""

    TYPE_NAME = "ReelflowQuarantine"
    PROPERTIES = {"rows": Property(type=PropertyType.INT)}


class DataBlessing(Artifact):
    """DataGate's word that the data may be learned from."""

    TYPE_NAME = "ReelflowDataBlessing"
