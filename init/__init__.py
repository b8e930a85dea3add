"""Makes what must exist before the stack starts: passwords, tokens, Alertmanager's and Prometheus's files."""
