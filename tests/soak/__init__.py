"""Two hundred scheduled turns with faults: `make soak`."""
