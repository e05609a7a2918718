"""NUL bytes in the header of an input: htslib takes one for the end, and the samples behind it are lost.

Nothing that htslib hands out shows it, so the raw bytes of the header are looked at: of a file or URL by
reading its beginning once more, of a stream on their way to htslib.
"""

from __future__ import annotations

import contextlib
import os
import threading
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pysam

_GZIP_MAGIC = b"\x1f\x8b"
_BCF_MAGIC = b"BCF\x02"
_VCF_MAGIC = b"##fileform"
#: Magic (5 bytes) and length of the text (4 bytes), in front of the header of a BCF.
_BCF_START = 9
_ENOUGH = len(_VCF_MAGIC)
#: How lines begin after which the header goes on; htslib skips blank lines.
_NOT_LAST = frozenset({b"##", b"", b"\r"})
_PIECE = 1 << 16
_BROKEN_OFF = b"\nbroken off\n"  # no record, and no gzip


class HeaderWatch:
    """Looks for NUL bytes in the header of an input that is fed piece by piece, compressed or not.

    Attributes
    ----------
    nul_line
        The 1-based line of the header with the first NUL, None while there is none.
    is_over
        The header has ended, or the input is none that has one: no more need be fed.
    """

    __slots__ = ("_begin", "_inflater", "_left", "_line", "_packed", "_text", "is_over", "nul_line")

    def __init__(self) -> None:
        self.nul_line: int | None = None
        self.is_over = False
        self._packed: bytes | None = b""  # what came before it was known whether it is compressed
        self._inflater: zlib._Decompress | None = None
        self._text: bytes | None = b""  # what came before it was known whether it is VCF or BCF
        self._left: int | None = None  # bytes of the header of a BCF that are still to come
        self._line = 1
        self._begin = b""  # the first two bytes of the current line

    def feed(self, piece: bytes) -> None:
        """Look at the next bytes of the input; nothing that may be wrong with them is an error here."""
        if self._packed is not None:
            self._packed = piece = self._packed + piece
            if len(piece) < len(_GZIP_MAGIC):
                return
            self._packed = None
            if piece.startswith(_GZIP_MAGIC):
                self._inflater = zlib.decompressobj(31)
        try:
            for text in self._unpacked(piece):
                if self.is_over:
                    return
                self._see(text)
        except zlib.error:  # htslib stops there, too
            self.is_over = True

    def _unpacked(self, piece: bytes) -> Iterator[bytes]:
        """Yield the bytes of a piece decompressed: gzip may have many members, and bgzip does."""
        if self._inflater is None:
            yield piece
            return
        while piece:
            yield self._inflater.decompress(piece)
            piece = self._inflater.unused_data
            if self._inflater.eof:
                self._inflater = zlib.decompressobj(31)

    def _see(self, text: bytes) -> None:
        if self._text is not None:
            self._text = text = self._text + text
            if len(text) < _ENOUGH:
                return
            self._text = None
            if text.startswith(_BCF_MAGIC):
                self._left = int.from_bytes(text[_BCF_START - 4 : _BCF_START], "little")
                text = text[_BCF_START:]
            elif not text.startswith(_VCF_MAGIC):
                self.is_over = True
                return
        if self._left is None:
            self._see_lines(text)
            return
        text = text[: self._left]
        self._left -= len(text)
        self._see_lines(text if self._left else text.rstrip(b"\0"))  # which ends the text of a BCF
        self.is_over = self.is_over or not self._left

    def _see_lines(self, text: bytes) -> None:
        """Look at lines up to the one of the samples, as htslib finds it: the first without "##"."""
        first, *others = text.split(b"\n")
        self._see_part(first)
        for part in others:
            if self._begin not in _NOT_LAST:
                self.is_over = True
                return
            self._line += 1
            self._begin = b""
            self._see_part(part)

    def _see_part(self, part: bytes) -> None:
        self._begin += part[: 2 - len(self._begin)]
        if self.nul_line is None and b"\0" in part:
            self.nul_line = self._line


def watch_file(path: str, watch: HeaderWatch) -> None:
    """Feed the beginning of a file.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with Path(path).open("rb", buffering=0) as handle:
        _feed(iter(lambda: handle.read(_PIECE), b""), watch)


def watch_url(address: str, watch: HeaderWatch) -> None:
    """Feed the beginning of what is behind a URL.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with pysam.HFile(address, "rb") as remote:
        _feed(iter(lambda: remote.read(_PIECE), b""), watch)


def _feed(pieces: Iterable[bytes], watch: HeaderWatch) -> None:
    for piece in pieces:
        watch.feed(piece)
        if watch.is_over:
            return


def watched(source: int, watch: HeaderWatch) -> int:
    """Return a descriptor from which the stream `source` can be read, each byte seen by `watch` before.

    The caller closes the descriptor; `source` is closed when it has ended, or nobody reads on.
    """
    reading, writing = os.pipe()
    threading.Thread(target=_pump, args=(source, writing, watch), daemon=True).start()
    return reading


def _pump(source: int, target: int, watch: HeaderWatch) -> None:
    try:
        with contextlib.suppress(BrokenPipeError):  # nobody reads on
            for piece in _pieces(source):
                if not watch.is_over:
                    watch.feed(piece)
                view = memoryview(piece)
                while view:
                    view = view[os.write(target, view) :]
    finally:
        os.close(target)
        os.close(source)


def _pieces(source: int) -> Iterator[bytes]:
    """Yield what comes from a stream; where reading fails, last what htslib cannot take for a good end."""
    try:
        while piece := os.read(source, _PIECE):
            yield piece
    except OSError:
        yield _BROKEN_OFF
