"""Self-contained HTML pages: one style, plots as inline SVG, no script and no outside request."""
