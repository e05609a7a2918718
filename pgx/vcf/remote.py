"""Inputs behind a URL: read in ranges, each of which has to come in time, with an index held in memory."""

from __future__ import annotations

import base64
import contextlib
import errno
import functools
import http.client
import os
import select
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import IO, TypeAlias, TypeVar, cast
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from pgx.errors import FormatError, InputError, NotFoundError
from pgx.vcf.open import Bounds, Raw, Source, came, is_url

_WEB = frozenset({"http", "https"})
_SCHEMES = frozenset({*_WEB, "s3", "s3+http", "s3+https"})
_INDEX_MARK = "##idx##"  # between a URL and the place of its index, as htslib has it
_PIECE = 1 << 17  # bytes of one range
_PIECES_KEPT = 64
_LEAST = 28  # bytes of the block that ends a BGZF file
_DOWNLOAD = "Check the address and the network, or download the file and its index"
_NO_ANSWER = "cannot be reached, or the connection broke"
T = TypeVar("T")
_MISSING, _REFUSED, _NO_PROTOCOL = "missing", "refused", "no-protocol"
_INSTALL = "Install libcurl and the certificates of the system (Debian: libcurl4 and ca-certificates)"
#: What is said of each, and the way out.
_NOT_THERE = {
    _MISSING: (NotFoundError, "no such file on the server", "Check the address"),
    _REFUSED: (InputError, "the server refuses it (permission denied)", "Check the address and credentials"),
    _NO_PROTOCOL: (InputError, "cannot be read over the network: libcurl is missing", _INSTALL),
}


def public_name(url: str) -> str:
    """Return a URL for messages and reports: without user, password, and the query that may sign it."""
    address = url.partition(_INDEX_MARK)[0]
    try:
        parts = urlsplit(address)
    except ValueError:
        return address.partition("?")[0].rpartition("@")[2]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class _NotThereError(Exception):
    """The server has no such object, or does not show it to strangers; `args[0]` says which."""


