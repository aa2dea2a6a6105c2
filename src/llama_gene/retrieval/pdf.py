"""Text of PDF files, a record for each page, through pypdf (an extra)."""

import logging
from collections.abc import Iterator
from pathlib import Path

from llama_gene.config import OnInvalid
from llama_gene.errors import DataError
from llama_gene.sequences.files import Inspector
from llama_gene.sequences.prose import tidy
from llama_gene.sequences.records import Record

try:
    import pypdf
    from pypdf.errors import PyPdfError
except ImportError:
    pypdf = None

SIGNATURE = b"%PDF-"
# pypdf says of every oddity what it did about it.
logging.getLogger("pypdf").setLevel(logging.ERROR)


def read_pdf(path: Path, on_invalid: OnInvalid, counts: dict[str, int]) -> Iterator[Record]:
    """The pages of a PDF that hold text, named `file.pdf#page`; pages of pictures alone are counted.

    Args:
        path: The file.
        on_invalid: error: stop at a broken file; skip: count it.
        counts: Filled with refusals, by reason.

    Raises:
        DataError: pypdf is not installed, or the file is broken or encrypted and `on_invalid` is "error".
    """
    if pypdf is None:
        raise DataError(f"{path}: PDF needs an extra. Install it: pip install 'llama-gene[search]'.")
    inspector = Inspector(on_invalid, counts)  # type: ignore[arg-type]
    try:
        reader = pypdf.PdfReader(path)
        for number, page in enumerate(reader.pages, start=1):
            # Broken fonts give lone surrogates, which no file can hold.
            words = tidy(page.extract_text().encode("utf-8", "replace").decode("utf-8").replace("\0", ""))
            if not words.strip():
                inspector.note("pages without text")
                continue
            yield Record(f"{path.name}#{number}", "text", words, str(path))
    except (PyPdfError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        inspector.refuse(
            "unreadable file", f"{path}: cannot be read as PDF ({error}). Expected a whole PDF without a password."
        )
