"""The dashboards: Python that writes the JSON which Grafana is provisioned with. `python -m grafana.generate`."""
