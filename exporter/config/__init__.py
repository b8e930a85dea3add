"""monitoring.yml: its keys, their ranges and defaults, and all faults of a file at once."""
