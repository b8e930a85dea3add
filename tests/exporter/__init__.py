"""Tests of the exporter, one file a module."""
