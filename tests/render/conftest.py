"""Reports of every state, made once a session by the library."""

from __future__ import annotations

import functools

import pytest
import render_states as states

from pgx.report import from_json


@pytest.fixture(scope="session")
def stored(tmp_path_factory):
    """Return a function from a state to its stored result: `stored("absent") -> Document`."""
    from typer.testing import CliRunner

    from pgx.cli.main import app

    @functools.cache
    def make(state):
        file, *options = states.STATES[state]
        result = CliRunner().invoke(
            app,
            ["annotate", str(states.SAMPLES / file), *options, "-f", "json"],
            env={"SOURCE_DATE_EPOCH": "0"},
            catch_exceptions=False,
        )
        assert result.exit_code == 0, result.stderr
        return from_json(result.stdout, where=state)

    return make


@pytest.fixture(scope="session")
def one(stored):
    """Return a function from a state to (run, report) of its only sample."""

    def make(state):
        document = stored(state)
        return document, document.samples[0]

    return make
