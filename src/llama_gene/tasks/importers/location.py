"""Where proteins work in the cell: DeepLoc, MultiLoc and PSORTb.

Layouts:
- deeploc: FASTA with titles `ACCESSION Location-M`, `test` behind it for the test set; -M, -S, -U: membrane, soluble,
  unknown (DeepLoc 1.0, services.healthtech.dtu.dk/services/DeepLoc-1.0), or the CSV of DeepLoc 2.0 with a column of 0
  and 1 for each location, `Partition` and `Sequence` (…/DeepLoc-2.0).
- multiloc: a FASTA file for each location, named by it (abi-services.cs.uni-tuebingen.de/multiloc; BaCelLo alike).
- psortb: FASTA whose titles name a location of bacteria as a word of its own, as the sets of PSORTb and DeepLocPro do,
  or a FASTA file for each location (psort.org/dataset). Proteins with two locations are counted and left out.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from llama_gene.config import Split
from llama_gene.errors import DataError
from llama_gene.sequences.files import Item
from llama_gene.tasks.importers.found import (
    Definition,
    Found,
    Origin,
    Request,
    Row,
    Seen,
    as_published,
    as_table,
    describe_task,
    label,
    plain_labels,
    table_reader,
)
from llama_gene.tasks.importers.layout import (
    columns_of,
    fasta_records,
    items_below,
    need_items,
    path_of,
    read_rows,
    stem_of,
    suffix_of,
)

_FASTA = (".fasta", ".fa", ".faa", ".fas")
_DEEPLOC = Origin("DeepLoc", "see the publisher", "Almagro Armenteros et al. 2017, Bioinformatics 33:3387")
_DEEPLOC_2 = Origin("DeepLoc 2.0", "see the publisher", "Thumuluri et al. 2022, Nucleic Acids Research 50:W228")
_MULTILOC = Origin("MultiLoc", "see the publisher", "Hoeglund et al. 2006, Bioinformatics 22:1158")
_PSORTB = Origin("PSORTb", "see the publisher", "Yu et al. 2010, Bioinformatics 26:1608")
_TITLE = "subcellular localisation prediction"
_PLACES = {
    "nucleus": ("Nucleus", "nuclear"),
    "cytoplasm": ("Cytoplasm", "cytoplasmic", "cyto"),
    "extracellular": ("Extracellular", "extracellular", "secreted"),
    "cell membrane": ("Cell.membrane", "Cell membrane", "plasma_membrane", "plasma membrane"),
    "mitochondrion": ("Mitochondrion", "mitochondrial", "mito"),
    "endoplasmic reticulum": ("Endoplasmic.reticulum", "Endoplasmic reticulum", "ER"),
    "plastid": ("Plastid", "chloroplast"),
    "Golgi apparatus": ("Golgi.apparatus", "Golgi apparatus", "Golgi"),
    "lysosome or vacuole": ("Lysosome/Vacuole",),
    "lysosome": ("lysosomal",),
    "vacuole": ("vacuolar",),
    "peroxisome": ("Peroxisome", "peroxisomal"),
}
_BACTERIAL = {
    "cytoplasm": ("Cytoplasmic", "Cytoplasm"),
    "cytoplasmic membrane": ("CytoplasmicMembrane", "Cytoplasmic Membrane", "CYtoplasmicMembrane", "InnerMembrane"),
    "periplasm": ("Periplasmic", "Periplasm"),
    "outer membrane": ("OuterMembrane", "Outer Membrane"),
    "cell wall": ("Cellwall", "Cell wall", "CellWall"),
    "extracellular": ("Extracellular",),
}
_TITLE_PLACE = r"^\S+\s+(\S+)-[MSU]\b"
_DEEPLOC_2_COLUMNS = (
    "Cytoplasm", "Nucleus", "Extracellular", "Cell membrane", "Mitochondrion", "Plastid", "Endoplasmic reticulum",
    "Lysosome/Vacuole", "Golgi apparatus", "Peroxisome",
)  # fmt: skip
# Homology-partitioned folds of DeepLoc 2.0: two of five are held out.
_PARTITIONS: dict[str, Split] = {"3": "valid", "4": "test"}


def find_deeploc(request: Request) -> Iterator[Found]:
    """One task of all FASTA files, read as they are; one of the CSV of DeepLoc 2.0, several locations as a text."""
    items = items_below(request.path)
    fasta = [item for item in items if suffix_of(item) in _FASTA]
    tables = [
        item for item in items if suffix_of(item) == ".csv" and {"Sequence", "Cytoplasm"} <= set(columns_of(item))
    ]
    need_items([*fasta, *tables], request.path, "FASTA with titles such as 'Q9H400 Cell.membrane-M test', or CSV")
    if fasta:
        seen = _places_in_titles(request, fasta, _TITLE_PLACE)
        several = sorted(place for place in seen.answers if "-" in place)  # Cytoplasm-Nucleus
        for place in several:
            request.inspector.note("protein with several locations", seen.answers.pop(place))
        reader = {
            "type": "fasta", "files": [{"path": path_of(item)} for item in fasta], "label_pattern": _TITLE_PLACE,
            "marks": [{"pattern": r"^\S+\s+\S+\s+test\b", "split": "test"}],
        }  # fmt: skip
        made = _define(reader, _DEEPLOC, _named(seen, _PLACES), "eukaryotic")
        yield as_published(request.prefix, made | {"ignore_labels": several})
    if tables:
        name = f"{request.prefix}-2" if fasta else request.prefix
        made = describe_task(
            title=_TITLE, family="function", question="In which parts of a eukaryotic cell does this protein work?",
            inputs=["protein"], reader=table_reader(name, answer=True, split=True), origin=_DEEPLOC_2, keep="ends",
        )  # fmt: skip
        yield as_table(name, made, _multi_rows(request, tables))


def _places_in_titles(request: Request, items: Sequence[Item], pattern: str) -> Seen:
    seen = Seen()
    for item in items:
        for title, _ in fasta_records(item):
            found = re.search(pattern, title)
            if found is None:
                request.inspector.refuse(
                    "title without a location", f"{item.label}: title {title!r} names no location."
                )
            else:
                seen.add(found[1], None)
    if not seen.rows:
        raise DataError(f"{items[0].label}: no title names a location. Check --format.")
    return seen


def _named(seen: Seen, places: dict[str, tuple[str, ...]]) -> list[dict[str, Any]]:
    """Labels in words for what stands in the files; what is not known keeps its own."""
    names = {value.casefold(): name for name, values in places.items() for value in (name, *values)}
    held: dict[str, list[str]] = {}
    for answer in sorted(seen.answers):
        held.setdefault(names.get(answer.casefold(), answer.replace(".", " ").replace("_", " ")), []).append(answer)
    return [label(name, *values) for name, values in held.items()]


def _define(reader: Definition, origin: Origin, labels: Sequence[dict[str, Any]], cell: str) -> Definition:
    return describe_task(
        title=_TITLE, family="classification", question=f"In which part of a {cell} cell does this protein work?",
        inputs=["protein"], reader=reader, origin=origin, labels=labels, keep="ends",
        split={"similarity": 0.2},
    )  # fmt: skip


def _multi_rows(request: Request, tables: Sequence[Item]) -> Iterator[Row]:
    for item in tables:
        columns = [column for column in _DEEPLOC_2_COLUMNS if column in columns_of(item)]
        for where, row in read_rows(item, request.inspector):
            places = [column for column in columns if str(row[column]).strip() in ("1", "1.0", "True")]
            if not places:
                request.inspector.refuse("protein without a location", f"{where}: no location is 1. Mend the line.")
                continue
            split = _PARTITIONS.get(str(row.get("Partition", "")).partition(".")[0], "train")
            answer = "; ".join(next(name for name, words in _PLACES.items() if place in words) for place in places)
            yield Row((str(row["Sequence"]),), str(row.get("ACC") or ""), answer, split=split)


def find_multiloc(request: Request) -> Iterator[Found]:
    """One task: the FASTA file says the location."""
    items = [item for item in items_below(request.path) if suffix_of(item) in _FASTA]
    need_items(items, request.path, "a FASTA file for each location")
    yield _by_file(request, items, _MULTILOC, _PLACES, "eukaryotic")


def _by_file(
    request: Request, items: Sequence[Item], origin: Origin, places: dict[str, tuple[str, ...]], cell: str
) -> Found:
    seen = Seen()
    for item in items:
        seen.add(stem_of(item), None)
    labels = _named(seen, places)
    names = {value: made["name"] for made in labels for value in made.get("values", [made["name"]])}
    reader = {"type": "fasta", "files": [{"path": path_of(item), "label": names[stem_of(item)]} for item in items]}
    plain = [label(made["name"]) for made in labels]
    return as_published(request.prefix, _define(reader, origin, plain, cell))


def find_psortb(request: Request) -> Iterator[Found]:
    """One task of all FASTA files: the title says the location, or else the file."""
    items = [item for item in items_below(request.path) if suffix_of(item) in _FASTA]
    need_items(items, request.path, "FASTA whose titles, or files, name a location")
    words = {word.casefold(): name for name, values in _BACTERIAL.items() for word in (name, *values)}
    if all(stem_of(item).casefold() in words for item in items):
        yield _by_file(request, items, _PSORTB, _BACTERIAL, "bacterial")
        return
    name = request.prefix
    made = table_reader(name, answer=True)
    rows = _titled_rows(request, items, words)
    yield Found(name, lambda seen: _define(made, _PSORTB, plain_labels(seen), "bacterial"), rows)


def _titled_rows(request: Request, items: Sequence[Item], words: dict[str, str]) -> Iterator[Row]:
    alternatives = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    pattern = re.compile(rf"(?<![A-Za-z])({alternatives})(?![A-Za-z])", re.IGNORECASE)
    for item in items:
        for number, (title, letters) in enumerate(fasta_records(item), start=1):
            where = f"{item.label}: record {number}"
            places = {words[found.casefold()] for found in pattern.findall(title)}
            if len(places) > 1:
                request.inspector.note("protein with several locations")
            elif not places:
                request.inspector.refuse("title without a location", f"{where}: title {title!r} names no location.")
            else:
                yield Row((letters,), re.split(r"[\s|]", title, maxsplit=1)[0] or str(number), places.pop())
