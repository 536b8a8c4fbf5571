"""Source formats, one adapter each, and how a folder is recognised."""
