"""The pipeline: graph, runs, schedule, Kubeflow, and the command line."""
