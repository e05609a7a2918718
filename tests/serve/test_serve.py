"""`pgx serve`: who gets in, what comes out, and that nothing is left."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from msgspec.structs import replace
from vcf_builder import site, write_vcf

from pgx.errors import InputError
from pgx.options import Options
from pgx.reference import limit
from pgx.render import Format, file_stem
from pgx.render.form import Form, asset
from pgx.serve import Server
from pgx.serve.session import Asked, Session
from pgx.single import annotate

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted(path for path in (ROOT / "sample_vcfs").iterdir() if path.name.endswith((".vcf", ".vcf.gz")))
EPOCH = "1790000000"
CHROMIUM = Path("/usr/bin/chromium")
AXE = ROOT / "build" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]


class Client:
    """Talks to a server as its page does, unless told otherwise."""

    def __init__(self, url):
        self.url = url
        parts = urlsplit(url)
        self.host, self.path = parts.netloc, parts.path

    def ask(self, method, path, body=None, *, whole=None, **headers):
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.putrequest(method, whole or self.path + path, skip_host=True, skip_accept_encoding=True)
        given = {"Host": self.host, "Origin": f"http://{self.host}"}
        if body is not None:
            given["Content-Length"] = str(len(body))
        for name, value in (given | headers).items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders()
        if body:
            connection.send(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content, answer.headers

    def upload(self, name, content):
        status, body, _ = self.ask("PUT", f"file?name={quote(name)}", content)
        assert status == 200, body
        return json.loads(body)["file"]

    def make(self, *files, **options):
        numbers = [self.upload(name, content) for name, content in files]
        status, body, _ = self.ask("POST", "make", json.dumps({"files": numbers} | options).encode())
        return status, json.loads(body)

    def get(self, made, ending, sample=0):
        stem = made["samples"][sample]["stem"]
        return self.ask("GET", f"result/{made['result']}/{stem}{ending}")


@contextmanager
def server(folder, *arguments):
    """Start a server whose temporary files lie in `folder`; yield a client and the process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pgx", "serve", "--no-browser", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder), "SOURCE_DATE_EPOCH": EPOCH},
    )
    client = Client(process.stdout.readline().strip())
    client.process = process
    try:
        yield client, process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def client(place):
    with server(place) as (client, process):
        yield client
        assert process.poll() is None, "the server must still be there"


def het(tmp_path, name="a.vcf", **more):
    records = [
        site("rs429358", gt="0/1:99", format="GT:GQ"),
        site("rs7412", gt="0/0:99", format="GT:GQ"),
    ]
    return write_vcf(tmp_path / name, records=records, **more)


def answer_to(client, request):
    """Return what a server answers to a request as it stands."""
    with socket.create_connection(client.host.split(":")) as connection:
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return answer.read()


def left(place):
    return [path for path in Path(place).glob("pgx-serve-*/**/*") if path.is_file()]


def make_without_one(client, place, *files):
    """Ask for a report while somebody else has removed a file from the folder of the server."""
    numbers = [client.upload(name, content) for name, content in files]
    next(path for path in left(place) if path.name == numbers[1]).unlink()
    status, body, _ = client.ask("POST", "make", json.dumps({"files": numbers}).encode())
    return status, json.loads(body)


