"""temporary"""


class PushSource:
    def __init__(self, *a): ...
