"""The server of the page: 127.0.0.1 only, a token in every path, nothing that another page could use."""

from __future__ import annotations

import contextlib
import hmac
import math
import os
import re
import secrets
import shutil
import sys
import tempfile
import threading
import traceback
import webbrowser
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qs

import msgspec

from pgx.errors import InputError, PgxError, UsageError, printable
from pgx.reference import limit
from pgx.render import Format
from pgx.render.form import asset, environment
from pgx.serve.session import PATIENCE, Asked, Session

ADDRESS = "127.0.0.1"
STATIC = Path(__file__).with_name("static")
_PREFIX = "pgx-serve-"
_SECURITY = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: A report is a page of its own, which reaches neither the server nor the page around it. The one script is
#: that of a cohort's table; each page names the hashes of its own styles.
_REPORT_POLICY = (
    f"default-src 'none'; style-src 'unsafe-inline'; script-src '{asset('cohort.js')[1]}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts allow-popups "
    "allow-popups-to-escape-sandbox allow-modals allow-downloads"  # its page links its tables
)
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".tsv": "text/tab-separated-values; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".pdf": "application/pdf",
}
_SIZE = re.compile(r"[0-9]{1,15}")
_RESULT = re.compile(r"result/([0-9a-f]{16})/([A-Za-z0-9._-]{1,200})")


class Server(ThreadingHTTPServer):
    """A server on 127.0.0.1 whose address (`url`) holds a token; `session` holds what it was given."""

    daemon_threads = True
    allow_reuse_address = False
    request_queue_size = 128  # of the base class 5: the others of many at once would be cut off

    def __init__(self, port: int, session: Session) -> None:
        super().__init__((ADDRESS, port), _Handler)
        self.session = session
        self.token = secrets.token_urlsafe(24)
        self.host = f"{ADDRESS}:{self.server_address[1]}"  # what a browser names as host
        self.url = f"http://{self.host}/{self.token}/"

    def service_actions(self) -> None:
        """Look after what is held, about twice a second."""
        self.session.forget_unused()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - of the base class
        """Say nothing of a connection that broke."""
        if not isinstance(sys.exception(), OSError):
            _say_bug()


