"""Tests of the dashboards and of what Grafana is provisioned with."""
