"""What of docs/ is no test: pytest runs the examples in the pages, and not the site's machinery."""

collect_ignore = ["conf.py"]
collect_ignore_glob = ["_*", "api/*", "examples/*", "gallery/*"]
