"""The stack without containers: the same processes, files and ports under supervisord."""
