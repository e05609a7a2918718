"""The bytes of an input without compression, block by block: htslib is given nothing to unpack."""

from __future__ import annotations

import contextlib
import io
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any

try:  # two and a half times as fast
    from isal import isal_zlib as zlib
except ImportError:  # on machines that it is not built for
    import zlib  # type: ignore[no-redef]

from pgx.errors import FormatError
from pgx.vcf.open import COPY_AGAIN, Raw

BROKEN: tuple[type[Exception], ...] = (zlib.error,)  # type: ignore[assignment, unused-ignore]
GZIP_MAGIC = b"\x1f\x8b"
_BGZF_MAGIC = b"\x1f\x8b\x08\x04"
_BLOCK_MAX = 1 << 16  # bytes of a BGZF block, packed or not
_PIECE = 1 << 18  # of a size that stays in the cache of a processor while it is looked at
_ALONE = 16  # pieces that are made before a thread is worth its start
_HEAD = 1 << 12  # bytes of a block that show a line


def compression(raw: Raw) -> str:
    """Return "NONE", "GZIP" or "BGZF"."""
    start = raw.at(0, 18)
    if not start.startswith(GZIP_MAGIC):
        return "NONE"
    return "BGZF" if start.startswith(_BGZF_MAGIC) and start[12:14] == b"BC" else "GZIP"


def damaged(label: str, what: str = "is damaged or truncated") -> FormatError:
    """Return the error of an input whose bytes cannot be right."""
    return FormatError(what, where=label, cure=COPY_AGAIN)


def inflated(raw: Raw, packed: str) -> Iterator[bytes]:
    """Yield the bytes without compression, some 100 kB at once; what is damaged or cut is a `FormatError`."""
    if packed == "NONE":
        return raw.pieces()
    pieces = _bgzf_pieces(raw) if packed == "BGZF" else _gzip_pieces(raw)
    return pieces if raw.size is None else _ahead(pieces)  # a thread could wait for a stream for ever


