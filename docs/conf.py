"""How Sphinx builds these pages; `make docs` runs it."""

import sys
from pathlib import Path

import pgx

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
from command_reference import write_reference  # the path comes first

project = "pgx"
author = "The pgx developers"
release = version = pgx.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_google_docstring = False
napoleon_use_ivar = True  # the fields of a Struct are documented once
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"pgx {release}"
html_show_copyright = False

# commands.md is made from the options themselves, so that it cannot say anything else.
write_reference(Path(__file__).parent / "commands.md")