class TestWhoGetsIn:
    @pytest.mark.parametrize(
        ("whole", "headers"),
        [
            ("/", {}),
            ("/wrong/", {}),
            ("/favicon.ico", {}),
            (None, {"Host": "localhost:80"}),
            (None, {"Host": "evil.example"}),
            (None, {"Host": None}),
            (None, {"Origin": "http://evil.example"}),
            (None, {"Origin": "null"}),
            (None, {"Sec-Fetch-Site": "cross-site"}),
            (None, {"Sec-Fetch-Site": "same-site"}),
        ],
    )
    def test_others_get_nothing(self, client, whole, headers):
        status, body, _ = client.ask("GET", "", whole=whole, **headers)
        assert (status, json.loads(body)) == (403, {"error": "this address is not known"})

    @pytest.mark.parametrize("method", ["OPTIONS", "DELETE", "PATCH", "TRACE", "FOO"])
    @pytest.mark.parametrize("whole", ["/", None])
    def test_no_other_method_exists(self, client, method, whole):
        status, body, headers = client.ask(method, "", whole=whole)
        assert (status, json.loads(body)) == (403, {"error": "this address is not known"})
        assert "Access-Control-Allow-Origin" not in headers

    @pytest.mark.parametrize(
        "request_", [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"a" * 70_000 + b"\r\n\r\n"]
    )
    def test_what_is_no_request_is_refused(self, client, request_):
        with socket.create_connection(client.host.split(":")) as connection:
            connection.sendall(request_)
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answer:
                assert b"Error response" not in (said := answer.read())
        assert b"this address is not known" in said

    @pytest.mark.parametrize("target", ["http://[", "//[", "http://a\u2100", "http://evil.example{path}"])
    def test_a_target_that_is_no_path_is_refused_in_silence(self, tmp_path, target):
        with server(tmp_path) as (client, process):
            request = f"GET {target.format(path=client.path)} HTTP/1.1\r\nHost: {client.host}\r\n\r\n"
            assert answer_to(client, request).startswith(b"HTTP/1.1 403 ")
            process.terminate()
            assert process.communicate(timeout=30) == ("", "")

    @pytest.mark.parametrize(
        ("line", "status"),
        [
            ("Origin: http://evil.example", b"403"),
            ("Content-Length: 9", b"400"),
            ("Host: evil.example", b"403"),
        ],
    )
    def test_a_header_that_stands_twice_is_refused(self, client, line, status):
        head = f"PUT {client.path}file?name=a HTTP/1.1\r\nHost: {client.host}\r\nOrigin: http://{client.host}\r\n"
        answer = answer_to(client, f"{head}{line}\r\nContent-Length: 1\r\n\r\na")
        assert answer.startswith(b"HTTP/1.1 " + status)

    @pytest.mark.parametrize("path", ["file?name=a.vcf", "make"])
    @pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "https://127.0.0.1"])
    def test_nothing_changes_for_another_origin(self, client, place, path, origin):
        method = "PUT" if path.startswith("file") else "POST"
        before = left(place)
        assert client.ask(method, path, b"{}", Origin=origin)[0] == 403
        assert left(place) == before

    def test_a_token_that_only_begins_right_is_wrong(self, client):
        assert client.ask("GET", "", whole=client.path[:-2] + "/")[0] == 403
        assert client.ask("GET", "", whole=client.path.rstrip("/"))[0] == 403

    @pytest.mark.parametrize(
        "path",
        [
            "../../etc/passwd",
            "%2e%2e/%2e%2e/etc/passwd",
            "server.py",
            "result/0000000000000000/../../x",
            "result/0000000000000000/index.html",
            "static/serve.js",
        ],
    )
    def test_no_other_path_exists(self, client, path):
        assert client.ask("GET", path)[0] == 404

    @pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="no table of sockets")
    def test_it_listens_on_this_computer_alone(self, client):
        port = f"{int(client.host.partition(':')[2]):04X}"
        found = set()
        for path in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
            for line in path.read_text().splitlines()[1:] if path.exists() else ():
                _, address, _, state, *_ = line.split()
                found |= {address} if state == "0A" and address.endswith(f":{port}") else set()
        assert found == {f"0100007F:{port}"}, "127.0.0.1, and no other address"

    def test_every_answer_is_guarded(self, client):
        for path in ("", "serve.js", "serve.css", "nothing"):
            headers = client.ask("GET", path)[2]
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert headers["Cache-Control"] == "no-store"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "Access-Control-Allow-Origin" not in headers


