"""temporary"""


class Host:
    def __init__(self, root, disks): ...
    def read(self):
        return None
