"""Turn a template and values into one HTML page. All values are escaped but those marked as safe by their maker."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def render_page(template: Path, **values: Any) -> str:
    """The page of a template, which may include `style.html` of this package.

    Args:
        template: Jinja file.
        values: What it names; a missing one is an error.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.html"
    ...     _ = path.write_text("<p>{{ name }}</p>")
    ...     render_page(path, name="<b>")
    '<p>&lt;b&gt;</p>'
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, Path(__file__).parent]), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(template.name).render(**values)
