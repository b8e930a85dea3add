"""`make test-alert`: a test message through each channel that is set, by an Alertmanager of its own."""
