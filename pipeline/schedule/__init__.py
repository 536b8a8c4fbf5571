"""Training again on a schedule, on one machine: what the clock calls, and what it remembers."""
