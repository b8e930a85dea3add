"""The demo bots' past month, for a first look: made once, beside the running stack, and never where a real bot is."""
