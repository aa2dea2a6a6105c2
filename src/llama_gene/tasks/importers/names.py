"""Names of tasks: small letters, digits and dots, made of what folders and files are called."""

import re
from collections.abc import Iterable

_NOT_IN_A_NAME = re.compile(r"[^a-z0-9._]+")


def slug(text: str) -> str:
    """A name as definitions have them.

    >>> slug("A0A140D2T1_ZIKV (2019)"), slug("--"), slug("H3")
    ('a0a140d2t1_zikv-2019', 'task', 'h3')
    """
    return _NOT_IN_A_NAME.sub("-", text.lower()).strip("-._") or "task"


def task_name(prefix: str, parts: Iterable[str]) -> str:
    """The prefix and the parts that say more than it.

    >>> task_name("gue", ["prom", "prom_300_all"]), task_name("gue", ["GUE", "tf", "0"])
    ('gue-prom_300_all', 'gue-tf-0')
    """
    words = [prefix]
    for part in map(slug, parts):
        if part.startswith(words[-1]) and len(words) > 1:
            words[-1] = part
        elif part != prefix:
            words.append(part)
    return "-".join(words)
