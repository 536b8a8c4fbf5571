"""The model registry and the serving folder: reading, registering, pushing."""
