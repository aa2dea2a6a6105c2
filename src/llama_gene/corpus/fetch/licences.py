"""Licence and citation of each archive, as the archives stated them in 2025 and 2026.

This is what the manifest of a fetch repeats. It is no legal advice: read the address of the licence.
"""

from llama_gene.corpus.fetch.remote import Terms

ENSEMBL = Terms(
    "no restrictions (EMBL-EBI terms of use)",
    "https://www.ensembl.org/info/about/legal/disclaimer.html",
    "Ensembl, doi:10.1093/nar/gkae1071",
)
ENSEMBL_GENOMES = Terms(
    "no restrictions (EMBL-EBI terms of use)",
    "https://www.ensembl.org/info/about/legal/disclaimer.html",
    "Ensembl Genomes, doi:10.1093/nar/gkab1007",
)
NCBI = Terms(
    "no restrictions by NCBI; submitters may hold rights",
    "https://www.ncbi.nlm.nih.gov/home/about/policies/",
    "NCBI Datasets, doi:10.1038/s41597-024-03571-y",
)
UNIPROT = Terms("CC BY 4.0", "https://www.uniprot.org/help/license", "UniProt, doi:10.1093/nar/gkae1010")
PMC_URL = "https://pmc.ncbi.nlm.nih.gov/about/copyright/"
PMC_CITATION = "NIH NLM NCBI PubMed Central (PMC) Article Datasets, https://registry.opendata.aws/ncbi-pmc"
PUBMED = Terms(
    "NLM terms: free of charge; publishers may hold rights in abstracts",
    "https://ftp.ncbi.nlm.nih.gov/pubmed/baseline/README.txt",
    "Courtesy of the U.S. National Library of Medicine",
)
S2ORC = Terms("ODC-By 1.0", "https://opendatacommons.org/licenses/by/1-0/", "S2ORC, doi:10.18653/v1/2020.acl-main.447")
