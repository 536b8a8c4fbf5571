"""What runs: the graph, the runs, the schedule, Kubeflow, and the command line."""
