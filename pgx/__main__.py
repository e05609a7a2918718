"""`python -m pgx`."""

from pgx.cli import main

main()
