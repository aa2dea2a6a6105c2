"""UniProt flat files, one entry at a time, parsed by Biopython; evidence marks are taken out of the prose."""

import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from Bio import SwissProt

from llama_gene.config import Kind
from llama_gene.sequences.fasta import Entry
from llama_gene.sequences.files import Inspector, Item, open_text

_EVIDENCE = re.compile(r"\s*\{(?:ECO:[^{}]*)\}")
_REFERENCE = re.compile(r"(?:PubMed:\d+|Ref\.\d+|By similarity|Probable|Potential)")
_CITATION = re.compile(rf"\s*\((?:{_REFERENCE.pattern}(?:,\s*|\s+and\s+|$|(?=\))))+\)")
_NAME = re.compile(r"(?:RecName|SubName): Full=(?P<name>[^;{]+?)\s*(?:\{[^}]*\})?;")
_EC = re.compile(r"\bEC=([\d.n-]+)")
_FRAGMENT = re.compile(r"\bFlags:[^:]*\bFragments?;")
_FAMILY = re.compile(r"^SIMILARITY: .*?\bbelongs to the (.+?(?:super)?family)\b", re.IGNORECASE | re.DOTALL)
_ASPECTS = {"function": "F", "process": "P", "component": "C"}
_STRAIN = re.compile(r"\s*\((?:strain|isolate)\b.*$", re.DOTALL)
_PROTEIN_STATUS = re.compile(r"^\[[^\]]{1,60}\]:\s*")


def parse_uniprot(item: Item, kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    """Entries of a flat file with annotations accession, product, organism, gene, ec, fragment, family, function and
    go, also by aspect as go_function, go_process and go_component.

    "ec" holds every number of the description, those of alternative names and of the parts that a protein includes or
    is cut into as well, as UniProt's own column of EC numbers does.

    "family" holds what each comment on similarity names first, which is the widest: a family or superfamily.

    For "text" the letters are "product: function", and entries without a FUNCTION line are counted.
    """
    entries = _parse_entries(item, inspector)
    yield from _functions(entries, inspector) if kind == "text" else entries


def _parse_entries(item: Item, inspector: Inspector) -> Iterator[Entry]:
    with open_text(item) as text:
        block: list[str] = []
        first = 1
        for number, line in enumerate(text, start=1):
            block.append(line)
            if line.startswith("//"):
                yield from _parse_block(block, first, item, inspector)
                block, first = [], number + 1
        if any(line.strip() for line in block):
            inspector.refuse(
                "broken UniProt entry",
                f"{item.label}:{first}: the last entry has no '//' line. Expected a whole file; fetch it again.",
                records=1,
            )


def _functions(entries: Iterator[Entry], inspector: Inspector) -> Iterator[Entry]:
    for entry in entries:
        function, product = str(entry.annotations.get("function", "")), str(entry.annotations.get("product", ""))
        if not function:
            inspector.note("entries without FUNCTION text")
            continue
        yield entry._replace(letters=f"{product}: {function}" if product else function)


def _parse_block(block: list[str], line: int, item: Item, inspector: Inspector) -> Iterator[Entry]:
    try:
        record = SwissProt.read(io.StringIO("".join(block)))
    except (ValueError, IndexError, KeyError, AssertionError, SwissProt.SwissProtParserError) as error:
        inspector.refuse(
            "broken UniProt entry",
            f"{item.label}:{line}: the entry cannot be parsed ({error}). Expected UniProt flat text; fetch it again.",
            records=1,
        )
        return
    found = {key: value for key, value in _annotations(record).items() if value}
    identifier = record.accessions[0] if record.accessions else record.entry_name
    yield Entry(identifier, str(found.get("product", "")), record.sequence, found, line)


def _annotations(record: Any) -> dict[str, str | tuple[str, ...]]:
    name = _NAME.search(record.description)
    functions = [text.removeprefix("FUNCTION:") for text in record.comments if text.startswith("FUNCTION:")]
    genes = record.gene_name[0].get("Name", "") if record.gene_name else ""
    return {
        "accession": record.accessions[0] if record.accessions else "",
        "product": name["name"] if name else "",
        "organism": _STRAIN.sub("", record.organism).rstrip(". "),
        "gene": strip_evidence(genes),
        "ec": tuple(dict.fromkeys(_EC.findall(record.description))),
        "fragment": "fragment" if _FRAGMENT.search(record.description) else "",
        "family": _families(record.comments),
        "function": " ".join(strip_evidence(text) for text in functions),
        "go": _terms(record, *_ASPECTS.values()),
        **{f"go_{name}": _terms(record, letter) for name, letter in _ASPECTS.items()},
    }


def _families(comments: Sequence[str]) -> tuple[str, ...]:
    """What the protein or a part of it belongs to, as the comments on similarity say.

    >>> _families(["SIMILARITY: In the C-terminal section; belongs to the ATPase superfamily. Katanin family."])
    ('ATPase superfamily',)
    """
    return tuple(dict.fromkeys(strip_evidence(found[1]) for found in map(_FAMILY.search, comments) if found))


def _terms(record: Any, *aspects: str) -> tuple[str, ...]:
    """Terms of the Gene Ontology as `name(GO:0000000)`, in the order of the entry."""
    rows = (row for row in record.cross_references if row[0] == "GO" and row[2][:1] in aspects)
    return tuple(f"{row[2].partition(':')[2]}({row[1]})" for row in rows)


def strip_evidence(text: str) -> str:
    """Prose without evidence braces, PubMed references and the label of an isoform or chain.

    >>> strip_evidence("[Isoform 2]: Cuts DNA (PubMed:12, PubMed:34). Binds zinc. {ECO:0000269|PubMed:12}.")
    'Cuts DNA. Binds zinc.'
    """
    text = _EVIDENCE.sub("", " ".join(text.split()))
    text = _PROTEIN_STATUS.sub("", _CITATION.sub("", text))
    return re.sub(r"\.(?:\s*\.)+", ".", re.sub(r"\s+([.,;:])", r"\1", text)).strip()
