"""The program: `pgx`, and `python -m pgx`."""

import gc
import sys

from pgx.errors import PgxError


def main() -> None:
    """Run the command line as a process."""
    gc.disable()  # to look for garbage in what is imported takes a tenth of a start; `run` enables it
    try:
        from pgx.cli.main import main as run  # noqa: PLC0415
    except PgxError as error:  # an installation whose reference data are damaged
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