class TestReports:
    @pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
    def test_the_page_is_that_of_the_command(self, client, path, monkeypatch):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
        status, made = client.make((path.name, path.read_bytes()), history=["epilepsy"], indication="stroke")
        expected = annotate(str(path), Options(history=("epilepsy",), indication="stroke", neighbours="auto"))
        run = replace(
            expected.run,
            input=replace(expected.run.input, path=path.name, modified="uploaded", access="scan"),
        )
        reports = list(expected.samples)
        assert status == 200
        assert [sample["stem"] for sample in made["samples"]] == [file_stem(one.sample) for one in reports]
        for number, report in enumerate(reports):
            for kind in (Format.HTML, Format.JSON):
                got = client.get(made, kind.endings[0], number)[1]
                assert got == kind.one(run, report, Form()), kind

    def test_an_index_and_reads_are_used_with_their_file(self, client, tmp_path):
        path = het(tmp_path, "a.vcf.gz", index="tbi")
        files = [(f"{path.name}.tbi", Path(f"{path}.tbi").read_bytes()), (path.name, path.read_bytes())]
        _, made = client.make(*files)
        document = json.loads(client.get(made, ".json")[1])
        assert document["input"]["access"] == "index"
        assert document["input"]["path"] == "a.vcf.gz"

    def test_several_files_make_the_page_of_a_cohort(self, client, tmp_path):
        files = [(f"folder/{name}", het(tmp_path, name).read_bytes()) for name in ("a.vcf", "b.vcf")]
        status, made = client.make(
            *files, ("folder/bad.vcf", b"no VCF at all, and long enough to be looked at")
        )
        assert status == 200
        page = client.ask("GET", f"result/{made['result']}/index.html")[1].decode()
        linked = set(re.findall(r'href="(?!#)([^"]*)"', page))
        assert linked == set(made["files"]) - {"index.html"}
        assert {"samples.tsv", "samples.parquet", "failures.tsv", "summary.json"} <= linked
        table = client.ask("GET", f"result/{made['result']}/samples.tsv")[1].decode()
        assert [line.split("\t")[1] for line in table.splitlines()[1:]] == ["folder/a.vcf", "folder/b.vcf"]
        assert "folder/bad.vcf" in client.ask("GET", f"result/{made['result']}/failures.tsv")[1].decode()

    def test_the_result_of_a_minor_stays_withheld(self, client, tmp_path):
        _, made = client.make(("a.vcf", het(tmp_path).read_bytes()), age=12)
        assert "ε3/ε4" not in json.dumps(made, ensure_ascii=False)
        assert "APOE ε3/ε4" not in client.get(made, ".html")[1].decode()
        assert "one copy" not in client.get(made, ".handout.html")[1].decode()
        _, grown = client.make(("a.vcf", het(tmp_path).read_bytes()), age=52)
        assert "APOE ε3/ε4" in client.get(grown, ".html")[1].decode()

    def test_hand_out_text_and_pdf(self, client, tmp_path):
        _, made = client.make(("a.vcf", het(tmp_path).read_bytes()))
        assert b"<html" in client.get(made, ".handout.html")[1]
        assert "ε3/ε4".encode() in client.get(made, ".txt")[1]
        pytest.importorskip("typst")
        assert client.get(made, ".pdf")[1].startswith(b"%PDF")

    def test_a_report_cannot_reach_the_server(self, client, tmp_path):
        _, made = client.make(("a.vcf", het(tmp_path).read_bytes()))
        policy = client.get(made, ".html")[2]["Content-Security-Policy"]
        assert "sandbox" in policy
        assert "allow-same-origin" not in policy
        assert "connect-src" not in policy
        script = policy.partition("script-src ")[2].partition(";")[0]
        assert script == f"'{asset('cohort.js')[1]}'", "the one script that a page of ours has"


