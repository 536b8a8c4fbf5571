"""Training again on a schedule, on one machine: timer, turns and their results."""
