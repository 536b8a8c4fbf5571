"""The same graph on Kubeflow Pipelines: package, entry point of its tasks, submission."""
