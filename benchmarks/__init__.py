"""Speed, measured: one command a table, always against something else on the same data."""
