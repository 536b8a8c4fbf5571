"""The pipeline: graph, runs, schedule, Kubeflow, and the command line.

The ids of nodes that runs, reports and Kubeflow refer to are here; nothing is imported.
"""

from typing import Final

EXAMPLE_GEN: Final = "RatingsExampleGen"
ENCODER: Final = "RatingsEncoder"
TUNER: Final = "Tuner"
TRAINER: Final = "Trainer"
PUSHER: Final = "Pusher"
REGISTRY_RESOLVER: Final = "RegistryResolver"
REGISTRY_PUSHER: Final = "RegistryPusher"

SUMMARY: Final = "Summary"
"""Kubeflow's task after all nodes; it is no node of the graph."""

LOOKUPS: Final = frozenset({REGISTRY_RESOLVER, "BeginningResolver", "ChampionResolver"})
"""Nodes that only look something up: a run of theirs is no sign of work to do."""
