"""Questions about proteins: the benchmarks of InstructProtein, and the question answering of BioMedGPT.

Layouts:
- instructprotein (github.com/HICAI-ZJU/InstructProtein, benchmarks/): gene_ontology/*.json, one object a line with
  `sequence`, `label` and `negative_labels` (GO identifiers, named by go-basic.obo); scope_fold_rank/*.json with
  `sequence`, `fold`, `negative_labels` (named by dir.des.scope.*.txt); metal_ion_binding/*.txt of sequence, tab, 0/1.
- biomedgpt (github.com/PharMolix/OpenBioMed, PQA of UniProtQA): sequences.json of accession to sequence, and
  train.json, val.json, test.json, lists of `protein_accession`, `question`, `answer`.

The words of the questions are ours; each names its term, so every record keeps its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llama_gene.errors import DataError
from llama_gene.sequences.files import Item
from llama_gene.tasks.importers.found import (
    TABLES,
    Definition,
    Found,
    Origin,
    Request,
    Row,
    as_published,
    as_table,
    describe_task,
    label,
)
from llama_gene.tasks.importers.json_stream import read_json, read_json_entries
from llama_gene.tasks.importers.layout import (
    file_entry,
    first_line,
    items_below,
    need_items,
    split_in,
    stem_of,
    suffix_of,
)
from llama_gene.tasks.importers.names import task_name
from llama_gene.tasks.importers.ontology import read_folds, read_terms
from llama_gene.tasks.importers.store import stored
from llama_gene.tasks.items import Words

_INSTRUCT = Origin("InstructProtein, benchmarks", "see the publisher", "Wang et al. 2024, InstructProtein, ACL")
_BIOMEDGPT = Origin(
    "UniProtQA of BioMedGPT", "see the publisher; UniProt: CC BY 4.0", "Luo et al. 2024, BioMedGPT, IEEE JBHI"
)
_YES_NO = [label("no"), label("yes")]


def find_instructprotein(request: Request) -> Iterator[Found]:
    """Tasks for GO terms (yes or no), for folds, and for metal ion binding, of the files there are."""
    items = [item for path in (request.path, *request.references) for item in items_below(path)]
    lines = [item for item in items if suffix_of(item) in (".json", ".jsonl")]
    terms = [item for item in lines if _has(item, "label", "negative_labels")]
    folds = [item for item in lines if _has(item, "fold")]
    metal = [item for item in items if suffix_of(item) == ".txt" and _is_metal(item)]
    need_items([*terms, *folds, *metal], request.path, "gene_ontology/, scope_fold_rank/ or metal_ion_binding/")
    if metal:
        reader = {
            "type": "table", "format": "tsv", "header": False, "sequences": [0], "label": 1,
            "files": [file_entry(item) for item in metal],
        }  # fmt: skip
        yield as_published(f"{request.prefix}-metal-ion-binding", _define_metal(reader))
    if terms:
        names = _names(items, ".obo", read_terms, "go-basic.obo", request)
        for item in terms:
            name = task_name(request.prefix, ["go", stem_of(item).removesuffix(".lm")])
            made = _define_own(name, "GO term recognition", _INSTRUCT, _YES_NO)
            yield as_table(name, made, _term_rows(request, item, names))
    if folds:
        names = _names(items, ".txt", read_folds, "dir.des.scope.2.08-stable.txt", request)
        name = f"{request.prefix}-fold"
        made = _define_own(name, "fold recognition", _INSTRUCT, [])
        yield as_table(name, made, _fold_rows(request, folds, names))


def _has(item: Item, *fields: str) -> bool:
    first = next((value for _, value in read_json(item)), None)
    return isinstance(first, dict) and "sequence" in first and all(field in first for field in fields)


def _is_metal(item: Item) -> bool:
    cells = first_line(item).split("\t")
    return len(cells) == 2 and cells[0].isalpha() and cells[1].strip() in ("0", "1")


def _define_metal(reader: Definition) -> Definition:
    return describe_task(
        title="metal ion binding prediction", family="classification", question="Does this protein bind a metal ion?",
        inputs=["protein"], reader=reader, origin=_INSTRUCT, labels=[label("no", "0"), label("yes", "1")], keep="end",
    )  # fmt: skip


def _define_own(name: str, title: str, origin: Origin, labels: Sequence[Mapping[str, Any]]) -> Definition:
    """The definition of a task whose records have questions of their own."""
    reader = {"type": "instructions", "files": [{"path": f"{TABLES}{name}.jsonl"}]}
    return describe_task(
        title=title, family="classification" if labels else "function", inputs=["protein"], origin=origin, keep="whole",
        question=f"Questions of '{title}', each in words of its own.", reader=reader, labels=labels,
        split={"by": "sequence"},
    )  # fmt: skip


def _names(items: Sequence[Item], suffix: str, read: Any, wanted: str, request: Request) -> dict[str, str]:
    names = {
        key: word for item in items if suffix_of(item) == suffix and not _is_metal(item) for key, word in read(item)
    }
    if not names:
        raise DataError(f"{request.path}: no names for its labels. Give {wanted} with --reference FILE.")
    return names


def _term_rows(request: Request, item: Item, names: Mapping[str, str]) -> Iterator[Row]:
    split = split_in([stem_of(item).removesuffix(".lm")])
    for number, record in read_json(item):
        for field, answer in (("label", "yes"), ("negative_labels", "no")):
            for term in record.get(field) or ():
                if term not in names:
                    request.inspector.note("term that the ontology does not have")
                    continue
                question = f"Is this protein annotated with the term {names[term]} ({term}) of the Gene Ontology?"
                letters = str(record["sequence"])
                yield Row(
                    (letters,), f"{stem_of(item)}-{number}-{term}", answer, split=split, words=Words(question, letters)
                )


def _fold_rows(request: Request, items: Sequence[Item], names: Mapping[str, str]) -> Iterator[Row]:
    question = "Which fold of SCOPe has this protein domain?"
    for item in items:
        split = split_in([stem_of(item).removesuffix(".lm")])
        for number, record in read_json(item):
            fold = str(record.get("fold", ""))
            if fold not in names:
                request.inspector.refuse(
                    "fold without a name", f"{item.label}: record {number}: fold {fold!r} has no name."
                )
                continue
            letters = str(record["sequence"])
            yield Row((letters,), f"{stem_of(item)}-{number}", names[fold], split=split, words=Words(question, letters))


def find_biomedgpt(request: Request) -> Iterator[Found]:
    """One task: questions about a protein; those about several proteins are counted and left out."""
    items = [item for path in (request.path, *request.references) for item in items_below(path)]
    lookup = [item for item in items if item.name == "sequences.json"]
    asked = [item for item in items if suffix_of(item) in (".json", ".jsonl") and item not in lookup and _asks(item)]
    need_items(asked, request.path, "train.json, val.json, test.json of protein_accession, question, answer")
    if not lookup:
        raise DataError(f"{request.path}: no sequences.json. Name it with --reference FILE.")
    name = request.prefix
    made = _define_own(name, "protein question answering", _BIOMEDGPT, [])
    yield as_table(name, made, _question_rows(request, asked, lookup))


def _asks(item: Item) -> bool:
    first = next((value for _, value in read_json(item)), None)
    return isinstance(first, dict) and {"protein_accession", "question", "answer"} <= set(first)


def _question_rows(request: Request, asked: Sequence[Item], lookup: Sequence[Item]) -> Iterator[Row]:
    entries = ((key, _letters(value)) for item in lookup for key, value in read_json_entries(item))
    with stored(entries, request.scratch) as store:
        for item in asked:
            split = split_in([stem_of(item)])
            for number, record in read_json(item):
                accessions = record.get("protein_accession") or []
                accessions = [accessions] if isinstance(accessions, str) else list(accessions)
                if len(accessions) != 1:
                    request.inspector.note("question about several proteins")
                elif accessions[0] not in store or accessions[0] in store.ambiguous:
                    request.inspector.refuse(
                        "accession without a sequence",
                        f"{item.label}: record {number}: {accessions[0]!r} is not in sequences.json.",
                    )
                else:
                    letters, question = store.read(accessions[0]), str(record["question"]).strip()
                    yield Row((letters,), f"{stem_of(item)}-{number}", str(record["answer"]).strip(), split=split,
                              words=Words(question, letters))  # fmt: skip


def _letters(value: Any) -> str:
    """A sequence, given plain or as FASTA text."""
    return "".join(line.strip() for line in str(value).splitlines() if not line.startswith(">"))
