"""How Sphinx builds these pages; `make docs` runs it."""

import pgx

project = "pgx"
author = "the pgx authors"
release = version = pgx.__version__
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"pgx {release}"
html_show_copyright = False
