"""Sphinx builds the pages of this folder into a site: `make site`."""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "Replymeter"
author = "The Replymeter authors"
project_copyright = "The Replymeter authors, Apache-2.0"
version = release = installed_version("replymeter")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # Other projects' inventories are not on this machine.

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

autodoc_typehints = "signature"
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = f"Replymeter {version}"
html_copy_source = False
