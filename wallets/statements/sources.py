"""A file that is read piece by piece: it counts, hashes and checks what it reads."""

import codecs
import hashlib
import io
from collections.abc import Callable
from typing import BinaryIO, Final

from wallets.exceptions import StatementRefused

MOST_BETWEEN_MARKS: Final = 4 * 2**20
"""The longest entry of a statement, in bytes. Longer ones would be held in memory."""
LARGEST_FILE: Final = 100 * 2**20
"""The largest statement, in bytes: about a hundred thousand entries of camt.053."""
_TOO_LARGE: Final = f"The file is larger than {LARGEST_FILE:,} bytes. Ask the bank for statements of shorter times."


class StatementSource(io.RawIOBase):
    """Reads a binary file from its beginning. Raises StatementRefused if it is not UTF-8 or an entry never ends.

    A file that is too large is refused before it is read; one that grows meanwhile, once it has become too large.
    """

    def __init__(self, file: BinaryIO, *, tell: Callable[[int], object]) -> None:
        if file.seek(0, io.SEEK_END) > LARGEST_FILE:
            raise StatementRefused(_TOO_LARGE)
        file.seek(0)
        self._file = file
        self._tell = tell
        self._hash = hashlib.sha256()
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._since_mark = 0
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # the buffers that io gives
        piece = self._file.read(len(buffer))
        self._check(piece)
        buffer[: len(piece)] = piece
        self._hash.update(piece)
        self._tell(len(piece))
        return len(piece)

    def mark(self) -> None:
        """Note that an entry has been read."""
        self._since_mark = 0

    def sha256(self) -> str:
        """Return the hash of what was read, of the whole file once it was read to its end."""
        return self._hash.hexdigest()

    def _check(self, piece: bytes) -> None:
        try:
            self._decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            raise StatementRefused("The file is not in UTF-8.") from error
        self._size += len(piece)
        if self._size > LARGEST_FILE:
            raise StatementRefused(_TOO_LARGE)
        self._since_mark += len(piece)
        if self._since_mark > MOST_BETWEEN_MARKS:
            raise StatementRefused(f"An entry of the file is longer than {MOST_BETWEEN_MARKS:,} bytes.")
