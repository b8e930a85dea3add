"""temporary"""

FAMILIES = ()


def collect(families, state): ...
