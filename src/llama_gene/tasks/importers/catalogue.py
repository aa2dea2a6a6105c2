"""The catalogue of importers: the name of a layout and the function that finds its tasks."""

import difflib
from collections.abc import Callable, Iterator, Mapping

from llama_gene.errors import ConfigError
from llama_gene.tasks.importers.dna_sets import find_genomic_benchmarks, find_gue, find_nucleotide_transformer
from llama_gene.tasks.importers.fitness import find_flip, find_proteingym
from llama_gene.tasks.importers.formats import FORMATS
from llama_gene.tasks.importers.found import Found, Request
from llama_gene.tasks.importers.functions import find_clean_ec, find_goa, find_uniprot
from llama_gene.tasks.importers.instructions import (
    find_alpaca,
    find_biology_instructions,
    find_mol_instructions,
    find_opi,
    find_sharegpt,
)
from llama_gene.tasks.importers.intervals import find_bed
from llama_gene.tasks.importers.location import find_deeploc, find_multiloc, find_psortb
from llama_gene.tasks.importers.lucaone import find_lucaone
from llama_gene.tasks.importers.pairs import find_dscript, find_pipr, find_rost, find_rpi
from llama_gene.tasks.importers.questions import find_biomedgpt, find_instructprotein
from llama_gene.tasks.importers.regulatory import find_deepstarr, find_mpra
from llama_gene.tasks.importers.rna import find_bprna
from llama_gene.tasks.importers.tape import find_peer, find_tape

Importer = Callable[[Request], Iterator[Found]]

IMPORTERS: Mapping[str, Importer] = {
    "gue": find_gue,
    "nucleotide-transformer": find_nucleotide_transformer,
    "genomic-benchmarks": find_genomic_benchmarks,
    "bed": find_bed,
    "deepstarr": find_deepstarr,
    "mpra": find_mpra,
    "bprna": find_bprna,
    "flip": find_flip,
    "proteingym": find_proteingym,
    "tape": find_tape,
    "peer": find_peer,
    "lucaone": find_lucaone,
    "dscript": find_dscript,
    "pipr": find_pipr,
    "rost": find_rost,
    "rpi": find_rpi,
    "deeploc": find_deeploc,
    "multiloc": find_multiloc,
    "psortb": find_psortb,
    "clean-ec": find_clean_ec,
    "uniprot": find_uniprot,
    "goa": find_goa,
    "instructprotein": find_instructprotein,
    "biomedgpt": find_biomedgpt,
    "alpaca": find_alpaca,
    "sharegpt": find_sharegpt,
    "mol-instructions": find_mol_instructions,
    "opi": find_opi,
    "biology-instructions": find_biology_instructions,
}


def find_importer(name: str) -> Importer:
    """The importer of a layout.

    Raises:
        ConfigError: there is none of this name; the message lists them.
    """
    if name in IMPORTERS:
        return IMPORTERS[name]
    near = difflib.get_close_matches(name, FORMATS, n=1)
    advice = f"did you mean {near[0]!r}? " if near else ""
    raise ConfigError(f"--format {name!r}: no such format; {advice}Published ones are {', '.join(FORMATS)}.")
