"""The exporter: reads trading bots and serves their state as Prometheus metrics."""

__version__ = "0.1.0"
