"""The inbox: receives Alertmanager's messages, keeps them, and shows them and the runbooks as pages."""
