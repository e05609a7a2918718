"""The command line: options, wiring, exit codes. The only user of typer, and the only room that prints."""
