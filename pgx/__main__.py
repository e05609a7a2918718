"""The program: `pgx`, and `python -m pgx`."""

import gc


def main() -> None:
    """Run the command line as a process."""
    gc.disable()  # to look for garbage in what is imported takes a tenth of a start; `run` enables it
    from pgx.cli.main import main as run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
