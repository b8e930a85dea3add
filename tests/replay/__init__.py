"""Replays described scenarios through the real rules: what fires when, and whether that is what it should be."""
