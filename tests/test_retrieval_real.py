"""A gene of a real genome is found where its annotation says it is."""

import pytest

from llama_gene.config import IndexConfig
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.index import open_index
from llama_gene.sequences.genbank import read_coding


@pytest.mark.real_data
@pytest.mark.slow
def test_a_gene_of_the_other_strand_is_found_at_its_place_with_its_name(data, tmp_path):
    path = data / "genomes/genbank/mycoplasma_GCF_000023685.gbff.gz"
    build_index(IndexConfig(), files=[path], seed=1, output=tmp_path / "idx")
    index = open_index(tmp_path / "idx")
    genes = [gene for gene in read_coding(path) if 600 <= gene.end - gene.start <= 1500 and gene.product]
    gene = [gene for gene in genes if gene.strand == -1][20]
    hit = index.find_sequences(gene.dna, "dna")[0]
    assert (hit.id, hit.strand) == (gene.record_id, "-")
    assert (hit.start, hit.end) == pytest.approx((gene.start, gene.end), abs=5)
    assert hit.identity == 1.0
    assert gene.product in hit.description
    protein = index.find_sequences(gene.protein, "protein")[0]
    assert (protein.id, protein.identity, protein.coverage) == (gene.protein_id, 1.0, 1.0)
