"""The preprocessing graph, and ratings encoded to integers by it."""
