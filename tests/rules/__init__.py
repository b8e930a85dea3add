"""Tests of prometheus/: the configuration and the rules."""
