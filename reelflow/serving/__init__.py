"""The HTTP server and its page; it needs TensorFlow and neither TFX nor Beam."""
