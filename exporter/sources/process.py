"""temporary"""

from __future__ import annotations


class ProcessSource:
    def __init__(self, a): ...


def address(t: str):
    return (t, 1)