class _RemoteBytes(Raw):
    steps = _PIECE, _PIECE

    def __init__(self, ranges: Ranges, label: str) -> None:
        self.label, self._ranges = label, ranges
        first, self.size, self._version = ranges.get(0, _PIECE)
        if self.size is None:
            what = "the server does not say how large the file is"
            raise InputError(what, where=label, cure="Download the file and its index")
        if self.size < _LEAST:
            what = "is empty, or too short for a VCF or BCF"
            raise FormatError(what, where=label, cure="Check the address")
        self._kept = {0: self._checked(first, 0)}

    def at(self, offset: int, count: int) -> bytes:
        end = min(offset + count, self.size or 0)
        if offset >= end:
            return b""
        first = offset // _PIECE
        data = b"".join(map(self._piece, range(first, (end - 1) // _PIECE + 1)))
        return data[offset - first * _PIECE :][: end - offset]

    def _piece(self, number: int) -> bytes:
        if number not in self._kept:
            data, size, version = self._ranges.get(number * _PIECE, _PIECE)
            if (size, version) != (self.size, self._version):
                cure = "Try again when it is complete"
                raise InputError("changed while it was read", where=self.label, cure=cure)
            if len(self._kept) > _PIECES_KEPT:
                self._kept.clear()
            self._kept[number] = self._checked(data, number)
        return self._kept[number]

    def _checked(self, data: bytes, number: int) -> bytes:
        if len(data) != min(_PIECE, (self.size or 0) - number * _PIECE):
            raise InputError("the server cut off what it sent", where=self.label, cure=_DOWNLOAD)
        return data


@contextlib.contextmanager
def remote_bytes(path: str, limits: Bounds) -> Iterator[tuple[Source, Raw, Callable[[], bytes | None]]]:
    """Open a URL; yield it, and what returns its index. What is slow or lacks either is an `InputError`."""
    address, _, stated = path.partition(_INDEX_MARK)
    name = public_name(path)
    try:
        parts = urlsplit(address)
        scheme, host, _ = parts.scheme.lower(), parts.hostname, parts.port  # each may be a ValueError
    except ValueError as error:
        raise InputError(f"is no URL ({error})", where=name, cure="Check the address") from error
    if scheme not in _SCHEMES:
        what = f"is a kind of URL that pgx does not read ({scheme}:)"
        raise InputError(what, where=name, cure="Use http, https or s3, or download the file and its index")
    if not host or any(ord(char) <= 32 for char in address):
        raise InputError("is no URL", where=name, cure="Check the address")
    with contextlib.ExitStack() as stack:

        def ranges(url: str) -> Ranges:
            if scheme in _WEB or urlsplit(url).scheme.lower() in _WEB:
                return _Web(url, name, limits)
            return _Signed(url, name, limits, stack)

        try:
            raw = _RemoteBytes(ranges(address), name)
        except _NotThereError as error:
            kind, what, cure = _NOT_THERE[str(error)]
            raise kind(what, where=name, cure=cure) from error
        data, index_name = _index(address, stated, name, ranges, limits)
        yield Source(path=address, name=name, index=index_name), raw, lambda: data


def _index(
    address: str, stated: str, name: str, ranges: Callable[[str], Ranges], limits: Bounds
) -> tuple[bytes, str]:
    """Return the bytes of the index, one more than the limit at most, and its name for reports."""
    most = limits.bytes("max_index")
    parts = urlsplit(address)
    usual = (".csi",) if parts.path.endswith(".bcf") else (".tbi", ".csi")
    # a query belongs behind the name
    beside = [urlunsplit(parts._replace(path=parts.path + suffix)) for suffix in usual]
    for candidate in [stated] if stated else beside:
        try:
            if is_url(candidate):
                return ranges(candidate).whole(most), public_name(candidate)
            with Path(candidate).open("rb") as handle:
                return handle.read(most + 1), candidate
        except _NotThereError:
            continue
        except OSError as error:
            raise NotFoundError("no such index", where=candidate, cure="Check the path") from error
    if parts.path.lower().endswith((".bam", ".cram")):
        what, cure = "holds reads, which are not read over the network", "Download the file and its index"
        raise NotFoundError(what, where=name, cure=cure)
    what = "has no index beside it (.tbi or .csi), and without one pgx does not read over the network"
    cure = f"Index it (bgzip, tabix -p vcf), name the index as URL{_INDEX_MARK}INDEX, or download the file"
    raise NotFoundError(what, where=name, cure=cure)


class _Pace:
    """The time that a server has: something must come within `timeout` seconds, and not by the drop."""

    def __init__(self, name: str, limits: Bounds) -> None:
        self._name = name
        self.timeout = limits.value("timeout")
        self._least = limits.value("min_progress") * 1000
        self._since = time.monotonic()
        self._bytes = 0

    def came(self, count: int) -> None:
        came()
        self._bytes += count
        now = time.monotonic()
        if now - self._since > self.timeout:
            if self._bytes < self._least:
                raise self.error()
            self._since, self._bytes = now, 0

    def error(self) -> InputError:
        what = f"the server delivered next to nothing for {self.timeout:g} seconds"
        cure = "Try again later, raise the limit with --timeout, or download the file and its index"
        return InputError(what, where=self._name, cure=cure)


def _in_time(function: Callable[[], T], seconds: float) -> T:
    # A server may send the head of its answer byte by byte, for ever: then its thread is left behind.
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:  # noqa: BLE001 - it is raised by who waits
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome.result(timeout=seconds)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        pass  # `_Web` follows and counts them, and keeps credentials with their host


class _Web:  # ranges over http or https
    def __init__(self, url: str, name: str, limits: Bounds) -> None:
        parts = urlsplit(url)
        user, at, host = parts.netloc.rpartition("@")
        self._url = urlunsplit((*parts._replace(netloc=host)[:4], ""))
        credentials = base64.b64encode(unquote(user).encode()).decode() if at else ""
        self._authorization = {"Authorization": f"Basic {credentials}"} if at else {}
        self._name, self._limits = name, limits
        self._opener = urllib.request.build_opener(_NoRedirect)

    def get(self, offset: int, count: int) -> tuple[bytes, int | None, str]:
        """Return bytes, the size of the whole where it is told, and what marks its version."""
        pace = _Pace(self._name, self._limits)
        with self._answer({"Range": f"bytes={offset}-{offset + count - 1}"}, pace) as answer:
            stated = answer.headers.get("Content-Range", "")
            if answer.status == 416 or answer.headers.get("Content-Length") == "0":
                return b"", 0, ""
            if answer.status != 206 or not stated.startswith("bytes "):
                lacks = "the server does not deliver parts of a file (range requests)"
                cure = "Download the file and its index, or serve them with ranges"
                raise InputError(f"{lacks}, so the index is of no use", where=self._name, cure=cure)
            size = stated.rpartition("/")[2]
            version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
            return self._read(answer, count, pace), int(size) if size.isdigit() else None, version

    def whole(self, most: int) -> bytes:
        """Return the whole file, of one with more than `most` bytes one byte more than these."""
        pace = _Pace(self._name, self._limits)
        with self._answer({}, pace) as answer:
            data = self._read(answer, most + 1, pace)
            stated = answer.headers.get("Content-Length", "")
            if stated.isdigit() and len(data) < min(int(stated), most + 1):
                raise InputError("the server cut off its index", where=self._name, cure=_DOWNLOAD)
            return data

    @contextlib.contextmanager
    def _answer(self, headers: dict[str, str], pace: _Pace) -> Iterator[http.client.HTTPResponse]:
        url, authorization = self._url, self._authorization
        try:
            for _ in range(int(self._limits.value("max_redirects")) + 1):
                own = {"User-Agent": "pgx", "Accept-Encoding": "identity", **headers, **authorization}
                request = urllib.request.Request(url, headers=own)  # noqa: S310 - the scheme was checked
                ask = functools.partial(self._opener.open, request, timeout=pace.timeout)
                try:
                    answer = _in_time(ask, pace.timeout)
                except urllib.error.HTTPError as error:
                    if error.code in {301, 302, 303, 307, 308}:
                        with error:
                            url, authorization = urljoin(url, error.headers.get("Location", "")), {}
                        if urlsplit(url).scheme.lower() not in _WEB or not urlsplit(url).hostname:
                            what = "the server redirects to what is no web address"
                            raise InputError(what, where=self._name, cure="Check the address") from None
                        continue
                    answer = self._refusal(error)
                with answer:
                    yield cast("http.client.HTTPResponse", answer)
                return
        except TimeoutError as error:
            raise pace.error() from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(getattr(error, "reason", None), TimeoutError):
                raise pace.error() from error
            raise InputError(_NO_ANSWER, where=self._name, cure=_DOWNLOAD) from error
        what = f"the server redirects more than {self._limits.value('max_redirects'):g} times"
        cure = "Check the address, or raise the limit with --max-redirects"
        raise InputError(what, where=self._name, cure=cure)

    def _refusal(self, error: urllib.error.HTTPError) -> urllib.error.HTTPError:
        if error.code == 416:  # a size can be read off it
            return error
        with error:
            if error.code in {401, 403, 404, 410}:
                raise _NotThereError(_MISSING if error.code in {404, 410} else _REFUSED)
            raise InputError(f"the server answers with {error.code}", where=self._name, cure=_DOWNLOAD)

    def _read(self, answer: http.client.HTTPResponse, most: int, pace: _Pace) -> bytes:
        parts, left = [], most
        while left > 0 and (part := answer.read1(min(left, 1 << 16))):
            parts.append(part)
            left -= len(part)
            pace.came(len(part))
        return b"".join(parts)


class _Signed:
    """Ranges by htslib (s3), in a process of its own: one that stalls in htslib could not be stopped here."""

    def __init__(self, url: str, name: str, limits: Bounds, until: contextlib.ExitStack) -> None:
        self._name, self._limits = name, limits
        process = subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-m", "pgx.vcf.remote", url],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        until.enter_context(process)  # which closes the pipes and waits
        until.callback(process.kill)
        self._asked, self._answered = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        self._size: int | None = None

    def get(self, offset: int, count: int) -> tuple[bytes, int | None, str]:
        if self._size is None:
            self._size = int(self._ask(-1, 0))
        return self._ask(offset, count), self._size, ""

    def whole(self, most: int) -> bytes:
        return self._ask(0, most + 1)

    def _ask(self, offset: int, count: int) -> bytes:
        pace = _Pace(self._name, self._limits)
        with contextlib.suppress(OSError):  # where it has died, what it said of it is read below
            self._asked.write(b"%d %d\n" % (offset, count))
        line = b""
        while not line.endswith(b"\n") and (byte := self._bytes(1, pace)):
            line += byte
        word, _, size = line.rstrip(b"\n").partition(b" ")
        if word == b"data":
            return self._bytes(int(size), pace)
        if word.decode() in _NOT_THERE:
            raise _NotThereError(word.decode())
        raise InputError(_NO_ANSWER, where=self._name, cure=_DOWNLOAD)

    def _bytes(self, count: int, pace: _Pace) -> bytes:
        pipe = self._answered.fileno()
        parts = []
        while count > 0:
            if not select.select([pipe], [], [], pace.timeout)[0]:
                raise pace.error()
            if not (part := os.read(pipe, min(count, 1 << 16))):
                break
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


Ranges: TypeAlias = _Web | _Signed


def _serve(url: str) -> None:
    import pysam  # noqa: PLC0415 - only this process needs it here

    pysam.set_verbosity(0)
    out = sys.stdout.buffer
    try:
        with pysam.HFile(url, "rb") as remote:
            for line in sys.stdin.buffer:
                offset, count = map(int, line.split())
                if offset < 0:
                    remote.seek(0, 2)
                    data = b"%d" % remote.tell()
                else:
                    remote.seek(offset)
                    data = remote.read(count)
                out.write(b"data %d\n%s" % (len(data), data))
                out.flush()
    except FileNotFoundError:
        out.write(f"{_MISSING} \n".encode())
    except PermissionError:
        out.write(f"{_REFUSED} \n".encode())
    except OSError as error:
        out.write(f"{_NO_PROTOCOL if error.errno == errno.EPROTONOSUPPORT else 'error'} \n".encode())
    out.flush()


if __name__ == "__main__":
    _serve(sys.argv[1])
