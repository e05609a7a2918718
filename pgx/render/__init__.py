"""The door out: one module a format, each a projection of the report object."""