class TestBadInput:
    def test_one_line_with_the_name_of_the_file_and_no_place(self, client, place):
        status, told = client.make(
            ("folder/<b>bad\x1b.vcf", b"no VCF at all, and long enough to be looked at")
        )
        assert status == 400
        assert "not a VCF" in told["error"]
        assert str(place) not in told["error"]
        assert "\x1b" not in told["error"]

    @pytest.mark.parametrize(
        ("options", "word"),
        [
            ({"indication": "nonsense"}, "nonsense"),
            ({"age": -3}, "age"),
            ({"population": "XYZ"}, "XYZ"),
            ({"assembly": "hg99"}, "hg99"),
            ({"drug": "aspirin"}, "aspirin"),
        ],
    )
    def test_an_option_that_cannot_be(self, client, tmp_path, options, word):
        status, told = client.make(("a.vcf", het(tmp_path).read_bytes()), **options)
        assert status == 400
        assert word in told["error"]

    @pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a"), ("x/a/b/c.vcf", "x/a"), ("a?", "a_/b")])
    def test_a_file_that_is_called_like_a_folder(self, client, place, tmp_path, names):
        """No folder holds both, so neither is put there."""
        content = het(tmp_path).read_bytes()
        status, told = client.make(*((name, content) for name in names))
        assert status == 400
        assert "is the name of a file and of a folder" in told["error"]
        assert str(place) not in told["error"]
        assert not left(place)

    def test_no_input_among_the_files(self, client):
        assert client.make(("a.vcf.gz.tbi", b"x"))[1]["error"].startswith("no input was given")

    @pytest.mark.parametrize(
        "body", [b"", b"{}", b"[]", b'{"files": 3}', b'{"files": [], "evidence": ["/etc"]}']
    )
    def test_a_form_that_is_none(self, client, body):
        status, content, _ = client.ask("POST", "make", body)
        assert status == 400
        assert "form" in json.loads(content)["error"]

    def test_too_large_without_a_size_and_cut_short(self, client, place):
        assert client.ask("PUT", "file?name=a", b"", **{"Content-Length": str(10**12)})[0] == 400
        assert client.ask("PUT", "file?name=a", b"", **{"Content-Length": "9" * 5000})[0] == 400
        assert client.ask("PUT", "file?name=a", None)[0] == 400
        assert client.ask("PUT", "file?name=a", None, **{"Transfer-Encoding": "chunked"})[0] == 400
        connection = socket.create_connection(client.host.split(":"))
        head = f"PUT {client.path}file?name=a HTTP/1.1\r\nHost: {client.host}\r\nOrigin: http://{client.host}\r\n"
        connection.sendall(f"{head}Content-Length: 100\r\n\r\nhalf".encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            assert b"came in part only" in answer.read()
        connection.close()

    @pytest.mark.parametrize(
        "name", ["a" * 400 + ".vcf", "ε" * 400, "../../../etc/a.vcf", "..", "a\0.vcf", ""]
    )
    def test_no_name_keeps_a_file_from_being_read(self, client, tmp_path, name):
        assert client.make((name, het(tmp_path).read_bytes()))[0] == 200

    def test_a_fault_of_our_own_is_told_without_a_value(self, tmp_path):
        with server(tmp_path) as (client, process):
            content = het(tmp_path).read_bytes()
            status, told = make_without_one(client, tmp_path, ("NA12878", content), ("NA12878.tbi", content))
            assert (status, told["error"]) == (500, "pgx met a fault of its own. Please report it")
            assert client.make(("a.vcf", content))[0] == 200
            process.terminate()
            out, err = process.communicate(timeout=30)
        assert out == ""
        assert err.startswith("a bug in pgx: FileNotFoundError at ")
        assert err.count("\n") == 1
        assert "NA12878" not in err

    def test_a_file_that_has_gone_is_not_left_out(self, client, place, tmp_path):
        before, number = left(place), client.upload("a.vcf", het(tmp_path).read_bytes())
        status, body, _ = client.ask("POST", "make", json.dumps({"files": [number, "0" * 16]}).encode())
        assert (status, b"not all files are held any longer" in body) == (400, True)
        assert left(place) == before

    def test_a_fault_of_our_own_leaves_no_file(self, tmp_path):
        with server(tmp_path) as (client, _):
            status, _ = make_without_one(
                client, tmp_path, *[(name, b"x") for name in ("a", "b.vcf", "c.vcf")]
            )
            assert status == 500
            assert left(tmp_path) == []

    def test_nothing_is_left_of_what_was_annotated(self, client, place, tmp_path):
        before = left(place)
        client.make(("a.vcf", het(tmp_path).read_bytes()))
        client.make(("a.vcf", b"no VCF at all, and long enough to be looked at"))
        assert left(place) == before


class TestTheProcess:
    def test_many_at_once_are_all_answered(self, client):
        request = f"GET {client.path} HTTP/1.1\r\nHost: {client.host}\r\nConnection: close\r\n\r\n".encode()
        connections = [socket.create_connection(client.host.split(":")) for _ in range(100)]
        for connection in connections:
            connection.sendall(request)
        for connection in connections:
            with connection, connection.makefile("rb") as answer:
                assert answer.readline() == b"HTTP/1.1 200 OK\r\n"

    def test_signals_leave_nothing_and_say_nothing(self, tmp_path):
        for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            with server(tmp_path) as (client, process):
                client.upload("NA12878.vcf", b"x" * 1000)
                process.send_signal(number)
                out, err = process.communicate(timeout=30)
            assert (process.returncode, out, err) == (code, "", "")
            assert list(tmp_path.glob("pgx-serve-*")) == []

    def test_a_browser_that_cannot_be_opened_is_one_line(self, tmp_path):
        hidden = {"DISPLAY", "WAYLAND_DISPLAY"}
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        with subprocess.Popen(
            [sys.executable, "-m", "pgx", "serve"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**environment, "TMPDIR": str(tmp_path), "BROWSER": "false"},
        ) as process:
            assert process.stdout.readline().startswith("http://127.0.0.1:")
            assert process.stderr.readline() == "No browser could be opened: open the address above in one.\n"
            process.terminate()
            assert process.stderr.read() == ""

    def test_what_a_killed_server_left_goes_with_the_next(self, tmp_path):
        with server(tmp_path) as (client, process):
            client.upload("NA12878.vcf", b"x" * 1000)
            process.kill()
            process.wait()
        assert left(tmp_path)
        with server(tmp_path) as (client, _):
            assert client.ask("GET", "")[0] == 200
            assert left(tmp_path) == []

    def test_a_port_that_is_taken_is_one_line(self, client):
        port = client.host.partition(":")[2]
        done = subprocess.run(
            [sys.executable, "-m", "pgx", "serve", "--no-browser", "--port", port],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        assert done.returncode == 3
        assert done.stderr.startswith(f"error: --port {port}: cannot be used")
        assert done.stdout == ""

    @pytest.mark.skipif(shutil.which("ps") is None, reason="ps is not installed")
    def test_a_reader_that_dies_costs_one_report(self, client, tmp_path):
        content = het(tmp_path).read_bytes()
        assert client.make(("a.vcf", content))[0] == 200
        listed = subprocess.run(
            ["ps", "-ww", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
        ).stdout
        rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
        readers = [
            int(pid) for pid, parent, what in rows if int(parent) == client.process.pid and "spawn" in what
        ]
        assert readers
        for pid in readers:
            os.kill(pid, signal.SIGKILL)
        answers = [client.make(("a.vcf", content)) for _ in range(3)]
        assert answers[-1][0] == 200
        assert all(status == 200 or "the reader ended" in told["error"] for status, told in answers)


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed (apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = play.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, client):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.requests, page.complaints = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.goto(client.url)
    yield page
    assert all(url.startswith((client.url, "data:")) for url in page.requests), "a page asks its server alone"
    context.close()


def without_pdf(route):
    answer = route.fetch()
    route.fulfill(response=answer, json=answer.json() | {"pdf": False})


class TestInTheBrowser:
    def test_a_report_is_read(self, page, tmp_path):
        page.set_input_files("#files", str(het(tmp_path)))
        page.select_option("#indication", "stroke")
        page.click("summary:has-text('Illnesses')")
        page.check("input[value=epilepsy]")
        page.click("#go")
        page.wait_for_selector("#lines li")
        assert "ε3/ε4" in page.inner_text("#lines li")
        assert page.evaluate("document.activeElement.id") == "result-title"
        page.click("#lines button")
        frame = page.frame_locator("#report")
        frame.locator("h1").wait_for()
        assert "ε3/ε4" in frame.locator("body").inner_text()
        assert "epilepsy" in frame.locator("body").inner_text()
        with page.expect_download() as waiting:
            page.click("#lines a:has-text('JSON')")
        assert json.loads(Path(waiting.value.path()).read_text())["parameters"]["indication"] == "stroke"
        assert page.complaints == []

    def test_by_keyboard_alone(self, page, tmp_path):
        page.set_input_files("#files", str(het(tmp_path)))
        page.focus("#files")
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "go":
                break
        page.keyboard.press("Enter")
        page.wait_for_selector("#lines li")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Read the report"

    def test_bad_files_and_no_files_are_told(self, page, tmp_path):
        page.click("#go")
        assert page.inner_text("#error") == "No file was chosen."
        bad = tmp_path / "bad.vcf"
        bad.write_text("nothing of the kind, and long enough to be looked at")
        page.set_input_files("#files", str(bad))
        page.click("#go")
        page.locator("#error", has_text="not a VCF").wait_for()
        assert page.is_enabled("#go")
        page.fill("#age", "old")
        page.click("#go")
        page.locator("#error", has_text="age").wait_for()

    def test_names_of_files_are_text(self, page, tmp_path):
        path = het(tmp_path, "x.vcf").rename(tmp_path / "<img src=x onerror=alert(1)>.vcf")
        page.set_input_files("#files", str(path))
        assert page.inner_text("#chosen li") == path.name
        page.click("#go")
        page.wait_for_selector("#lines li")
        assert page.complaints == []

    def test_a_server_that_has_ended_is_told(self, browser, tmp_path):
        with server(tmp_path) as (own, process):
            page = browser.new_page()
            page.goto(own.url)
            page.set_input_files("#files", str(het(tmp_path)))
            process.kill()
            process.wait()
            page.click("#go")
            page.locator("#error", has_text="no longer answers").wait_for()
            page.close()

    def test_no_pdf_is_offered_where_none_can_be_made(self, page, tmp_path):
        page.route("**/make", without_pdf)
        page.set_input_files("#files", str(het(tmp_path)))
        page.click("#go")
        page.wait_for_selector("#lines li")
        assert page.locator("#lines a", has_text="PDF").count() == 0
        assert page.locator("#lines a", has_text="HTML").count() == 1

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_axe_finds_nothing_also_on_a_narrow_screen(self, browser, client, tmp_path, scheme):
        if not AXE.exists():
            pytest.skip("axe-core is not installed (npm install --prefix build/npm --no-save axe-core)")
        context = browser.new_context(
            viewport={"width": 320, "height": 700}, color_scheme=scheme, bypass_csp=True
        )
        page = context.new_page()
        page.goto(client.url)
        page.set_input_files("#files", str(het(tmp_path)))
        page.click("#go")
        page.wait_for_selector("#lines li")
        page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.add_script_tag(path=str(AXE))
        found = page.evaluate("tags => axe.run(document, {runOnly: tags})", TAGS)
        assert [
            (item["id"], [node["html"][:120] for node in item["nodes"]]) for item in found["violations"]
        ] == []
        context.close()


def test_what_came_in_part_takes_no_room(tmp_path):
    session = Session(tmp_path)
    try:
        for _ in range(2):  # were it counted, the second would be too large
            with pytest.raises(InputError, match="came in part only"):
                session.take("a.vcf", int(limit("max_upload") * 10**6), io.BytesIO(b"half"))
        assert not list(tmp_path.iterdir())
    finally:
        session.close()


def test_what_nobody_annotates_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(Session.forget_unused, "__defaults__", (0.0,))
    with contextlib.closing(Session(tmp_path)) as session, Server(0, session) as own:
        number = session.take("a.vcf", 4, io.BytesIO(b"left"))
        serving = threading.Thread(target=own.serve_forever, args=(0.01,))
        serving.start()
        while any(tmp_path.iterdir()):
            time.sleep(0.01)
        own.shutdown()
        serving.join()
        with pytest.raises(InputError, match="came in part only"):  # so all the room is there again
            session.take("b.vcf", int(limit("max_upload") * 10**6), io.BytesIO(b"half"))
        with pytest.raises(InputError, match="not all files are held"):
            session.make(Asked(files=(number,)))


def test_what_waits_for_the_next_file_stays(tmp_path):
    class Slow(io.BytesIO):
        def read(self, size):
            session.forget_unused(0.0)
            return super().read(size)

    with contextlib.closing(Session(tmp_path)) as session:
        session.take("a.vcf", 5, io.BytesIO(b"first"))
        session.take("b.vcf", 6, Slow(b"second"))
        session.forget_unused()
        assert len(list(tmp_path.iterdir())) == 2
        session.forget_unused(0.0)
        assert list(tmp_path.iterdir()) == []
