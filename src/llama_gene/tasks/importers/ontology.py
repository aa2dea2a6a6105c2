"""Names of terms: the Gene Ontology as OBO, and the folds of SCOPe."""

from collections.abc import Iterator

from llama_gene.sequences.files import Item, open_text


def read_terms(item: Item) -> Iterator[tuple[str, str]]:
    """Identifier and name of each term of an OBO file that is not obsolete, under its other identifiers too.

    Format: owlcollab.github.io/oboformat/doc/GO.format.obo-1_4.html.
    """
    with open_text(item, errors="replace") as text:
        held: dict[str, list[str]] = {}
        is_term = False
        for line in text:
            line = line.strip()
            if line.startswith("["):
                yield from _term(held) if is_term else ()
                held, is_term = {}, line == "[Term]"
            elif is_term and ": " in line:
                key, _, value = line.partition(": ")
                held.setdefault(key, []).append(value)
        if is_term:
            yield from _term(held)


def _term(held: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    if "id" in held and "name" in held and held.get("is_obsolete") != ["true"]:
        for identifier in (held["id"][0], *held.get("alt_id", [])):
            yield identifier, held["name"][0]


def read_folds(item: Item) -> Iterator[tuple[str, str]]:
    """Concise classification string (a.1, a.1.1, a.1.1.1) and name of each class, fold, superfamily and family.

    Format: dir.des.scope.txt (scop.berkeley.edu/help/ver=2.08), tab-separated sunid, level, sccs, sid, name.
    """
    with open_text(item, errors="replace") as text:
        for line in text:
            cells = line.rstrip("\n").split("\t")
            if not line.startswith("#") and len(cells) >= 5 and cells[1] in ("cl", "cf", "sf", "fa"):
                yield cells[2], cells[4]
