"""The library, from ratings to a judged, exported and served model; without TFX or pipeline."""
