"""Who may read the pages: the password, sessions, and how often it may be tried."""
