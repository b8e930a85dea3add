"""The one exception of this package: a sentence for the person at the terminal."""


class StackError(Exception):
    """Something that stops the command; its text says what is wrong, where, and what to do next."""
