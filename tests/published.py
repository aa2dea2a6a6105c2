"""Small files in the form in which archives publish them."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq


def packed(text):
    """Gzipped, the same bytes each time."""
    return gzip.compress(text.encode(), mtime=0)


def pack(path, *lines):
    """A gzipped file of these lines."""
    path.write_bytes(packed("".join(f"{line}\n" for line in lines)))
    return path


def marks(text, *parts):
    """Where these parts stand in a text, as S2ORC writes it down."""
    return json.dumps([{"start": text.index(part), "end": text.index(part) + len(part)} for part in parts])


PAPER = "On cells\n\nA. Author\n\nCells live.\n\n1 Methods\n\nWe looked (1).\n\nB. Other. Old cells. 1999."


def s2orc_paper(number):
    """A line of the shards of full texts, first version."""
    annotations = {
        "title": marks(PAPER, "On cells"), "author": marks(PAPER, "A. Author"), "abstract": marks(PAPER, "Cells live."),
        "sectionheader": marks(PAPER, "Methods"), "paragraph": marks(PAPER, "We looked (1)."),
        "bibentry": marks(PAPER, "B. Other. Old cells. 1999."), "table": None,
    }  # fmt: skip
    content = {"source": {"pdfurls": None}, "text": PAPER, "annotations": annotations}
    return {"corpusid": number, "externalids": {"pubmed": "1"}, "content": content}


PUBMED = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" "https://example.org/p.dtd">
<PubmedArticleSet>
{articles}</PubmedArticleSet>
"""
STRUCTURED = """<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="1">11</PMID>
 <Article><Journal><Title>Cells</Title></Journal><ArticleTitle>On <i>E. coli</i>.</ArticleTitle>
  <Abstract><AbstractText Label="AIM" NlmCategory="OBJECTIVE">To see 10<sup>6</sup> cells.</AbstractText>
   <AbstractText Label="UNLABELLED">We saw H<sub>2</sub>O.</AbstractText>
   <AbstractText Label="FUNDING"/><CopyrightInformation>Not this.</CopyrightInformation></Abstract></Article>
 <OtherAbstract Language="fre"><AbstractText>Pas cela.</AbstractText></OtherAbstract></MedlineCitation>
 <PubmedData><ArticleIdList><ArticleId IdType="doi">10.1/x</ArticleId></ArticleIdList></PubmedData></PubmedArticle>
"""
WITHOUT = """<PubmedArticle><MedlineCitation><PMID Version="1">12</PMID>
 <Article><ArticleTitle>A letter.</ArticleTitle></Article></MedlineCitation></PubmedArticle>
"""
PLAIN = """<PubmedArticle><MedlineCitation><PMID Version="{version}">{number}</PMID>
 <Article><ArticleTitle>Short.</ArticleTitle><Abstract><AbstractText>Cells live.</AbstractText></Abstract></Article>
</MedlineCitation></PubmedArticle>
"""


def write_parquet(path, rows, **options):
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return path


# A gene of three codons, its start GTG, on either strand of chromosome "Chromosome" or "1".
CDS = "##gff-version 3\n{seqid}\tena\tCDS\t3\t14\t.\t+\t0\tID=CDS:{protein};Parent=transcript:t;protein_id={protein}\n"
BACTERIUM = "GG" + "GTGGCTTGGTAA" + "CC"
PLANT = "CC" + "ATGTGGTGGTAG" + "GG"
COLI, MAIZE = "Escherichia_coli_str_k_12.ASM584v2", "Zea_mays.Zm-B73.v5"
ENSEMBL = {
    f"{COLI}.60.gff3.gz": CDS.format(seqid="Chromosome", protein="AAC1"),
    f"{COLI}.dna.toplevel.fa.gz": f">Chromosome dna:chromosome\n{BACTERIUM}\n",
    f"{COLI}.dna_rm.toplevel.fa.gz": f">Chromosome dna_rm:chromosome\n{'N' * 16}\n",
    f"{COLI}.cds.all.fa.gz": ">AAC1 cds\nGTGGCTTGGTAA\n",
    f"{COLI}.pep.all.fa.gz": ">AAC1.2 pep chromosome:ASM584v2:Chromosome:3:14:1 gene:b1\nMAW\n",
    f"{MAIZE}.60.gff3.gz": CDS.format(seqid="1", protein="Zm1"),
    f"{MAIZE}.dna.toplevel.fa.gz": f">1 dna:chromosome\n{PLANT}\n",
    f"{MAIZE}.dna_sm.toplevel.fa.gz": f">1 dna_sm:chromosome\n{PLANT.lower()}\n",
    "Zea_mays.Zm-B73.dna.toplevel.fa.gz": f">1 of an older assembly\n{'A' * 16}\n",
}


def write_ensembl(folder):
    """Two species in one folder, as `corpus fetch` lays them down: the GFF3 files of both."""
    for name, content in ENSEMBL.items():
        (folder / name).write_bytes(packed(content))
    return folder / f"{COLI}.60.gff3.gz", folder / f"{MAIZE}.60.gff3.gz"
