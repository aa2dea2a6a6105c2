"""Writes the synthetic organism as a data folder: genomes, proteins, text, task tables and their definitions.

genomes/*.fa.gz, *.gbk.gz     two species
proteins/*.faa.gz             their proteins, and further members of the families
text/*.md                     the package's English pages, and a page on the genes of each species
tasks/*.csv                   questions with known answers
tasks/definitions/*.toml      how each is asked
"""

from importlib import resources
from pathlib import Path

from llama_gene.artifacts import Ledger, Manifest, build_stage, write_text
from llama_gene.config import DemoConfig
from llama_gene.demo.files import fasta, genbank, genome_pages, protein_records, write_gzip
from llama_gene.demo.genome import SPECIES, Species, make_genome
from llama_gene.demo.proteins import family_named
from llama_gene.demo.tables import csv_text, relatives, task_tables

_CODE = 1
_ENGLISH = Path(str(resources.files("llama_gene.tokenizer"))) / "english"
_DEFINITIONS = Path(__file__).parent / "definitions"


def write_demo(config: DemoConfig, *, seed: int, output: Path) -> Manifest:
    """Make the data folder of the synthetic organism; the same seed gives the same bytes.

    Args:
        config: How many genes, items and pairs.
        seed: Seed of every random choice.
        output: Folder to write.

    Raises:
        ArtifactError: `output` is in use or holds something else.
    """

    def build(work: Path, ledger: Ledger) -> None:
        for folder in ("genomes", "proteins", "text", "tasks/definitions"):
            (work / folder).mkdir(parents=True, exist_ok=True)
        for species in SPECIES:
            _write_species(species, config.genes, seed, work, ledger)
        _write_relatives(config.task_items, seed, work, ledger)
        for name, table in task_tables(config.task_items, config.pairs, seed):
            write_text(work / "tasks" / f"{name}.csv", csv_text(table))
            ledger.counts[f"items of {name}"] = len(table.rows)
        for source in sorted(_DEFINITIONS.glob("*.toml")):
            write_text(work / "tasks" / "definitions" / source.name, source.read_text(encoding="utf-8"))
            ledger.counts["task definitions"] += 1
        for source in sorted(_ENGLISH.glob("*.md")):
            write_text(work / "text" / f"english-{source.name}", source.read_text(encoding="utf-8"))
            ledger.counts["English pages"] += 1
        ledger.facts["note"] = "synthetic: made by a program, from no living thing and no database"

    inputs = {"definitions": _DEFINITIONS, "english": _ENGLISH}
    return build_stage("demo", output, build, config=config, inputs=inputs, seed=seed, code=_CODE)


def _write_species(species: Species, genes: int, seed: int, work: Path, ledger: Ledger) -> None:
    genome = make_genome(species, genes, seed)
    chromosomes = [(chromosome.id, species.name, chromosome.letters) for chromosome in genome]
    write_gzip(work / "genomes" / f"{species.key}.fa.gz", fasta(chromosomes))
    write_gzip(work / "genomes" / f"{species.key}.gbk.gz", genbank(genome))
    write_gzip(work / "proteins" / f"{species.key}.faa.gz", fasta(protein_records(genome)))
    write_text(work / "text" / f"{species.key}.md", genome_pages(genome))
    ledger.counts[f"{species.key} genes"] = genes
    ledger.counts[f"{species.key} bases"] = sum(len(chromosome.letters) for chromosome in genome)


def _write_relatives(count: int, seed: int, work: Path, ledger: Ledger) -> None:
    records = [
        (f"SYR_{number:05d}", f"{family_named(protein.family).product} [synthetic relative]", protein.residues)
        for number, protein in enumerate(relatives(count, seed), start=1)
    ]
    write_gzip(work / "proteins" / "relatives.faa.gz", fasta(records))
    ledger.counts["relatives"] = count
