"""What proteins do: EC numbers as CLEAN has them, UniProt flat files, and annotations with the Gene Ontology.

Layouts:
- clean-ec: tab-separated `Entry`, `EC number`, `Sequence`; several numbers are parted by ';'
  (github.com/tttianhao/CLEAN, app/data: split10.csv … split100.csv to train on, new.csv and price.csv to test).
- uniprot: UniProtKB flat text (uniprot.org/help/entry-view; web.expasy.org/docs/userman.html), read as it is.
- goa: GAF 2.2 (geneontology.org/docs/go-annotation-file-gaf-format-2.2), or a table with a header of protein, term and
  aspect (QuickGO's TSV, CAFA's train_terms.tsv), with a FASTA of the proteins and, for the terms' names, go-basic.obo
  as references.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from llama_gene.errors import DataError
from llama_gene.sequences.files import Item, open_text
from llama_gene.tasks.definitions import load_task
from llama_gene.tasks.importers.found import (
    Definition,
    Found,
    Origin,
    Request,
    Row,
    as_published,
    as_table,
    describe_task,
    label,
    table_reader,
)
from llama_gene.tasks.importers.layout import (
    columns_of,
    fasta_records,
    first_line,
    is_fasta,
    items_below,
    need_items,
    path_of,
    read_rows,
    stem_of,
    suffix_of,
)
from llama_gene.tasks.importers.names import task_name
from llama_gene.tasks.importers.ontology import read_terms

_CLEAN = Origin("CLEAN", "see the publisher; Swiss-Prot: CC BY 4.0", "Yu et al. 2023, Science 379:1358")
_UNIPROT = Origin("UniProtKB", "CC BY 4.0", "The UniProt Consortium 2025, Nucleic Acids Research 53:D609")
_GOA = Origin(
    "Gene Ontology annotations", "CC BY 4.0", "The Gene Ontology Consortium 2023, Genetics 224:iyad031"
)  # fmt: skip
_CLEAN_COLUMNS = {"Entry", "EC number", "Sequence"}
# Four levels, the last of them preliminary (n1) or the later ones open (-).
_EC = r"[1-7](?:\.(?:\d+|-)){2}\.(?:n?\d+|-)"
_EC_LIST = rf"^({_EC}(?:\s*;\s*{_EC})*)\s*;?\s*$"
_FIELDS = {
    "function": ("protein function prediction", "What does this protein do, in one sentence?", {"sentences": 1}),
    "go": ("protein function prediction", "Which terms of the Gene Ontology describe this protein?", {"terms": 3}),
    "ec": ("enzyme number prediction", "Which EC number has this enzyme?", {"terms": 3}),
    "product": ("protein name prediction", "What is this protein called?", {"terms": 1}),
}
_ASPECTS = {
    "F": ("molecular-function", "molecular functions"),
    "P": ("biological-process", "biological processes"),
    "C": ("cellular-component", "cellular components"),
}
_ASPECT_WORDS = {
    "f": "F", "mfo": "F", "mf": "F", "molecular_function": "F", "function": "F",
    "p": "P", "bpo": "P", "bp": "P", "biological_process": "P", "process": "P",
    "c": "C", "cco": "C", "cc": "C", "cellular_component": "C", "component": "C",
}  # fmt: skip
_PROTEIN_COLUMNS = ("gene product id", "entryid", "entry", "protein", "accession", "uniprot", "db_object_id", "id")
_TERM_COLUMNS = ("go term", "go id", "go_id", "term", "goid")
_ASPECT_COLUMNS = ("go aspect", "aspect", "ontology")
_QUALIFIER_COLUMNS = ("qualifier",)
_GAF_COLUMNS = 15


def find_clean_ec(request: Request) -> Iterator[Found]:
    """One task for each training file, tested on new.csv and price.csv where they lie beside it; read as they are."""
    items = [item for item in items_below(request.path) if suffix_of(item) in (".csv", ".tsv", ".txt")]
    tables = [item for item in items if set(first_line(item).split("\t")) >= _CLEAN_COLUMNS]
    need_items(tables, request.path, "tab-separated files of Entry, EC number, Sequence")
    tests = [item for item in tables if stem_of(item) in ("new", "price")]
    training = [item for item in tables if item not in tests]
    for item in tables:
        _check_numbers(request, item)
    for item in training or tests:
        held_out = [{"path": path_of(test), "split": "test"} for test in tests] if training else []
        files = [{"path": path_of(item), **({"split": "train"} if held_out else {})}, *held_out]
        reader = {
            "type": "table", "format": "tsv", "files": files, "sequences": ["Sequence"], "label": "EC number",
            "id": "Entry",
        }  # fmt: skip
        parts = [stem_of(item)] if len(training or tests) > 1 else []
        yield as_published(task_name(request.prefix, parts), _define_clean(reader))


def _define_clean(reader: Definition) -> Definition:
    title, question, _ = _FIELDS["ec"]
    return describe_task(
        title=title, family="function", question=question, inputs=["protein"], reader=reader, origin=_CLEAN,
        keep="start", answer={"pattern": _EC_LIST, "terms": 3}, split={"similarity": 0.2},
    )  # fmt: skip


def _check_numbers(request: Request, item: Item) -> None:
    """Count what is no EC number: the definition leaves it out when the task is split."""
    with open_text(item, errors="replace") as text:
        header = next(text).rstrip("\n").split("\t")
        place = header.index("EC number")
        for number, line in enumerate(text, start=2):
            cells = line.rstrip("\n").split("\t")
            if len(cells) == len(header) and not re.search(_EC_LIST, cells[place].strip()):
                request.inspector.refuse(
                    "no EC number",
                    f"{item.label}:{number}: {cells[place]!r} is no EC number. Expected such as 2.7.11.1.",
                )


def find_uniprot(request: Request) -> Iterator[Found]:
    """Tasks for the function, the GO terms, the EC numbers, the class of an enzyme and the name; flat files are read as
    they are.
    """
    items = [item for item in items_below(request.path) if first_line(item).startswith("ID   ")]
    need_items(items, request.path, "UniProt flat text, which begins with 'ID   '")
    reader = {"type": "annotation", "files": [{"path": path_of(item)} for item in items], "format": "uniprot"}
    for field, (title, question, rule) in _FIELDS.items():
        made = describe_task(
            title=title, family="function", question=question, inputs=["protein"], reader=reader | {"field": field},
            origin=_UNIPROT, keep="start", split={"similarity": 0.2}, answer=rule,
        )  # fmt: skip
        yield as_published(f"{request.prefix}-{field}", made)
    ours = load_task("enzyme-class")
    made = describe_task(
        title=ours.title, family="function", question=ours.definition, inputs=["protein"], origin=_UNIPROT,
        keep="start", reader=reader | {"field": "ec_class"}, split={"similarity": 0.2},
        labels=[label(one.name, *one.values) for one in ours.labels],
    )  # fmt: skip
    yield as_published(f"{request.prefix}-ec-class", made)


def find_goa(request: Request) -> Iterator[Found]:
    """One task for each aspect of the ontology: all terms of a protein, named where the ontology is at hand."""
    items = [item for path in (request.path, *request.references) for item in items_below(path)]
    fasta = [item for item in items if suffix_of(item) not in (".gaf", ".obo") and is_fasta(item)]
    ontology = [item for item in items if suffix_of(item) == ".obo"]
    tables = [item for item in items if item not in fasta and (suffix_of(item) == ".gaf" or _is_table(item))]
    need_items(tables, request.path, "a GAF file, or a table of protein, GO term and aspect")
    if not fasta:
        raise DataError(f"{request.path}: no FASTA of the annotated proteins. Name it with --reference FILE.")
    names = {term: word for item in ontology for term, word in read_terms(item)}
    proteins = {_accession(title) for item in fasta for title, _ in fasta_records(item)}
    found = _annotations(request, tables, proteins)
    if not any(found.values()):
        raise DataError(f"{tables[0].label}: none of its proteins is in {fasta[0].label}. Name the FASTA they are of.")
    for aspect, (word, plural) in _ASPECTS.items():
        name = f"{request.prefix}-{word}"
        made = describe_task(
            title=f"{plural} prediction", family="function", inputs=["protein"], origin=_GOA, keep="start",
            question=f"Which {plural} of the Gene Ontology describe this protein?",
            reader=table_reader(name, answer=True), split={"similarity": 0.2}, answer={"terms": 3},
        )  # fmt: skip
        if found[aspect]:
            yield as_table(name, made, _annotated_rows(fasta, found[aspect], names))


def _is_table(item: Item) -> bool:
    if suffix_of(item) not in (".tsv", ".txt", ".csv"):
        return False
    columns = [column.lower() for column in columns_of(item)]
    return any(name in columns for name in _TERM_COLUMNS) and any(name in columns for name in _PROTEIN_COLUMNS)


def _accession(title: str) -> str:
    """The accession in a FASTA title, of UniProt or plain.

    >>> _accession("sp|P69905|HBA_HUMAN Hemoglobin"), _accession("P69905 alpha")
    ('P69905', 'P69905')
    """
    name = title.split(maxsplit=1)[0] if title.strip() else ""
    return name.split("|")[1] if name.count("|") >= 2 else name


def _annotations(request: Request, tables: Sequence[Item], proteins: set[str]) -> dict[str, dict[str, set[int]]]:
    """Aspect, protein, numbers of its terms; memory holds the numbers of the proteins in the FASTA alone."""
    found: dict[str, dict[str, set[int]]] = {aspect: {} for aspect in _ASPECTS}
    for item in tables:
        for where, protein, term, aspect, qualifier in _annotation_rows(request, item):
            if "NOT" in qualifier.split("|"):
                request.inspector.note("annotation that says NOT")
            elif not re.fullmatch(r"GO:\d{7}", term) or aspect not in found:
                request.inspector.refuse(
                    "no term or aspect of GO",
                    f"{where}: term {term!r}, aspect {aspect!r}. Expected GO:0000000 and F, P, C.",
                )
            elif protein not in proteins:
                request.inspector.note("annotation of a protein that is not in the FASTA")
            else:
                found[aspect].setdefault(protein, set()).add(int(term[3:]))
    return found


def _annotation_rows(request: Request, item: Item) -> Iterator[tuple[str, str, str, str, str]]:
    """Place, protein, term, aspect and qualifiers of each annotation."""
    if suffix_of(item) == ".gaf":
        with open_text(item, errors="replace") as text:
            for number, line in enumerate(text, start=1):
                cells = line.rstrip("\n").split("\t")
                if line.startswith("!") or not line.strip():
                    continue
                if len(cells) < _GAF_COLUMNS:
                    request.inspector.refuse(
                        "row of another length", f"{item.label}:{number}: {len(cells)} columns. GAF has at least 15."
                    )
                    continue
                yield f"{item.label}:{number}", cells[1], cells[4], cells[8], cells[3]
        return
    for where, row in read_rows(item, request.inspector):
        cells_of = {key.lower(): str(value) for key, value in row.items()}
        protein, term, aspect, qualifier = (
            next((cells_of[name] for name in names if name in cells_of), "")
            for names in (_PROTEIN_COLUMNS, _TERM_COLUMNS, _ASPECT_COLUMNS, _QUALIFIER_COLUMNS)
        )
        yield where, protein, term, _ASPECT_WORDS.get(aspect.strip().lower().replace(" ", "_"), aspect), qualifier


def _annotated_rows(fasta: Sequence[Item], terms: Mapping[str, set[int]], names: Mapping[str, str]) -> Iterator[Row]:
    for item in fasta:
        for title, letters in fasta_records(item):
            numbers = sorted(terms.get(_accession(title), ()))
            if numbers:
                answer = "; ".join(_spelled(f"GO:{number:07d}", names) for number in numbers)
                yield Row((letters,), _accession(title), answer)


def _spelled(term: str, names: Mapping[str, str]) -> str:
    return f"{names[term]}({term})" if term in names else term
