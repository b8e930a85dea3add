"""Acknowledging an incident, and the ends that Alertmanager doesn't tell."""
