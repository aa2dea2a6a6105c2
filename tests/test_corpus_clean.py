"""Every rule of cleaning against answers worked out by hand, and the account of every letter."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.config import CleanConfig
from llama_gene.corpus.clean import clean, needs_case
from llama_gene.corpus.clean_dna import clean_dna
from llama_gene.corpus.clean_text import clean_text
from llama_gene.corpus.complexity import low_complexity_dna, low_complexity_protein
from llama_gene.sequences.files import list_files
from llama_gene.sequences.letters import count_letters
from llama_gene.sequences.readers import read_records
from llama_gene.sequences.records import Record


def dna(letters, *, name="x", title="", **rules):
    return clean(Record(name, "dna", letters, description=title), CleanConfig(**rules))


def protein(letters, *, title="", annotations=None, **rules):
    return clean(Record("x", "protein", letters, "", title, annotations or {}), CleanConfig(**rules))


def prose(text):
    return clean_text(text, "prose")


# DNA: soft masks


def test_soft_masked_dna_is_read_as_upper_case_unless_told_otherwise():
    assert dna("ACgtNac").runs == ((0, "ACGT"), (5, "AC"))
    assert dna("ACgtNac", soft_mask="keep").runs == ((0, "ACgt"), (5, "ac"))


def test_dropped_masks_leave_from_their_least_length_on():
    cleaned = dna("AAccGGaccTTT", soft_mask="drop", soft_mask_min_bp=3)
    assert cleaned.runs == ((0, "AACCGG"), (9, "TTT"))
    assert cleaned.removed == {"soft-masked": 3}


def test_unknown_bases_of_a_mask_are_counted_once():
    cleaned = dna("AAnncRA", soft_mask="drop", soft_mask_min_bp=1)
    assert cleaned.runs == ((0, "AA"), (6, "A"))
    assert cleaned.removed == {"unknown base N": 2, "soft-masked": 1, "ambiguous base": 1}


def test_a_record_all_in_lower_case_is_not_soft_masked():
    assert dna("acgt", soft_mask="drop", soft_mask_min_bp=1, max_masked_share=0).runs == ((0, "ACGT"),)


def test_the_masked_share_is_taken_in_windows_not_of_the_record():
    # 25 % of the record is masked, but 50 % of the first window and none of the second.
    letters = "A" * 32 + "c" * 32 + "G" * 64
    rules = {"window_bp": 64}
    assert dna(letters, max_masked_share=0.5, **rules).runs == ((0, letters.upper()),)
    cleaned = dna(letters, max_masked_share=0.49, **rules)
    assert cleaned.runs == ((64, "G" * 64),)
    assert cleaned.removed == {"soft-masked": 64}
    assert dna(letters[:64], max_masked_share=0.1, **rules).reason == "soft-masked"


def test_bases_that_left_before_do_not_count_for_the_share():
    letters = "N" * 32 + "A" * 16 + "c" * 16
    assert dna(letters, max_masked_share=0.49, window_bp=64).removed == {"unknown base N": 32, "soft-masked": 32}
    assert dna(letters, max_masked_share=0.5, window_bp=64).removed == {"unknown base N": 32}


def test_case_is_asked_of_the_readers_only_where_a_rule_needs_it(tmp_path):
    assert [needs_case(CleanConfig(soft_mask=mask)) for mask in ("upper", "drop", "keep")] == [False, True, True]
    assert needs_case(CleanConfig(max_masked_share=0.5))
    path = tmp_path / "a.fa"
    path.write_text(">a\nACguN\n>b\nAC\n")
    counts = Counter()
    assert [record.text for record in read_records(path, "dna", case="keep", counts=counts)] == ["ACgtN", "AC"]
    assert counts == {"records with U read as T": 1}
    assert [record.text for record in read_records(path, "dna")] == ["ACGTN", "AC"]


def test_the_lower_case_of_genbank_is_no_soft_mask(tmp_path):
    path = tmp_path / "a.gbk"
    path.write_text("LOCUS       X  4 bp DNA linear BCT 01-JAN-2020\nORIGIN\n        1 acgt\n//\n")
    assert [record.text for record in read_records(path, "dna", case="keep")] == ["ACGT"]


# DNA: letters that name no single base


def test_short_runs_of_n_stay_where_ambiguous_bases_are_kept():
    letters = "ACNNGTRNNNAC"
    cleaned = dna(letters, ambiguous="keep", n_run_min=3)
    assert cleaned.runs == ((0, "ACNNGTR"), (10, "AC"))
    assert cleaned.removed == {"unknown base N": 3}


def test_a_resolved_base_is_one_of_those_its_letter_stands_for():
    codes = {"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
             "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT"}  # fmt: skip
    for code, bases in codes.items():
        ((_, found),) = dna(f"{code}A" * 400, ambiguous="resolve").runs
        drawn = Counter(found[::2])
        assert sorted(drawn) == sorted(bases)
        # Four standard deviations of a fair draw.
        fair = 400 / len(bases)
        assert max(abs(number - fair) for number in drawn.values()) < 4 * math.sqrt(fair)
        assert set(found[1::2]) == {"A"}


def test_resolved_bases_depend_on_the_record_and_the_place_alone():
    whole = dna("RYNR" * 20, ambiguous="resolve").runs[0][1]
    assert dna("RYNR" * 20, ambiguous="resolve").runs[0][1] == whole
    assert dna("RYNR" * 10 + "A", ambiguous="resolve").runs[0][1][:40] == whole[:40]
    assert dna("RYNR" * 20, ambiguous="resolve", name="y").runs[0][1] != whole
    assert dna("aCrG", ambiguous="resolve", soft_mask="keep").runs[0][1][2] in "ag"


# DNA: names


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("MT", "dna:chromosome chromosome:GRCh38:MT:1:16569:1 REF"),
        ("Mito", ""),
        ("chrM", ""),
        ("Pt", ""),
        ("ChrC", ""),
        ("mitochondrion_genome", "type=golden_path"),
        ("NC_1.1", "Homo sapiens mitochondrion, complete genome"),
        ("NC_1.1", "Arabidopsis thaliana chloroplast, complete genome"),
        ("NC_1.1", "Plasmodium falciparum apicoplast, complete genome"),
        ("AP_1", "Mus musculus mitochondrial DNA, complete genome"),
        ("OU_1", "Quercus robur genome assembly, organelle: plastid:chloroplast"),
        ("ref|NC_001224|", "[org=Saccharomyces cerevisiae] [location=mitochondrion] [top=circular]"),
    ],
)
def test_organelles_are_told_by_the_names_archives_give(name, title):
    assert dna("ACGT", name=name, title=title, organelles="drop").reason == "organelle"
    assert dna("ACGT", name=name, title=title).runs == ((0, "ACGT"),)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("chr1", ""),
        ("MTX", ""),
        ("X1", "Homo sapiens mitochondrial ribosomal protein L1 (MRPL1), mRNA"),
        ("X2", "Pisum sativum mRNA for chloroplast, precursor"),
        ("X3", "Homo sapiens mitochondrial DNA polymerase gamma gene, complete cds"),
        ("X4", "Arabidopsis chloroplast RNA-binding protein gene"),
    ],
)
def test_nuclear_genes_of_organelle_proteins_stay(name, title):
    assert dna("ACGT", name=name, title=title, organelles="drop").runs


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("Salmonella enterica str. LT2 plasmid pSLT, complete sequence", "plasmid"),
        ("Shigella flexneri 2a plasmid unnamed1, complete sequence", "plasmid"),
        ("Borrelia burgdorferi B31 plasmid lp54, complete sequence", "plasmid"),
        ("dna:plasmid plasmid:ASM694v2:pSLT:1:93933:1", "plasmid"),
        ("Escherichia coli chromosome, complete genome", ""),
        ("Escherichia coli plasmid partition protein gene", ""),
        ("Escherichia coli plasmid-free strain, complete genome", ""),
    ],
)
def test_plasmids_are_told_by_their_titles(title, reason):
    assert dna("ACGT", title=title, plasmids="drop").reason == reason


def test_names_of_dna_say_nothing_about_proteins():
    title = "Ribulose bisphosphate carboxylase large chain, chloroplast"
    assert protein("MKV", title=title, organelles="drop", plasmids="drop").runs == ((0, "MKV"),)


# Proteins and lengths


@pytest.mark.parametrize(
    ("title", "annotations", "reason"),
    [
        ("Cytochrome b (Fragment) OS=Homo sapiens", {}, "protein fragment"),
        ("Actin (Fragments) OS=Mus musculus", {}, "protein fragment"),
        ("DNA helicase, partial [Escherichia coli]", {}, "protein fragment"),
        ("Cytochrome b", {"fragment": "fragment"}, "protein fragment"),
        ("partially N-deacetylated poly-beta-1,6-N-acetyl-D-glucosamine porin", {}, ""),
        ("x-pro dipeptidase, N-terminal fragment [Pyrococcus furiosus]", {}, ""),
    ],
)
def test_protein_fragments_are_told_by_their_titles(title, annotations, reason):
    assert protein("MKV", title=title, annotations=annotations, protein_fragments="drop").reason == reason
    assert protein("MKV", title=title, annotations=annotations).reason == ""


def test_longer_records_of_a_kind_are_left_out_whole():
    assert dna("ACGTA", max_record_letters={"dna": 4}).removed == {"longer than max_record_letters": 5}
    assert dna("ACGT", max_record_letters={"dna": 4, "protein": 1}).runs == ((0, "ACGT"),)


# Low complexity


def plain_dust(letters):
    """The score of DUST of one window, counted letter by letter."""
    triplets = Counter(letters[at : at + 3] for at in range(len(letters) - 2))
    return sum(count * (count - 1) / 2 for count in triplets.values()) / (sum(triplets.values()) - 1)


@settings(deadline=None)  # the first call compiles
@given(st.text(alphabet="AC", min_size=5, max_size=90) | st.text(alphabet="ACGT", min_size=5, max_size=90))
def test_dust_agrees_with_a_plain_count(letters):
    width = min(64, len(letters))
    expected = np.zeros(len(letters), dtype=bool)
    for start in range(len(letters) - width + 1):
        expected[start : start + width] |= plain_dust(letters[start : start + width]) > 2
    assert low_complexity_dna(letters.encode()).tolist() == expected.tolist()


@settings(deadline=None)  # the first call compiles
@given(st.text(alphabet="ST", max_size=40) | st.text(alphabet="ACDEFGHIK", max_size=60))
def test_entropy_agrees_with_a_plain_count(letters):
    expected = np.zeros(len(letters), dtype=bool)
    for start in range(len(letters) - 11):
        shares = [count / 12 for count in Counter(letters[start : start + 12]).values()]
        bits = -sum(share * math.log2(share) for share in shares)
        expected[start : start + 12] |= bits <= 2.2 + 1e-12
    assert low_complexity_protein(letters.encode()).tolist() == expected.tolist()


def test_windows_of_simple_repeats_leave():
    rng = np.random.default_rng(1)
    plain = "".join(rng.choice(list("ACGT"), 256))
    cleaned = dna(plain + "CA" * 128, max_low_complexity_dna=0.5, window_bp=256)
    assert cleaned.runs == ((0, plain),)
    assert cleaned.removed == {"low complexity": 256}
    assert dna("CA" * 128).runs == ((0, "CA" * 128),)


def test_a_protein_mostly_of_one_residue_leaves():
    assert protein("MKTAYIAKQRQISFVKSH" + "Q" * 40, max_low_complexity_protein=0.5).reason == "low complexity"
    assert protein("MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ" + "Q" * 14, max_low_complexity_protein=0.5).runs


# Text


def test_a_paper_keeps_its_prose_and_loses_its_apparatus():
    paper = (
        "A title\n\nAbstract\n\nWe grew yeast [1-3] and <i>E. coli</i> &amp; more [4,5]. It co-\noperates.\n\n12\n\n"
        "Cells died [6], as was known [7], and lived again [8], twice [9].\n\nFigure 1\n\n"
        "Yeast under the microscope.\n\n"
        "https://example.org/yeast\n\nAcknowledgements\n\nWe thank everyone.\n\nCompeting interests. None.\n\n"
        "Abbreviations\n\nOM - otitis media\n\nReferences\n\n1. Ada L. Engines. J Calc 1843, 3:1-9.\n"
        "2. Bea M. Genes. 1999.\nLonger title of it\n\nFigure legends\n\nFigure 2 shows more."
    )
    page, removed = prose(paper)
    assert page == (
        "A title\n\nAbstract\n\nWe grew yeast and E. coli & more. It cooperates.\n\n"
        "Cells died, as was known, and lived again, twice.\n\nYeast under the microscope.\n\n"
        "Abbreviations\n\nOM - otitis media\n\nFigure legends\n\nFigure 2 shows more."
    )
    assert set(removed) >= {"citation", "markup", "label", "thanks and interests", "reference list", "address"}
    assert clean_text(paper, "keep")[0] == paper


@pytest.mark.parametrize(
    "text",
    [
        "p < 0.05 and x > 3 for all <mice>",
        "The interval [0,1] and one citation [12] stay.",
        "We used [18]F-FDG, [3H]thymidine and bicyclo[2.2.1]heptane; [14]C too.",
        "References\n\nThis section explains how a reference frame is chosen.\n\nIt has no list at all.",
        "Acknowledgements\n\n" + "A very long paragraph of prose that thanks nobody." * 100,
        "Table 1 presents the results.\n\nFigure 1A shows growth.",
        "Some tools: a well-\n\nknown one.",
        "pre-\nand post-natal",
        "In 1998 they came. 12 mice died.",
        "Funding agencies decide what is done.",
        "1.  +30 mV\n2.  +15 mV\n3.  -45 mV",
        "Grüße: Ätiologie und Pathogenese – ß-Faltblätter. 遗传学。",
    ],
)
def test_prose_is_left_as_it_is(text):
    assert prose(text) == (text.strip(), Counter())


@pytest.mark.parametrize(
    ("text", "page", "reason"),
    [
        ("A.\n\na\tb\tc\n1\t2\t3\n\nB.", "A.\n\nB.", "table"),
        ("A.\n\n| a | b |\n| 1 | 2 |\n\nB.", "A.\n\nB.", "table"),
        ("A.\n\n12.1 3.5 0.01\n14.0 3.7 0.02\n\nB.", "A.\n\nB.", "table"),
        ("A.\nPage 3 of 12\nB.", "A.\nB.", "page number"),
        ("A.\n\nE-mail: ada@example.org\n\nB.", "A.\n\nB.", "address"),
        ("A.\nReceived: 3 March 2003; accepted: 4 May 2003\nB.", "A.\nB.", "imprint"),
        ("A. \\documentclass[12pt]{minimal}\n\\begin{document}$$x$$\\end{document} B.", "A.  B.", "markup"),
        ("High well-\nknown and well-known.", "High well-known and well-known.", "cut word joined"),
        ("7. Competing interests\nNone.\n\nB.", "B.", "thanks and interests"),
    ],
)
def test_what_is_no_prose_leaves(text, page, reason):
    found, removed = prose(text)
    assert (found, reason in removed) == (page, True)
    assert len(page.encode()) + removed.total() == len(text.encode())


# Every letter


dna_rules = st.fixed_dictionaries(
    {
        "soft_mask": st.sampled_from(["upper", "drop", "keep"]),
        "soft_mask_min_bp": st.integers(1, 6),
        "max_masked_share": st.sampled_from([0.0, 0.3, 1.0]),
        "window_bp": st.sampled_from([64, 65]),
        "ambiguous": st.sampled_from(["split", "keep", "resolve"]),
        "n_run_min": st.integers(1, 4),
        "max_low_complexity_dna": st.sampled_from([0.2, 1.0]),
    }
)


@given(st.text(alphabet="ACGTacgtNnRy", max_size=150), dna_rules)
def test_every_base_is_in_one_run_or_counted_once(letters, rules):
    runs, removed = clean_dna(letters, "x", CleanConfig(**rules))
    assert sum(len(run) for _, run in runs) + removed.total() == len(letters)
    ends = [start + len(run) for start, run in runs]
    assert all(end < start for end, (start, _) in zip(ends, runs[1:], strict=False))
    for start, run in runs:
        changed = [new for old, new in zip(letters[start:], run, strict=False) if old.upper() != new.upper()]
        assert not changed or rules["ambiguous"] == "resolve"
    if rules["ambiguous"] != "keep":
        assert not set("".join(run for _, run in runs).upper()) - set("ACGT")


pieces = st.sampled_from(
    ["References", "1. Ada 1999, 3:1-9", "Figure 1", "12", "a\tb\tc", "Acknowledgements", "Funding: x", "wo-", "rd é",
     "see [1] [2] [3] [4] [5]", "<i>", "&lt;", "", " ", "\x85", "\r", "Methods", "http://a.b", "Received: x"]
)  # fmt: skip


@given(st.lists(pieces | st.text(max_size=8), max_size=30), st.sampled_from(["prose", "keep"]))
def test_every_byte_of_text_is_kept_or_counted(lines, rules):
    text = "\n".join(lines).encode("utf-8", "ignore").decode()
    page, removed = clean_text(text, rules)
    assert count_letters(page, "text") + removed.total() == count_letters(text, "text")
    assert all(number > 0 for number in removed.values())


# Real data


@pytest.mark.slow
@pytest.mark.real_data
def test_no_more_than_the_apparatus_leaves_real_papers(data):
    shares = []
    for file in list_files(data / "text" / "craft"):
        for record in read_records(file, "text"):
            page, removed = prose(record.text)
            assert count_letters(page, "text") + removed.total() == count_letters(record.text, "text")
            shares.append(removed.total() / count_letters(record.text, "text"))
    assert len(shares) == 97
    assert max(shares) < 0.08
    assert 0.02 < sum(shares) / len(shares) < 0.06


@pytest.mark.slow
@pytest.mark.real_data
def test_text_books_and_articles_taken_apart_by_their_tags_lose_nothing(data):
    for path in ("text/openstax-biology.zip", "text/plos_jats", "text/pubmedqa_labelled.json.gz"):
        records = [record for file in list_files(data / path) for record in read_records(file, "text")]
        removed = sum(prose(record.text)[1].total() for record in records)
        assert removed < 0.001 * sum(len(record.text) for record in records)


@pytest.mark.slow
@pytest.mark.real_data
def test_plasmids_and_organelles_of_the_real_genomes_are_found(data):
    def left_out(path, **rules):
        found = (clean(record, CleanConfig(**rules)) for file in list_files(data / path)
                 for record in read_records(file, "dna"))  # fmt: skip
        return Counter(cleaned.reason for cleaned in found)

    assert left_out("genomes/bacteria", plasmids="drop")["plasmid"] == 8
    assert left_out("genomes/yeast/R64-1-1.fa.gz", organelles="drop")["organelle"] == 1
    fragments = [
        record.id
        for record in read_records(data / "proteins" / "uniprot_flat.dat.gz", "protein", on_invalid="skip")
        if clean(record, CleanConfig(protein_fragments="drop")).reason
    ]
    assert len(fragments) == 8
