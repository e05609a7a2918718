"""`python -m pgx`."""

from pgx.cli.main import main

main()
