"""The torture of `make torture`: a few tries of each class, and that it notices what does not survive."""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

spec = importlib.util.spec_from_file_location("torture", ROOT / "tools" / "torture.py")
torture = importlib.util.module_from_spec(spec)
spec.loader.exec_module(torture)


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    return torture.Stock(tmp_path_factory.mktemp("stock"))


@pytest.mark.slow
@pytest.mark.parametrize("name", torture.CLASSES)
def test_a_few_of_each_class_survive(stock, name):
    assert [torture.attempt(name, seed, stock) for seed in range(100, 104)] == [""] * 4


def test_the_sound_file_has_an_answer(stock):
    (one,) = stock.answer
    assert one[0] == "e3/e4"


def test_what_this_process_holds_is_not_counted():
    held = bytearray(os.urandom(1 << 20)) * 400
    assert torture.fate(lambda: held[-1] == held[(1 << 20) - 1]) == ("", True)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def hang():
    until = time.process_time() + 30
    while time.process_time() < until:
        pass


def swell():
    return len(bytearray(700_000_000)) and "all is well"


def break_down():
    raise KeyError("a bug")


@pytest.mark.parametrize(
    ("work", "words"),
    [(die, "signal 9"), (break_down, "a traceback (KeyError"), (swell, " MB"), (hang, "signal 9")],
)
def test_what_does_not_survive_is_noticed(work, words):
    told, _ = torture.fate(work, seconds=0.5 if work is hang else 10)
    assert words in told


def test_a_wrong_answer_is_noticed(stock, monkeypatch):
    monkeypatch.setattr(torture, "answer", lambda what: ((None, (None, None)),))
    assert "a wrong answer" in torture.attempt("foreign indexes", 1, stock)


def test_the_table_and_the_exit_code(monkeypatch, capsys):
    monkeypatch.setattr(
        torture, "attempt", lambda name, seed, stock: "ended by signal 6" if seed == 1 else ""
    )
    assert torture.main(["--tries", "2", "--class", "cuts"]) == 1
    out = capsys.readouterr().out
    assert "LOST  cuts, seed 1: ended by signal 6" in out
    assert out.splitlines()[-1].split() == ["all", "2", "1"]
