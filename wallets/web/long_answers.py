"""Answers that are too long to be kept in memory."""

from collections.abc import Iterable, Iterator
from typing import Final

from django.http import StreamingHttpResponse


class _Pieces:
    """An iterable without `close`, because the answer is closed before its pieces are read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces


class LongAnswer(StreamingHttpResponse):
    """An answer whose pieces are made one by one, while the caller takes it.

    Its pieces may be read in another thread, after `close`, so each piece makes its own statements and ends them.
    """

    def __init__(self, pieces: Iterable[bytes], *, content_type: str) -> None:
        super().__init__(_Pieces(iter(pieces)), content_type=content_type)


NAME: Final = "Content-Disposition"


def name_file(response: StreamingHttpResponse, *, name: str) -> None:
    """Let browsers save an answer under this name: letters, digits, dots and dashes."""
    response[NAME] = f'attachment; filename="{name}"'
