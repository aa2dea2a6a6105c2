"""Importers of protein sets: landscapes, TAPE and PEER, pairs, localisation, enzymes, ontology."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from importing import add, write
from llama_gene.errors import DataError
from llama_gene.sequences.files import Inspector
from llama_gene.tasks.cleaning import clean_items
from llama_gene.tasks.importers.lmdb import load_plain

GAF = "!gaf-version: 2.2\n" + "".join(
    "\t".join(["UniProtKB", protein, "g", qualifier, term, "PMID:1", "IDA", "", aspect, "", "", "protein", "taxon:1",
               "20260101", "X", "", ""]) + "\n"
    for protein, qualifier, term, aspect in (
        ("P1", "enables", "GO:0003677", "F"), ("P1", "enables", "GO:0005524", "F"),
        ("P1", "NOT|enables", "GO:0008270", "F"), ("P2", "located_in", "GO:0005634", "C"),
        ("P9", "enables", "GO:0003677", "F"), ("P2", "enables", "GO:3677", "F"),
    )
)  # fmt: skip
OBO = (
    "format-version: 1.2\n\n[Term]\nid: GO:0003677\nname: DNA binding\nnamespace: molecular_function\n\n[Term]\n"
    "id: GO:0005524\nname: ATP binding\n\n[Term]\nid: GO:0005634\nname: nucleus\n\n[Typedef]\nid: part_of\n"
    "name: part of\n"
)


def test_flip_reads_its_splits_and_prefers_the_table(tmp_path: Path) -> None:
    files = {
        "gb1/splits/sampled.csv": "sequence,target,set,validation\nMKV,1.5,train,\nMKL,0.5,train,True\nMKA,2.0,test,\n",
        "gb1/splits/sampled.fasta": ">Sequence0 TARGET=1.5 SET=train VALIDATION=False\nMKV\n",
        "meltome/splits/human.fasta": ">Sequence0 TARGET=37.25 SET=train VALIDATION=False\nMKV\n"
        ">Sequence1 TARGET=45 SET=test VALIDATION=False\nMKL\n",
        "scl/splits/soft.fasta": ">Sequence0 TARGET=Nucleus SET=train VALIDATION=True\nMKV\n"
        ">Sequence1 TARGET=Cytoplasm SET=test VALIDATION=False\nMKL\n",
    }
    found = add(write(tmp_path / "flip", files), "flip")
    assert list(found.tasks) == ["flip-gb1-sampled", "flip-meltome-human", "flip-scl-soft"]
    values = [(*item.sequences, item.value, item.split) for item in found.items("flip-gb1-sampled")]
    assert values == [("MKV", 1.5, "train"), ("MKL", 0.5, "valid"), ("MKA", 2.0, "test")]
    assert [(item.value, item.split) for item in found.items("flip-meltome-human")] == [
        (37.25, "train"),
        (45.0, "test"),
    ]
    assert found.answers("flip-scl-soft") == [("MKV", "Nucleus", "valid"), ("MKL", "Cytoplasm", "test")]


def test_flip_states_of_another_length_than_their_chain_are_refused(tmp_path: Path) -> None:
    files = {
        "ss/splits/sequences.fasta": ">a\nMKVL\n>b\nMKV\n", "ss/splits/mask.fasta": ">a\n1110\n>b\n111\n",
        "ss/splits/sampled.fasta": ">a SET=train VALIDATION=False\nHHEC\n>b SET=test VALIDATION=False\nCCC\n",
    }  # fmt: skip
    found = add(write(tmp_path / "flip", files), "flip")
    assert found.answers("flip-ss-sampled") == [("MKVL", "HHE-", "train"), ("MKV", "CCC", "test")]
    assert found.tasks["flip-ss-sampled"].label_names == ("alpha helix", "beta sheet", "random coil")
    write(tmp_path / "flip", {"ss/splits/sampled.fasta": ">a SET=train VALIDATION=False\nHHE\n"})
    with pytest.raises(DataError, match="a has 3 states for 4 residues"):
        add(tmp_path / "flip", "flip", on_invalid="error", name="strict")


def test_proteingym_reads_an_assay_as_it_is_or_checks_it_with_its_reference(tmp_path: Path) -> None:
    assay = (
        "mutant,mutated_sequence,DMS_score,DMS_score_bin\nK2V,MVT,0.5,1\nK2A:T3S,MAS,-1.5,0\nK2L,MVV,3,1\nA1V,VKT,1,1\n"
    )
    reference = (
        "DMS_id,DMS_filename,target_seq,molecule_name,coarse_selection_type\nX_1,X_1.csv,MKT,kinase X,Activity\n"
    )
    write(tmp_path, {"dms/X_1.csv": assay, "DMS_substitutions.csv": reference})
    plain = add(tmp_path / "dms", "proteingym", name="plain")
    assert [(*item.sequences, item.value) for item in plain.items("plain-x_1")] == [
        ("MVT", 0.5), ("MAS", -1.5), ("MVV", 3.0), ("VKT", 1.0)
    ]  # fmt: skip
    assert not (plain.folder / "tables").exists()
    checked = add(tmp_path / "dms", "proteingym", references=[tmp_path / "DMS_substitutions.csv"])
    assert [(item.id, *item.sequences, item.value) for item in checked.items("proteingym-x_1")] == [
        ("K2V", "MVT", 0.5), ("K2A:T3S", "MAS", -1.5)
    ]  # fmt: skip
    assert checked.counts["mutant that does not fit its sequence"] == 4  # two rows, two tasks
    assert checked.answers("proteingym-x_1-bin") == [("MVT", "1", ""), ("MAS", "0", "")]
    assert "activity of this variant of kinase X" in checked.tasks["proteingym-x_1"].definition


def test_tape_masks_states_and_keeps_its_splits(tmp_path: Path) -> None:
    structure: list[dict[str, Any]] = [
        {"primary": "MKVL", "ss3": [0, 0, 1, 2], "ss8": [1, 1, 4, 7], "valid_mask": [True, True, True, False]},
        {"primary": "MK", "ss3": [0], "ss8": [1, 1], "valid_mask": [True, True]},
    ]  # fmt: skip
    files = {
        "secondary_structure/secondary_structure_train.json": json.dumps(structure),
        "secondary_structure/secondary_structure_cb513.json": json.dumps(structure[:1]),
        "stability/stability_valid.json": json.dumps([{"primary": "MKV", "stability_score": [0.75]}]),
        "stability/stability_train.json": json.dumps([{"primary": "MKL", "stability_score": [-0.5]}]),
        "proteinnet/proteinnet_train.json": json.dumps([{"primary": "MKV", "tertiary": [[0, 0, 0]]}]),
    }
    found = add(write(tmp_path / "tape", files), "tape")
    assert sorted(found.answers("tape-secondary_structure-ss3")) == [
        ("MKVL", "HHE-", "test"),
        ("MKVL", "HHE-", "train"),
    ]
    assert {answer[1] for answer in found.answers("tape-secondary_structure-ss8")} == {"HHE-", "HH"}
    assert sorted((item.value, item.split) for item in found.items("tape-stability")) == [
        (-0.5, "train"),
        (0.75, "valid"),
    ]
    assert found.counts["states of another length than their chain"] == 1
    assert found.counts["proteinnet: no target of ours among primary, tertiary"] == 1


def test_an_lmdb_of_plain_records_is_read_and_one_that_would_run_code_is_not(tmp_path: Path) -> None:
    lmdb = pytest.importorskip("lmdb")
    records = [
        {"primary_1": "MKV", "primary_2": "MLL", "interaction": np.int64(1)},
        {"primary_1": "MKA", "primary_2": "MLA", "interaction": np.array(0)},
    ]
    folder = tmp_path / "peer" / "human_ppi"
    for split in ("train", "test"):
        folder.mkdir(parents=True, exist_ok=True)
        with (
            lmdb.open(str(folder / f"human_ppi_{split}.lmdb"), map_size=1 << 20) as base,
            base.begin(write=True) as put,
        ):
            for number, record in enumerate(records):
                put.put(str(number).encode(), pickle.dumps(record))
            put.put(b"num_examples", pickle.dumps(len(records)))
    found = add(tmp_path / "peer", "peer")
    assert sorted(found.answers("peer-human_ppi")) == [
        ("MKA", "MLA", "0", "test"), ("MKA", "MLA", "0", "train"), ("MKV", "MLL", "1", "test"),
        ("MKV", "MLL", "1", "train"),
    ]  # fmt: skip
    assert found.tasks["peer-human_ppi"].swappable
    with pytest.raises(pickle.UnpicklingError, match=r"it would build posix\.system"):
        load_plain(b"cposix\nsystem\n(S'true'\ntR.")


def test_peer_tables_ask_their_own_field(tmp_path: Path) -> None:
    header = "primary,solubility\n"
    files = {"solubility_train.csv": f"{header}MKV,1\nMKA,0\n", "solubility_test.csv": f"{header}MKL,1\n"}
    found = add(write(tmp_path / "peer", files), "peer")
    assert sorted(found.answers("peer-solubility")) == [
        ("MKA", "0", "train"),
        ("MKL", "1", "test"),
        ("MKV", "1", "train"),
    ]
    assert found.tasks["peer-solubility"].label_names == ("insoluble", "soluble")


def test_peer_places_without_names_are_numbered_and_affinities_are_no_task(tmp_path: Path) -> None:
    files = {
        "subcellular_localization_2_train.csv": "primary,localization\nMKV,1\nMKA,0\n",
        "ppi_affinity_train.csv": "primary_1,primary_2,interaction\nMKV,MKA,7.5\nMKL,MKA,8\n",
        "yeast_ppi_train.csv": "primary_1,primary_2,interaction\nMKV,MKA,1\nMKL,MKA,0\n",
    }
    found = add(write(tmp_path / "peer", files), "peer")
    assert {name: task.label_names for name, task in found.tasks.items()} == {
        "peer-subcellular_localization_2": ("class 0", "class 1"),
        "peer-yeast_ppi": ("no interaction", "interaction"),
    }
    assert found.counts == {"ppi_affinity: numbers for pairs, which no family asks for": 1}


def test_lucaone_names_its_labels_and_kinds(tmp_path: Path) -> None:
    pair = "seq_id_a,seq_id_b,seq_type_a,seq_type_b,seq_a,seq_b,label\n"
    one = "seq_id,seq_type,seq,label\n"
    files = {
        "CentralDogma/gene_protein/binary_class/train/train.csv": pair + "g1,p1,gene,prot,ATGAAA,MK,1\n"
        "g2,p2,gene,prot,ATGCCC,MK,0\n",
        "CentralDogma/gene_protein/binary_class/dev/dev.csv": pair + "g3,p3,gene,prot,ATGAAG,MK,1\n",
        "CentralDogma/gene_protein/binary_class/label.txt": "label\nno\nyes\n",
        "ProtStab/protein/regression/train/train.csv": one + "a,prot,MKV,0.5\n",
        "ProtLoc/protein/multi_label/train/train.csv": one + 'a,prot,MKV,"[0, 2]"\nb,prot,MKL,"[1]"\nc,prot,MKA,many\n',
        "ProtLoc/protein/multi_label/label.txt": "label\nnucleus\ncytoplasm\nmembrane\n",
    }
    found = add(write(tmp_path / "dataset", files), "lucaone")
    assert sorted(found.answers("lucaone-centraldogma")) == [
        ("ATGAAA", "MK", "1", "train"), ("ATGAAG", "MK", "1", "valid"), ("ATGCCC", "MK", "0", "train")
    ]  # fmt: skip
    assert [part.kind for part in found.tasks["lucaone-centraldogma"].inputs] == ["dna", "protein"]
    assert found.tasks["lucaone-centraldogma"].label_names == ("no", "yes")
    assert [item.value for item in found.items("lucaone-protstab")] == [0.5]
    assert found.answers("lucaone-protloc") == [
        ("MKV", "nucleus; membrane", "train"),
        ("MKL", "cytoplasm", "train"),
    ]
    assert found.counts["label that is no list"] == 1


def test_lists_of_pairs_are_read_where_they_lie(tmp_path: Path) -> None:
    fasta = ">a x\nMKV\n>b\nMLL\n>c\nMAA\n"
    files = {
        "pairs/human_train.tsv": "a\tb\t1\nb\tc\t0\na\tz\t1\n",
        "pairs/human_test.tsv": "a\tc\t1\n",
        "seqs/human.fasta": fasta,
    }
    found = add(write(tmp_path / "dscript", files), "dscript")
    assert sorted((*item.sequences, item.answer, item.split) for item in found.items("dscript-human", "skip")) == [
        ("MKV", "MAA", "1", "test"), ("MKV", "MLL", "1", "train"), ("MLL", "MAA", "0", "train")
    ]  # fmt: skip
    assert found.counts == {"human_train: pair without both sequences": 1}
    with pytest.raises(DataError, match="no file of sequences"):
        add(tmp_path / "dscript" / "pairs", "dscript", name="alone")
    other = write(tmp_path, {"other.fasta": ">q\nMKV\n"}) / "other.fasta"
    with pytest.raises(DataError, match=r"no pair has both its sequences in .*other\.fasta"):
        add(tmp_path / "dscript" / "pairs", "dscript", name="other", references=[other])


def test_an_identifier_with_two_sequences_is_left_out_and_counted(tmp_path: Path) -> None:
    files = {"pairs.tsv": "a\tb\t1\nb\tc\t0\n", "seqs.fasta": ">a\nMKV\n>b\nMLL\n>c\nMAA\n>a\nMKL\n>b\nMLL\n"}
    found = add(write(tmp_path / "dscript", files), "dscript")
    assert [item.sequences for item in found.items("dscript-pairs", "skip")] == [("MLL", "MAA")]
    with pytest.raises(DataError, match="'a' has two sequences"):
        found.items("dscript-pairs")


def test_labels_of_pairs_are_yes_and_no_however_written_and_one_alone_is_no_task(tmp_path: Path) -> None:
    files = {
        "one_train.tsv": "a\tb\t1\nb\tc\t0\n", "one_test.tsv": "a\tc\t1.0\nb\tb\t0.0\n",
        "positives.tsv": "a\tb\t1\nb\tc\t1\n", "all.fasta": ">a\nMKV\n>b\nMLL\n>c\nMAA\n",
    }  # fmt: skip
    found = add(write(tmp_path / "dscript", files), "dscript")
    assert [(label.name, label.written) for label in found.tasks["dscript-one"].labels] == [
        ("no interaction", ("0", "0.0")), ("interaction", ("1", "1.0"))
    ]  # fmt: skip
    assert list(found.tasks) == ["dscript-one"]
    assert ["dscript-positives: no task" in reason for reason in found.counts] == [True]


def test_pipr_rost_and_rpi_lists(tmp_path: Path) -> None:
    long = "MKVLAAGIVGLLLAQPSFAEWW"
    files = {
        "pipr/protein.dictionary.tsv": f"a\t{long}\nb\t{long[::-1]}\n",
        "pipr/protein.actions.tsv": "item_a\titem_b\tmode\na\tb\tbinding\nb\ta\tcatalysis\n",
        "rost/train.txt": "a b 1\nb b 0\n", "rost/C1.txt": "a a 0\n", "rost/C3.txt": "b a 1\n",
        "rost/all.seq": f"a {long}\nb {long[::-1]}\n",
        "rpi/RPI9_pairs.txt": "r1\tp1\t1\nr2\tp1\t0\n", "rpi/RPI9_rna_seq.fa": ">r1\nGGUU\n>r2\nCCUU\n",
        "rpi/RPI9_protein_seq.fa": ">p1\nMKV\n",
    }  # fmt: skip
    write(tmp_path, files)
    pipr = add(tmp_path / "pipr", "pipr")
    assert [item.answer for item in pipr.items("pipr-pairs", "skip")] == ["binding", "catalysis"]
    assert pipr.tasks["pipr-pairs"].label_names == ("binding", "catalysis")
    rost = add(tmp_path / "rost", "rost")
    assert list(rost.tasks) == ["rost-c1", "rost-c3"]
    assert [(item.id, item.split) for item in rost.items("rost-c3")] == [
        ("a~b", "train"),
        ("b~b", "train"),
        ("b~a", "test"),
    ]
    rpi = add(tmp_path / "rpi", "rpi")
    assert rpi.answers("rpi-rpi9") == [("MKV", "GGUU", "1", ""), ("MKV", "CCUU", "0", "")]


def test_locations_of_the_cell(tmp_path: Path) -> None:
    files = {
        "deeploc/a.fasta": ">Q1 Cell.membrane-M test\nMKV\n>Q2 Nucleus-U\nMKL\n>Q3 Cytoplasm-S\nMKA\n"
        ">Q4 Cytoplasm-Nucleus-U\nMKQ\n",
        "two/train.csv": "ACC,Kingdom,Partition,Membrane,Cytoplasm,Nucleus,Sequence\nQ1,M,0,0,1.0,1.0,MKV\n"
        "Q2,M,4,0,0.0,1.0,MKL\n",
        "multi/nuclear.fasta": ">a\nMKV\n", "multi/ER.fasta": ">b\nMKL\n",
        "psortb/gram_negative.fasta": ">1|lipoprotein [Cytoplasmic Membrane]\nMKV\n>2|x|Periplasmic\nMKL\n"
        ">3 enzyme\nMAA\n>4|OuterMembrane|Extracellular\nMLL\n>5|Cytoplasmic\nMQQ\n",
    }  # fmt: skip
    write(tmp_path, files)
    deeploc = add(tmp_path / "deeploc", "deeploc", name="cell")
    assert deeploc.answers("cell") == [
        ("MKV", "Cell.membrane", "test"), ("MKL", "Nucleus", ""), ("MKA", "Cytoplasm", ""),
        ("MKQ", "Cytoplasm-Nucleus", ""),
    ]  # fmt: skip
    assert deeploc.tasks["cell"].ignore_labels == ("Cytoplasm-Nucleus",)
    assert deeploc.counts == {"protein with several locations": 1}
    assert set(deeploc.tasks["cell"].label_names) == {"cell membrane", "nucleus", "cytoplasm"}
    two = add(tmp_path / "two", "deeploc", name="two")
    assert two.answers("two") == [("MKV", "cytoplasm; nucleus", "train"), ("MKL", "nucleus", "test")]
    multi = add(tmp_path / "multi", "multiloc", name="multi")
    assert sorted(multi.answers("multi")) == [("MKL", "endoplasmic reticulum", ""), ("MKV", "nucleus", "")]
    psortb = add(tmp_path / "psortb", "psortb")
    assert psortb.answers("psortb") == [
        ("MKV", "cytoplasmic membrane", ""), ("MKL", "periplasm", ""), ("MQQ", "cytoplasm", "")
    ]  # fmt: skip
    assert psortb.counts == {"protein with several locations": 1, "title without a location": 1}


def test_a_registered_name_is_not_taken_twice(tmp_path: Path) -> None:
    write(tmp_path, {"deeploc/a.fasta": ">Q2 Nucleus-U\nMKL\n>Q3 Cytoplasm-S\nMKA\n"})
    assert list(add(tmp_path / "deeploc", "deeploc").tasks) == ["deeploc-imported"]


def test_what_is_no_ec_number_is_counted(tmp_path: Path) -> None:
    rows = "P1\t1.1.1.1;2.7.11.n2\tMKV\nP2\tkinase\tMKL\nP3\t3.4.-.-\tMKA\n"
    write(
        tmp_path / "clean",
        {
            "split10.csv": "Entry\tEC number\tSequence\n" + rows,
            "new.csv": "Entry\tEC number\tSequence\nP4\t4.2.1.1\tMQQ\n",
        },
    )
    found = add(tmp_path / "clean", "clean-ec")
    assert found.answers("clean-ec") == [
        ("MKV", "1.1.1.1;2.7.11.n2", "train"), ("MKL", "kinase", "train"), ("MKA", "3.4.-.-", "train"),
        ("MQQ", "4.2.1.1", "test"),
    ]  # fmt: skip
    assert found.counts == {"no EC number": 1}
    with pytest.raises(DataError, match=r"split10\.csv:3: 'kinase' is no EC number"):
        add(tmp_path / "clean", "clean-ec", on_invalid="error", name="strict")


def test_go_annotations_are_joined_to_their_proteins_and_named(tmp_path: Path) -> None:
    fasta = ">sp|P1|A_YEAST One\nMKV\n>sp|P2|B_YEAST Two\nMKL\n>sp|P3|C_YEAST Three\nMAA\n"
    write(tmp_path, {"goa/goa.gaf": GAF, "yeast.fasta": fasta, "go-basic.obo": OBO})
    references = [tmp_path / "yeast.fasta", tmp_path / "go-basic.obo"]
    found = add(tmp_path / "goa", "goa", references=references)
    assert found.answers("goa-molecular-function") == [("MKV", "DNA binding(GO:0003677); ATP binding(GO:0005524)", "")]
    assert found.answers("goa-cellular-component") == [("MKL", "nucleus(GO:0005634)", "")]
    assert found.counts == {
        "annotation of a protein that is not in the FASTA": 1, "annotation that says NOT": 1,
        "no term or aspect of GO": 1,
    }  # fmt: skip
    table = "EntryID\tterm\taspect\nP1\tGO:0003677\tMFO\n"
    write(tmp_path, {"cafa/train_terms.tsv": table})
    cafa = add(tmp_path / "cafa", "goa", references=references[:1], name="cafa")
    assert cafa.answers("cafa-molecular-function") == [("MKV", "GO:0003677", "")]
    with pytest.raises(DataError, match="no FASTA of the annotated proteins"):
        add(tmp_path / "cafa", "goa", name="bare")


def uniprot_record(name: str, accession: str, lines: str, letters: str) -> str:
    """A record of UniProt's flat text, its sequence in blocks of ten."""
    blocks = " ".join(letters[start : start + 10] for start in range(0, len(letters), 10))
    return (
        f"ID   {name:<24}Reviewed;{len(letters):>12} AA.\nAC   {accession};\n"
        "DT   01-JAN-2000, integrated into UniProtKB/Swiss-Prot.\nDT   01-JAN-2000, sequence version 1.\n"
        f"DT   01-JAN-2026, entry version 7.\n{lines}PE   1: Evidence at protein level;\n"
        f"SQ   SEQUENCE   {len(letters)} AA;  2000 MW;  0123456789ABCDEF CRC64;\n     {blocks}\n//\n"
    )


