"""What `tasks add --format` knows, one line each: kept apart from the importers so that `--help` is quick."""

from collections.abc import Mapping

FORMATS: Mapping[str, str] = {
    "gue": "GUE and GUE+: folders with train.csv, dev.csv, test.csv of sequence and label",
    "nucleotide-transformer": "tasks of the Nucleotide Transformer: FASTA with titles name|label, CSV or Parquet",
    "genomic-benchmarks": "Genomic Benchmarks: train/CLASS/*.txt, lists of intervals with a genome, or Parquet",
    "bed": "BED with labels, as in BEND, and the FASTA of its genome",
    "deepstarr": "DeepSTARR: FASTA and table of enhancer activities",
    "mpra": "tables of reporter assays: a column of sequences and columns of measured activity",
    "bprna": "bpRNA: secondary structures as .dbn, .st, .bpseq, .ct or JSON lines",
    "flip": "FLIP: splits as CSV or FASTA, or a state for each residue",
    "proteingym": "ProteinGym: a CSV of substitutions or indels for each assay",
    "tape": "TAPE: JSON or LMDB with the field primary",
    "peer": "PEER: LMDB or CSV with the field primary",
    "lucaone": "LucaOne: train, dev and test CSV with seq or seq_a and seq_b, and label.txt",
    "dscript": "D-SCRIPT: TSV of two identifiers and a label, and FASTA",
    "pipr": "PIPR: actions and dictionary TSV",
    "rost": "pairs of proteins with C1, C2 and C3 test lists",
    "rpi": "RPI369, RPI488, RPI1807, RPI2241: pairs of protein and RNA with two FASTA files",
    "deeploc": "DeepLoc: FASTA with the location in the title, or the CSV of DeepLoc 2.0",
    "multiloc": "MultiLoc: a FASTA file for each location",
    "psortb": "PSORTb: FASTA of bacterial proteins, the location in the title or the file's name",
    "clean-ec": "CLEAN: tab-separated Entry, EC number, Sequence",
    "uniprot": "UniProt flat text: function, GO terms, EC numbers, enzyme class, name",
    "goa": "Gene Ontology annotations: GAF 2.2 or a table, with a FASTA and go-basic.obo",
    "instructprotein": "InstructProtein: GO terms, folds, metal ion binding",
    "biomedgpt": "BioMedGPT: questions and answers about proteins, with sequences.json",
    "alpaca": "instruction set: instruction, input, output",
    "sharegpt": "instruction set: conversations",
    "mol-instructions": "Mol-Instructions: instruction, input, output, metadata",
    "opi": "OPI: folders of train and test instructions",
    "biology-instructions": "Biology-Instructions: input, output, task, sequences in tags",
}


def formats_help() -> str:
    """The list as `--help` and errors show it.

    >>> formats_help().splitlines()[0]
    'gue: GUE and GUE+: folders with train.csv, dev.csv, test.csv of sequence and label'
    """
    return "\n".join(f"{name}: {what}" for name, what in FORMATS.items())
