# SPDX-License-Identifier: Apache-2.0
"""Write lines of text to a file so that none is ever cut in two."""

from io import FileIO


class WholeLines:
    """Text that is handed to the system a line at a time; a line that the disk does not take leaves no piece behind."""

    def __init__(self, file: FileIO) -> None:
        self._file, self._length = file, 0

    def write(self, line: str) -> int:
        """Write a line, which ends in a line break.

        Raises:
            OSError: the disk does not take it.
        """
        data = line.encode()
        try:
            done = 0
            while done < len(data):
                done += self._file.write(data[done:])
        except OSError:
            self._file.truncate(self._length)
            self._file.seek(self._length)
            raise
        self._length += len(data)
        return len(line)
