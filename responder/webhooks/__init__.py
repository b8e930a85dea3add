"""Webhooks by kind: alerts, reports and trades, each told as a signed event."""
