"""Exact metrics, baselines and champion on the same rows, and the gate."""
