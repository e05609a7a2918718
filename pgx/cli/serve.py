"""`pgx serve`: the same reports on a page of this computer."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def serve(
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port to use; any free one if 0.")
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open the page in a browser.")
    ] = False,
) -> None:
    """Make reports on a page in the browser, without a terminal.

    The page is on this computer only (127.0.0.1), and files stay here. Its address, with the token that
    opens it, is printed. Ctrl-C ends it.
    """
    from pgx.serve.server import serve as run

    def tell(url: str) -> None:
        typer.echo(url)
        sys.stdout.flush()

    run(port, browser=not no_browser, tell=tell, warn=lambda line: typer.echo(line, err=True))
