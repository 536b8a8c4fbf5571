"""The library: from ratings to a judged, exported and served model. It knows neither TFX nor the pipeline."""
