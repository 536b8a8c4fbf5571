"""Write the package of the pipeline for Kubeflow Pipelines 2: `python kubeflow/runner.py --help`.

The same as `reelflow kubeflow compile`, for tools that start an engine's runner as a script. This
folder is no importable package: the name `kubeflow` belongs to Kubeflow's own SDK.
"""

from __future__ import annotations

import sys

from pipeline.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["kubeflow", "compile"]
    main()