def _ahead(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield pieces; of a large input a thread makes the next ones while one is looked at."""
    yield from islice(pieces, _ALONE)
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - most inputs are small

    with ThreadPoolExecutor(1) as pool:
        # Two: then the thread goes on with the second when it has handed over the first.
        coming = deque(pool.submit(next, pieces, None) for _ in range(2))
        while (piece := coming.popleft().result()) is not None:
            coming.append(pool.submit(next, pieces, None))
            yield piece


def _bgzf_pieces(raw: Raw) -> Iterator[bytes]:
    left, last = b"", -1
    for piece in raw.pieces():
        left = left + piece if left else piece
        start = place = held = 0
        while (block := block_size(left, place)) and place + block <= len(left):
            place += block
            last = int.from_bytes(left[place - 4 : place], "little")
            held += min(last, _BLOCK_MAX)
            if held >= _PIECE:
                yield _unpacked_all(left[start:place], held, raw.label)
                start, held = place, 0
        if text := _unpacked_all(left[start:place], held, raw.label):
            yield text
        if not block and len(left) - place >= _BLOCK_MAX:
            raise damaged(raw.label)
        left = left[place:]
    if left:
        raise damaged(raw.label)
    if last:  # the last block of a whole file is empty
        raise damaged(raw.label, "is truncated: the block that ends a bgzip file is missing")


def _unpacked_all(blocks: bytes, size: int, label: str) -> bytes:
    # In one call, so that a thread keeps no other from working; where it fails, the damaged block is sought.
    with contextlib.suppress(*BROKEN, OSError, EOFError, AttributeError):  # zlib has no such reader
        reader = zlib._GzipReader(io.BytesIO(blocks), len(blocks) + 1)
        data: bytes = reader.read(size + 1)
        if len(data) == size and not reader.read(1):
            return data
    return b"".join(unpacked_blocks(blocks, label))


def unpacked_blocks(data: bytes, label: str) -> Iterator[bytes]:
    """Yield the bytes in each of blocks that follow upon each other; a damaged one is a `FormatError`."""
    place = 0
    while place < len(data):
        end = place + block_size(data, place)
        yield unpacked(data[place:end], label)
        place = end


def block_size(data: bytes, place: int) -> int:
    """Return the packed size of the BGZF block at `place`; 0 where there is none, or too few bytes."""
    if data[place : place + 4] != _BGZF_MAGIC or len(data) < place + 18:
        return 0
    extra = int.from_bytes(data[place + 10 : place + 12], "little")
    field, end = place + 12, place + 12 + extra
    while field + 6 <= end:
        size = int.from_bytes(data[field + 2 : field + 4], "little")
        if data[field : field + 2] == b"BC" and size == 2:
            return int.from_bytes(data[field + 4 : field + 6], "little") + 1
        field += 4 + size
    return 0


def unpacked(block: bytes, label: str) -> bytes:
    """Return the bytes in one block; a damaged one is a `FormatError`."""
    inflater = zlib.decompressobj(31)  # which checks size and checksum
    try:
        data = inflater.decompress(block, _BLOCK_MAX + 1)
    except BROKEN as error:
        raise damaged(label) from error
    if not inflater.eof or inflater.unused_data or len(data) > _BLOCK_MAX:
        raise damaged(label)
    return data


def _gzip_pieces(raw: Raw) -> Iterator[bytes]:
    inflater: Any = None
    for packed in raw.pieces():
        piece = packed
        while True:
            if inflater is None:
                if not (piece := piece.lstrip(b"\0")):  # blocks of a tape end in zeros
                    break
                inflater = zlib.decompressobj(31)
            try:
                text = inflater.decompress(piece, _PIECE)
            except BROKEN as error:
                raise damaged(raw.label) from error
            if text:
                yield text
            if inflater.eof:
                piece, inflater = inflater.unused_data, None
            else:
                piece = inflater.unconsumed_tail
                if not piece and len(text) < _PIECE:
                    break
    if inflater is not None:
        raise damaged(raw.label, "is truncated")


class Blocks:
    """BGZF blocks of a file by their place, the last few kept; one that is not whole is a `FormatError`."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self._kept: dict[int, tuple[bytes, int]] = {}
        self._window = 0, b""

    def _at(self, offset: int, least: int, most: int) -> bytes:
        """Return bytes from `offset`: of those read last where these have `least`, else `most` are read."""
        start, data = self._window
        if not start <= offset <= start + len(data) - least:
            start, data = self._window = offset, self.raw.at(offset, most)
        return data[offset - start :]

    def _packed(self, offset: int) -> bytes:
        """Return the block at `offset` as it is stored; nothing at the end of the file."""
        found = self._at(offset, 1, _BLOCK_MAX)
        if not 0 < block_size(found, 0) <= len(found):
            found = self._at(offset, _BLOCK_MAX, _BLOCK_MAX)
        size = block_size(found, 0)
        if found and not 0 < size <= len(found):
            raise damaged(self.raw.label)
        return found[:size]

    def load(self, offset: int) -> tuple[bytes, int]:
        """Return the bytes of the block at `offset`, and where the next begins; (b"", offset) at the end.

        No sound block there is a `FormatError`.
        """
        if offset not in self._kept:
            if not (packed := self._packed(offset)):
                return b"", offset
            if len(self._kept) > 16:
                self._kept.clear()
            self._kept[offset] = unpacked(packed, self.raw.label), offset + len(packed)
        return self._kept[offset]

    def offset(self, place: int) -> int:
        """Return the virtual offset of the byte `place`, counted without compression from the start."""
        block = 0
        while place >= len((found := self.load(block))[0]) and found[1] != block:
            place, block = place - len(found[0]), found[1]
        return block << 16 | place

    def head(self, block: int) -> bytes:
        """Return the first bytes of the block at the byte `block`, unchecked: for a look, not for reading."""
        packed = self._packed(block)
        start = 12 + int.from_bytes(packed[10:12], "little")
        try:
            return zlib.decompressobj(-15).decompress(packed[start:], _HEAD)
        except BROKEN as error:
            raise damaged(self.raw.label) from error

    def near(self, place: int) -> int | None:
        """Return where the first block from byte `place` on begins, by its head and the next, or None."""
        at = 0
        for count in (_BLOCK_MAX // 2, 2 * _BLOCK_MAX + len(_BGZF_MAGIC)):
            packed = self._at(place, count, count)
            while (at := packed.find(_BGZF_MAGIC, at)) >= 0:
                size = block_size(packed, at)
                is_last = place + at + size == self.raw.size
                if size and (is_last or packed.startswith(_BGZF_MAGIC, at + size)):
                    return place + at
                if count < _BLOCK_MAX and at + size + len(_BGZF_MAGIC) > count:  # what is behind it tells
                    break
                at += 1
            at = max(at, 0)
        return None


class PlainBlocks(Blocks):
    """The bytes of a file without compression, as if every place in it began a block."""

    def load(self, offset: int) -> tuple[bytes, int]:
        """Return the bytes behind `offset`, to the end of a line where one ends there, and where they end."""
        data = self.raw.at(offset, _BLOCK_MAX // 2)
        data = data[: data.rfind(b"\n") + 1] or data
        return data, offset + len(data)

    def offset(self, place: int) -> int:
        """Return the virtual offset of a byte."""
        return place << 16

    def head(self, block: int) -> bytes:
        """Return the first bytes behind the byte `block`."""
        return self.raw.at(block, _HEAD)

    def near(self, place: int) -> int | None:
        """Return `place`."""
        return place
