"""An index of records that lasts only as long as it is needed: sequences to align with, and what is said of each."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from llama_gene.config import IndexConfig
from llama_gene.retrieval.index import Index
from llama_gene.retrieval.store import open_reader, open_writer
from llama_gene.sequences.records import Record


@contextmanager
def index_records(records: Iterable[Record]) -> Iterator[Index]:
    """An open index of DNA and protein records, asked in the usual way; gone afterwards.

    Args:
        records: With upper-case letters and, as description, what hits say of them.

    >>> known = [Record("P1", "protein", "MKTAYIAKQRQISFVKSHFSRQ", "mine.fa", "Kinase")]
    >>> with index_records(known) as index:
    ...     index.find_sequences("MKTAYIAKQRQISFVKSHFSRQ", "protein")[0].description
    'Kinase'
    """
    counts: Counter[str] = Counter()
    with TemporaryDirectory() as name:
        folder = Path(name)
        with open_writer(folder) as writer:
            for record in records:
                writer.add_sequence(record, "dna" if record.kind == "dna" else "protein")
                counts[f"{record.kind} records"] += 1
                counts[f"{record.kind} letters"] += len(record.text)
            writer.finish_file(folder, counts)
        vectors_ND = np.zeros((0, 0), np.float16)
        with closing(Index(folder, counts, IndexConfig(), open_reader(folder), None, vectors_ND, {})) as index:
            yield index
