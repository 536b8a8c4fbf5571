"""What all tests share; runs before any test module is imported."""

from __future__ import annotations

from pipeline.environment import prepare

prepare()  # Keras 2, quiet: TensorFlow reads it when it is imported
