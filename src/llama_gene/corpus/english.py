"""English that is asked about later and so must not be read: abstracts of PubMedQA, and texts named as held out.

PubMedQA (Jin et al. 2019): questions about abstracts, answered yes, no or maybe. A corpus may read the same file: a
fifth of its records, by a hash of their identifier, is held out. `corpus build` leaves out every document that shares a
run of words with one of those, and the evaluation asks no others.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from llama_gene.config import ControlsConfig, resolve
from llama_gene.corpus.items import Sought
from llama_gene.errors import DataError
from llama_gene.sequences.files import Item, list_files, open_text
from llama_gene.sequences.readers import read_records

DECISIONS = ("yes", "no", "maybe")
PUBMEDQA = "English control pubmedqa"
TEXTS = "English control texts"
_ONE_IN = 5


@dataclass(frozen=True)
class AbstractQuestion:
    """A question about an abstract; `context` is the abstract without its conclusion, which is `long_answer`."""

    id: str
    question: str
    context: str
    long_answer: str
    decision: str


def is_held_out(identifier: str) -> bool:
    """True for one identifier in five, the same ones everywhere.

    >>> [number for number in range(12) if is_held_out(str(number))]
    [1, 2, 7]
    """
    return int.from_bytes(blake2b(identifier.encode(), digest_size=8).digest()) % _ONE_IN == 0


def control_files(config: ControlsConfig, data: Path) -> dict[str, Path]:
    """What the settings name, by what it is called as an input of a stage.

    Raises:
        DataError: a path leads to nothing.
    """
    paths = ([config.pubmedqa] if config.pubmedqa else []) + list(config.texts)
    return {f"English control {path}": file for path in paths for file in list_files(resolve(path, data))}


def held_out_english(config: ControlsConfig, data: Path) -> Iterator[Sought]:
    """Every text of the controls that no training document may hold.

    Raises:
        DataError: a file is missing or of another layout.
    """
    if config.pubmedqa:
        for asked in read_pubmedqa(resolve(config.pubmedqa, data)):
            if is_held_out(asked.id):
                yield Sought(PUBMEDQA, "text", "\n".join((asked.question, asked.context, asked.long_answer)))
    for text in read_texts_of(config, data):
        yield Sought(TEXTS, "text", text)


def read_texts_of(config: ControlsConfig, data: Path) -> Iterator[str]:
    """The named texts, in order; a record that cannot be read is an error."""
    for path in config.texts:
        for file in list_files(resolve(path, data)):
            yield from (record.text for record in read_records(file, "text"))


def read_pubmedqa(path: Path) -> Iterator[AbstractQuestion]:
    """The labelled questions of PubMedQA, in the order of the file.

    Args:
        path: JSON of records by PubMed identifier, as its authors publish them (QUESTION, CONTEXTS, LONG_ANSWER,
            final_decision), or a JSON list or one object a line, as data sets have it (pubid, question, context,
            long_answer, final_decision); may be compressed.

    Raises:
        DataError: no such file, not JSON, or a record that lacks a field or answers otherwise than yes, no or maybe.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file. Expected PubMedQA's labelled questions; check controls.pubmedqa.")
    with open_text(Item(path)) as text:
        content = text.read()
    for name, fields in _records(content, path):
        yield _question(name, fields, f"{path}: record {name!r}")


def _records(content: str, path: Path) -> Iterator[tuple[str, Any]]:
    try:
        values = json.loads(content)
    except ValueError:
        try:
            values = [json.loads(line) for line in content.split("\n") if line.strip()]
        except ValueError as error:
            raise DataError(f"{path}: not JSON ({error}). Expected PubMedQA's labelled questions.") from None
    if isinstance(values, dict):
        yield from values.items()
    elif isinstance(values, list):
        yield from ((str(place), fields) for place, fields in enumerate(values))
    else:
        raise DataError(f"{path}: expected records by identifier or a list of them, found neither.")


def _question(name: str, record: Any, where: str) -> AbstractQuestion:
    if not isinstance(record, Mapping):
        raise DataError(f"{where}: expected an object with a question, contexts and a decision. Fetch the file again.")
    fields = {str(key).lower(): value for key, value in record.items()}
    contexts = fields.get("contexts", fields.get("context"))
    if isinstance(contexts, Mapping):
        contexts = contexts.get("contexts")
    found = {
        "question": fields.get("question"),
        "contexts": " ".join(map(str, contexts)) if isinstance(contexts, list) else None,
        "long_answer": fields.get("long_answer"),
        "final_decision": fields.get("final_decision"),
    }
    missing = [field for field, value in found.items() if not isinstance(value, str) or not value.strip()]
    if missing:
        raise DataError(f"{where}: {missing[0]} is missing or empty. Expected the layout of PubMedQA's labelled part.")
    if found["final_decision"] not in DECISIONS:
        raise DataError(
            f"{where}: the decision {found['final_decision']!r} is none of {', '.join(DECISIONS)}. Mend the record."
        )
    return AbstractQuestion(
        id=str(fields.get("pubid", fields.get("pmid", name))),
        question=str(found["question"]).strip(),
        context=str(found["contexts"]).strip(),
        long_answer=str(found["long_answer"]).strip(),
        decision=str(found["final_decision"]),
    )