UNIPROT = uniprot_record(
    "ONE_TEST", "P00001",
    "DE   RecName: Full=Imaginary kinase;\nDE            EC=2.7.11.1;\n"
    "DE   AltName: Full=Imaginary phosphatase;\nDE            EC=2.7.10.-;\nDE            EC=2.7.1.2;\n"
    "OS   Testus primus.\n"
    "CC   -!- FUNCTION: Moves phosphate to serine (PubMed:1). Does so slowly.\nCC       {ECO:0000269|PubMed:1}.\n"
    "DR   GO; GO:0005524; F:ATP binding; IEA:X.\nDR   GO; GO:0005634; C:nucleus; IDA:X.\n",
    "MKVLAATTGGLLIIFFWWHH",
) + uniprot_record(
    "TWO_TEST", "P00002", "DE   RecName: Full=Imaginary pore;\nOS   Testus secundus.\n"
    "DR   GO; GO:0016020; C:membrane; IEA:X.\n", "MAAGGLLFFI",
) + uniprot_record(
    "SIX_TEST", "P00003", "DE   RecName: EC=3.1.1.1;\nDE   AltName: EC=2.3.1.-;\nOS   Testus tertius.\n", "MWWGGLLFFI",
)  # fmt: skip


def test_uniprot_flat_text_is_asked_for_function_terms_enzyme_numbers_class_and_name(tmp_path: Path) -> None:
    found = add(write(tmp_path / "up", {"two.dat": UNIPROT}), "uniprot")
    first, second, third = "MKVLAATTGGLLIIFFWWHH", "MAAGGLLFFI", "MWWGGLLFFI"
    assert {name: found.answers(name) for name in found.tasks} == {
        "uniprot-function": [(first, "Moves phosphate to serine. Does so slowly.", "")],
        "uniprot-go": [
            (first, "ATP binding(GO:0005524); nucleus(GO:0005634)", ""), (second, "membrane(GO:0016020)", "")
        ],
        "uniprot-ec": [(first, "2.7.11.1; 2.7.10.-; 2.7.1.2", ""), (third, "3.1.1.1; 2.3.1.-", "")],
        "uniprot-ec-class": [(first, "2", "")],  # the third is of two classes
        "uniprot-product": [(first, "Imaginary kinase", ""), (second, "Imaginary pore", "")],
    }  # fmt: skip
    assert {(task.licence, task.source) for task in found.tasks.values()} == {("CC BY 4.0", "UniProtKB")}
    (enzyme,) = clean_items(found.tasks["uniprot-ec-class"], found.items("uniprot-ec-class"), Inspector("error"))
    assert enzyme.target == "transferase(EC 2)"
    (asked,) = clean_items(found.tasks["uniprot-function"], found.items("uniprot-function"), Inspector("error"))
    assert asked.target == "Moves phosphate to serine."  # its first sentence
