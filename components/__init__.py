"""The TFX nodes, one file each: artifacts in, artifacts out."""