def _say_bug() -> None:  # the kind and the place of the error at hand, never a value
    kind, _, trace = sys.exc_info()
    if kind is not None:
        place = traceback.extract_tb(trace)[-1]
        print(f"a bug in pgx: {kind.__name__} at {place.name}:{place.lineno}", file=sys.stderr)  # noqa: T201


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "pgx", ""
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    server: Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Log nothing: paths hold the token, and names of files name people."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Refuse what the base class cannot read, and every other method, as a path that is not known."""
        self._refuse(403, "this address is not known")

    def do_GET(self) -> None:
        """Send the page, its parts, or a file of a result."""
        if (path := self._path()) is None:
            return
        if path == "":
            self._send(page(), ".html", policy=_PAGE_POLICY)
        elif path in {"serve.css", "serve.js"}:
            self._send((STATIC / path).read_bytes(), Path(path).suffix)
        elif found := _RESULT.fullmatch(path):
            self._answer(lambda: self._result(*found.groups()))
        else:
            self._refuse(404, "there is no such page")

    def do_PUT(self) -> None:
        """Take in a file; its name stands in the query."""
        if self._path(changes=True) == "file":
            self._answer(self._take)

    def do_POST(self) -> None:
        """Annotate what was taken in."""
        if self._path(changes=True) == "make":
            self._answer(self._make)

    def _path(self, *, changes: bool = False) -> str | None:
        """Return what follows the token in the path; None where the request was refused.

        Another host is a name that somebody has made to point here; another origin is a page of theirs.
        """
        token, slash, rest = self.path.partition("?")[0].removeprefix("/").partition("/")
        origins, stated = self.headers.get_all("Origin", []), self.headers.get_all
        fits = (
            hmac.compare_digest(token.encode(), self.server.token.encode())
            and bool(slash)
            and stated("Host") == [self.server.host]
            and (origins == [f"http://{self.server.host}"] or (not changes and not origins))
            and {"none", "same-origin"}.issuperset(stated("Sec-Fetch-Site", []))
        )
        if fits and (not changes or rest in {"file", "make"}):
            return rest
        self._refuse(404 if fits else 403, "there is no such page" if fits else "this address is not known")
        return None

    def _query(self) -> dict[str, list[str]]:
        return parse_qs(self.path.partition("?")[2], keep_blank_values=True)

    def _size(self, largest: float = math.inf) -> int:
        texts = self.headers.get_all("Content-Length", [])
        if len(texts) != 1 or not _SIZE.fullmatch(texts[0]) or "Transfer-Encoding" in self.headers:
            raise UsageError("the size of what is sent is not stated", cure="Use the page of pgx serve")
        if int(texts[0]) > largest:
            raise UsageError("what is sent is too large", cure="Use the page of pgx serve")
        return int(texts[0])

    def _take(self) -> None:
        (name,) = self._query().get("name", ["file"])[:1]
        number = self.server.session.take(name, self._size(), cast("BinaryIO", self.rfile))
        self._send(msgspec.json.encode({"file": number}), ".json")

    def _make(self) -> None:
        body = self.rfile.read(self._size(100_000))
        try:
            asked = msgspec.json.decode(body, type=Asked)
        except msgspec.DecodeError as error:
            raise UsageError("the form cannot be read", cure="Load the page again") from error
        number, made = self.server.session.make(asked)
        told = {"result": number, "samples": made.lines(), "files": sorted(made.files), "pdf": False}
        with contextlib.suppress(UsageError):
            Format.PDF.check_installed()
            told["pdf"] = True
        self._send(msgspec.json.encode(told), ".json")

    def _result(self, number: str, name: str) -> None:
        made = self.server.session.made(number)
        if made is None or (content := made.file(name)) is None:
            self._refuse(404, "this result is no longer held: make it again")
        else:
            saved_as = name if "save" in self._query() else None
            self._send(content, Path(name).suffix, policy=_REPORT_POLICY, saved_as=saved_as)

    def _answer(self, work: Callable[[], None]) -> None:
        """Do what was asked; an error that is raised on purpose becomes its line."""
        try:
            work()
        except PgxError as error:
            self._refuse(400, str(error))
        except (ConnectionError, TimeoutError):  # the other side has gone
            self.close_connection = True
        except Exception:  # noqa: BLE001 - a bug costs one answer, and the page must not say that the server is gone
            _say_bug()
            self._refuse(500, "pgx met a fault of its own. Please report it")

    def _refuse(self, status: int, line: str) -> None:
        self.close_connection = True  # what was sent may not have been read
        self._send(msgspec.json.encode({"error": printable(line, 1000)}), ".json", status=status)

    def _send(
        self,
        content: bytes,
        kind: str,
        *,
        status: int = 200,
        policy: str = "default-src 'none'; frame-ancestors 'none'",
        saved_as: str | None = None,
    ) -> None:
        self.send_response(status)
        headers = {"Content-Type": _TYPES.get(kind, "application/octet-stream"), **_SECURITY}
        headers |= {"Content-Length": str(len(content)), "Content-Security-Policy": policy}
        if saved_as is not None:
            headers["Content-Disposition"] = f'attachment; filename="{saved_as}"'
        if self.close_connection:
            headers["Connection"] = "close"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def page() -> bytes:
    """Return the page with its lists, which come from the evidence and the populations that ship."""
    from pgx.calling import FLAT, populations  # noqa: PLC0415
    from pgx.evidence import load  # noqa: PLC0415
    from pgx.genome import AUTO, assemblies  # noqa: PLC0415

    base = load()
    groups: dict[str, dict[str, list[str]]] = {"taking": {}, "history": {}}
    for item in base.names:
        if item.kind in groups:
            groups[item.kind].setdefault(item.group, []).extend(item.names)
    template = environment().from_string((STATIC / "serve.html.j2").read_text(encoding="utf-8"))
    return template.render(
        drugs=sorted(base.subjects(), key=lambda item: item.on_request),
        indications={code: item.label for code, item in base.indications.items()},
        largest=int(limit("max_upload") * 10**6),
        populations={item.name: item.label for item in populations()} | {FLAT: "all equally frequent"},
        assemblies=[AUTO, *(item.name for item in assemblies())],
        groups=groups,
    ).encode()


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Yield a folder that only this user can read, removed at the end; what killed servers left goes, too."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = left.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError, ValueError):
            if not left.is_symlink() and left.stat().st_uid == os.getuid() and not _runs(int(owner)):
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


def serve(port: int, *, browser: bool, tell: Callable[[str], None], warn: Callable[[str], None]) -> None:
    """Serve until a signal ends the process.

    `port`: 0 for any that is free; InputError where it is taken. `browser`: whether one opens the page.
    `tell` and `warn` take the address of the page, and what went wrong with the browser.
    """
    with private_folder() as folder, contextlib.closing(Session(folder)) as session:
        try:
            server = Server(port, session)
        except OSError as error:
            what, cure = f"cannot be used ({error.strerror})", "Leave it out, or give another"
            raise InputError(what, where=f"--port {port}", cure=cure) from error
        with server:
            tell(server.url)
            if browser:
                threading.Thread(target=_open, args=(server.url, warn), daemon=True).start()
            server.serve_forever()


def _open(url: str, warn: Callable[[str], None]) -> None:
    with contextlib.suppress(Exception):
        if webbrowser.open(url):
            return
    warn("No browser could be opened: open the address above in one.")
