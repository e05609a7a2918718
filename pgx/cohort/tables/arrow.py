"""Arrow arrays straight from buffers: `pyarrow.array` would import pandas, which costs 0.3 s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Codes = npt.NDArray[np.int64]
_NUMBERS = {pa.float64(): np.float64, pa.int64(): np.int64, pa.int32(): np.int32, pa.int8(): np.int8}


def numbers(values: npt.NDArray[np.generic], kind: pa.DataType) -> pa.Array:
    """Return numbers as an array of `kind`; NaN is null."""
    valid, filled = None, values
    if values.dtype.kind == "f" and (missing := np.isnan(values)).any():
        valid = pa.py_buffer(np.packbits(~missing, bitorder="little").tobytes())
        filled = np.where(missing, 0, values)
    data = _buffer(filled.astype(_NUMBERS[kind], copy=False))
    return pa.Array.from_buffers(kind, len(values), [valid, data])


def _buffer(values: npt.NDArray[np.generic]) -> pa.Buffer:
    return pa.py_buffer(np.ascontiguousarray(values))


def texts(values: Sequence[str]) -> pa.Array:
    """Return texts as an array (large_string: offsets of 64 bits)."""
    joined = "".join(values)
    data = joined.encode("utf-8", errors="replace")
    pieces = values if joined.isascii() else [value.encode("utf-8", errors="replace") for value in values]
    offsets = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, pieces), dtype=np.int64, count=len(values)), out=offsets[1:])
    return pa.Array.from_buffers(pa.large_string(), len(values), [None, _buffer(offsets), pa.py_buffer(data)])


def split_lines(data: bytes) -> pa.Array:
    """Return lines, each ended by a newline, as an array of texts without it."""
    letters = np.frombuffer(data, dtype=np.uint8)
    is_end = letters == ord("\n")
    ends = np.flatnonzero(is_end)
    offsets = np.zeros(len(ends) + 1, dtype=np.int64)
    offsets[1:] = ends - np.arange(len(ends))
    buffers = [None, _buffer(offsets), _buffer(letters[~is_end])]
    return pa.Array.from_buffers(pa.large_string(), len(ends), buffers)


def coded(values: Sequence[str | None]) -> pa.DictionaryArray:
    """Return texts as codes and a dictionary, in order of appearance; None is null."""
    known: dict[str, int] = {}
    codes = [np.nan if value is None else known.setdefault(value, len(known)) for value in values]
    indices = numbers(np.array(codes, dtype=np.float64), pa.int32())
    return pa.DictionaryArray.from_arrays(indices, texts(list(known)).cast(pa.string()))


def repeated(values: Sequence[str], counts: Sequence[int]) -> pa.DictionaryArray:
    """Return each text as often as its count says, as codes and a dictionary in order of appearance."""
    return coded(values).take(numbers(np.repeat(np.arange(len(values)), counts), pa.int64()))


def codes(values: npt.NDArray[np.int64] | npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Give each different number a code, in order of appearance."""
    return indices(pa.Array.from_buffers(pa.int64(), len(values), [None, _buffer(values)]))


def line_codes(line: bytes, edges: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give each different text between two edges a code, in order of appearance."""
    data = [None, _buffer(edges), pa.py_buffer(line)]
    return indices(pa.Array.from_buffers(pa.large_binary(), len(edges) - 1, data))


def indices(array: pa.Array) -> npt.NDArray[np.int64]:
    """Return the codes of an array, in order of appearance."""
    return values(array.dictionary_encode().indices, np.int32).astype(np.int64)


def values(array: pa.Array, kind: type[np.generic]) -> npt.NDArray[np.generic]:
    """Return the values of an array of numbers or booleans, without pandas; nulls are whatever lies there."""
    if pa.types.is_boolean(array.type):
        return _bits(array, 1)
    return np.frombuffer(array.buffers()[1], dtype=kind)[array.offset : array.offset + len(array)]


def _bits(array: pa.Array, buffer: int) -> npt.NDArray[np.bool_]:
    bits = np.unpackbits(np.frombuffer(array.buffers()[buffer], dtype=np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(bool)


def single(column: pa.ChunkedArray) -> pa.Array:
    """Return a column of a table as one array."""
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def cells(column: pa.ChunkedArray) -> list[Any]:
    """Return a column as a list, None for null; texts of few values are looked up, ten times as fast."""
    array = single(column)
    if not pa.types.is_dictionary(array.type):
        return list(array.to_pylist())
    known = [*array.dictionary.to_pylist(), None]
    codes = np.where(valid(array.indices), values(array.indices, np.int32), len(known) - 1)
    return [known[code] for code in codes.tolist()]


def valid(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Return where an array is not null."""
    return _bits(array, 0) if array.null_count else np.ones(len(array), dtype=bool)


def first_of(codes: Codes) -> npt.NDArray[np.intp]:
    """Return where each class of `compact` codes occurs first."""
    found = np.zeros(int(codes.max(initial=-1)) + 1, dtype=np.intp)
    found[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return found


def compact(codes: Codes) -> Codes:
    """Return the same classes numbered from 0 without gaps, in the order of their codes."""
    if len(codes) and codes.max() < max(4 * len(codes), 1 << 16):
        present = np.bincount(codes) > 0
        return np.asarray((np.cumsum(present) - 1)[codes])
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def joined_codes(parts: Sequence[Codes]) -> Codes:
    """Return the classes of samples that are alike in all parts, numbered from 0 without gaps."""
    joined, size = parts[0], int(parts[0].max(initial=0)) + 1
    for codes in parts[1:]:
        width = int(codes.max(initial=0)) + 1
        if size * width > 1 << 16:  # numbers without gaps are looked for before there are more
            joined = compact(joined)
            size = int(joined.max(initial=0)) + 1
        joined = joined * width + codes
        size *= width
    return compact(joined)
