"""Importers of DNA and RNA sets: labelled sequences, intervals with strands, activities, structures."""

import gzip
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from importing import add, write
from llama_gene.errors import DataError

GUE = {
    "tf/0/train.csv": "sequence,label\nACGTACGTACGT,0\nGGGTACGTACGA,1\n",
    "tf/0/dev.csv": "sequence,label\nCCGTACGTACGA,1\n",
    "tf/0/test.csv": "sequence,label\nTTGTACGTACGA,0\n",
    "virus/covid/train.csv": "sequence,label\nACGTAAGTACGT,0\nGGGTCCGTACGA,10\nGGGTCCGTACGG,2\n",
}
# chr1 has 20 letters, chrX 12; line lengths differ on purpose.
GENOME = ">chr1 first\nAAAACCCCGG\nGGTTTTACGT\n>chrX\nacgtacgt\nNNNN\n"
BED = (
    "chromosome\tstart\tend\tsplit\tlabel\tstrand\n"
    "chr1\t0\t6\ttrain\t1\t+\n"
    "chr1\t2\t8\ttrain\t0\t-\n"
    "chr1\t14\t20\tvalid\t1\t-\n"
    "X\t0\t4\ttest\t0\t.\n"
)


def test_gue_folders_become_tasks_that_read_the_files_as_they_are(tmp_path: Path) -> None:
    found = add(write(tmp_path / "GUE", GUE), "gue")
    assert list(found.tasks) == ["gue-tf-0", "gue-virus-covid"]
    assert found.answers("gue-tf-0") == [
        ("CCGTACGTACGA", "1", "valid"), ("TTGTACGTACGA", "0", "test"), ("ACGTACGTACGT", "0", "train"),
        ("GGGTACGTACGA", "1", "train"),
    ]  # fmt: skip
    assert found.tasks["gue-tf-0"].label_names == ("not bound", "bound")
    assert [(label.name, label.written) for label in found.tasks["gue-virus-covid"].labels] == [
        ("class 0", ("0",)), ("class 2", ("2",)), ("class 10", ("10",)),
    ]  # fmt: skip
    assert not (found.folder / "tables").exists()


def test_a_folder_that_names_nothing_known_keeps_its_own_name(tmp_path: Path) -> None:
    table = "sequence,label\nACGTACGTACGT,0\nGGGTACGTACGA,1\n"
    with zipfile.ZipFile(tmp_path / "gue.zip", "w") as archive:
        archive.writestr("GUE/temperature/train.csv", "\ufeff" + table.replace("\n", "\r\n"))
        archive.writestr("GUE/batch1/train.csv", table)
        archive.writestr("GUE/EMP/H3K4me1/train.csv", table)
    found = add(tmp_path / "gue.zip", "gue")
    assert {name: task.title for name, task in found.tasks.items()} == {
        "gue-batch1": "batch1 prediction", "gue-emp-h3k4me1": "histone mark detection",
        "gue-temperature": "temperature prediction",
    }  # fmt: skip
    assert found.answers("gue-temperature")[0] == ("ACGTACGTACGT", "0", "train")


def test_a_table_without_its_column_is_named_with_what_it_has(tmp_path: Path) -> None:
    folder = write(tmp_path / "GUE", {"tf/0/train.csv": "seq,label\nACGT,0\n"})
    with pytest.raises(DataError, match=r"train\.csv: no column 'sequence'.*it has seq, label"):
        add(folder, "gue")


def test_a_truncated_gz_is_one_clear_line(tmp_path: Path) -> None:
    data = gzip.compress(b"sequence,label\n" + b"ACGTACGTTT,1\nACGTACGTAG,0\n" * 400)
    (tmp_path / "GUE").mkdir()
    (tmp_path / "GUE" / "train.csv.gz").write_bytes(data[: len(data) - 20])
    with pytest.raises(DataError, match=r"train\.csv\.gz: .*(too early|cannot be read)"):
        add(tmp_path / "GUE", "gue")


def test_titles_with_a_label_are_those_of_the_nucleotide_transformer(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "nt",
        {
            "enhancers/train.fna": ">chr9:1-5|0\nACGT\nAC\n>chr9:7-9|1\nGGTTAA\n",
            "enhancers/test.fna": ">chr1:1-5|1\nTTTTAC\n",
        },
    )
    found = add(folder, "nucleotide-transformer")
    assert found.answers("nucleotide-transformer-enhancers") == [
        ("TTTTAC", "1", "test"), ("ACGTAC", "0", "train"), ("GGTTAA", "1", "train")
    ]  # fmt: skip
    assert found.tasks["nucleotide-transformer-enhancers"].label_names == ("no enhancer", "enhancer")


def test_one_parquet_of_many_tasks_is_parted_by_its_column(tmp_path: Path) -> None:
    (tmp_path / "nt" / "data").mkdir(parents=True)
    for split, shift in (("train", 0), ("test", 1)):
        table = pa.table(
            {
                "sequence": ["ACGT", "GGCC", "TTAA", "CATG"],
                "name": ["a", "b", "c", "d"],
                "label": [0, 1, shift, 1 - shift],
                "task": ["H3", "H3", "promoter_tata", "promoter_tata"],
            }
        )
        pq.write_table(table, tmp_path / "nt" / "data" / f"{split}-00000-of-00001.parquet")
    found = add(tmp_path / "nt", "nucleotide-transformer")
    assert found.answers("nucleotide-transformer-promoter_tata") == [
        ("TTAA", "1", "test"), ("CATG", "0", "test"), ("TTAA", "0", "train"), ("CATG", "1", "train")
    ]  # fmt: skip
    assert found.tasks["nucleotide-transformer-h3"].label_names == ("no mark", "mark")


def test_genomic_benchmarks_of_one_sequence_a_file(tmp_path: Path) -> None:
    files = {
        "human_or_worm/train/human/0.txt": "ACGTA", "human_or_worm/train/worm/0.txt": "GGGTA",
        "human_or_worm/test/human/7.txt": "TTTTA\n", "human_or_worm/test/worm/9.txt": "CCCCA",
    }  # fmt: skip
    found = add(write(tmp_path / "sets", files), "genomic-benchmarks")
    name = "genomic-benchmarks-human_or_worm"
    assert sorted(found.answers(name)) == [
        ("ACGTA", "human", "train"), ("CCCCA", "worm", "test"), ("GGGTA", "worm", "train"), ("TTTTA", "human", "test")
    ]  # fmt: skip
    assert found.tasks[name].label_names == ("human", "worm")


def test_genomic_benchmarks_of_intervals_take_the_genome_of_their_class(tmp_path: Path) -> None:
    header = "id,region,start,end,strand\n"
    files = {
        "set/train/human.csv": header + "0,chr1,0,6,+\n1,chr1,0,6,-\n",
        "set/test/human.csv": header + "2,chr1,4,10,+\n",
        "set/train/worm.csv": header + "0,1,0,4,+\n", "set/test/worm.csv": header + "1,1,1,5,-\n",
        "set/metadata.yaml": "classes:\n  human:\n    type: fa.gz\n    url: http://x.org/Human.dna.fa.gz\n"
        "  worm:\n    type: fa.gz\n    url: http://x.org/Worm.dna.fa.gz\nversion: 0\n",
        "genomes/Human.dna.fa": ">1\nAAAACCCCGGGG\n", "genomes/Worm.dna.fa": ">1\nTTTTTGGG\n",
    }  # fmt: skip
    write(tmp_path, files)
    genomes = [tmp_path / "genomes" / "Human.dna.fa", tmp_path / "genomes" / "Worm.dna.fa"]
    found = add(tmp_path / "set", "genomic-benchmarks", references=genomes)
    assert sorted(found.answers("genomic-benchmarks-set")) == [
        ("AAAA", "worm", "test"), ("AAAACC", "human", "train"), ("CCCCGG", "human", "test"),
        ("GGTTTT", "human", "train"), ("TTTT", "worm", "train"),
    ]  # fmt: skip
    assert found.counts["chromosome that the genome calls otherwise"] == 3


def test_bed_coordinates_are_half_open_and_minus_is_the_other_strand(tmp_path: Path) -> None:
    write(tmp_path, {"peaks.bed": BED, "genome.fa": GENOME})
    found = add(tmp_path / "peaks.bed", "bed", references=[tmp_path / "genome.fa"])
    # chr1 is AAAACCCCGGGGTTTTACGT: 2-8 is AACCCC, 14-20 is TTACGT.
    assert [(item.id, *item.sequences, item.answer, item.split) for item in found.items("bed-peaks")] == [
        ("chr1:0-6(+)", "AAAACC", "1", "train"), ("chr1:2-8(-)", "GGGGTT", "0", "train"),
        ("chr1:14-20(-)", "ACGTAA", "1", "valid"), ("X:0-4(.)", "acgt", "0", "test"),
    ]  # fmt: skip
    assert found.tasks["bed-peaks"].label_names == ("no", "yes")


def test_a_seventh_column_without_a_header_holds_the_labels(tmp_path: Path) -> None:
    lines = "chr1\t0\t6\t.\t1\t+\t5\nchr1\t2\t8\t.\t1\t-\t3,17\n"
    write(tmp_path, {"basset.bed": lines, "genome.fa": GENOME})
    found = add(tmp_path / "basset.bed", "bed", references=[tmp_path / "genome.fa"])
    assert [(*item.sequences, item.answer) for item in found.items("bed-basset")] == [
        ("AAAACC", "5"), ("GGGGTT", "3,17")
    ]  # fmt: skip


def test_bed_without_a_split_keeps_chromosomes_together(tmp_path: Path) -> None:
    lines = [f"chr{place}\t{n}\t{n + 4}\tpeak{n % 2}\t0\t+" for place in range(1, 6) for n in range(16)]
    genome = "".join(f">chr{number}\nACGTACGTACGTACGTACGT\n" for number in range(1, 6))
    # What the genome does not have counts for no split, and is counted once.
    lines += ["chr1\t9\t4\tpeak0\t0\t+", *(f"chrUn{n}\t0\t4\tpeak0\t0\t+" for n in range(8))]
    write(tmp_path, {"a.bed": "track name=x\n" + "\n".join(lines) + "\n", "genome.fa": genome})
    found = add(tmp_path / "a.bed", "bed", references=[tmp_path / "genome.fa"])
    assert found.counts == {"empty or reversed interval": 1, "unknown chromosome": 8}
    items = found.items("bed-a")
    placed = {item.id.partition(":")[0]: set() for item in items}
    for item in items:
        placed[item.id.partition(":")[0]].add(item.split)
    assert all(len(splits) == 1 for splits in placed.values())
    assert {split for splits in placed.values() for split in splits} == {"train", "valid", "test"}
    assert {item.answer for item in items} == {"peak0", "peak1"}


def test_tables_and_intervals_that_differ_in_their_split_are_one_task(tmp_path: Path) -> None:
    lines = "chr1\t0\t6\topen\nchr1\t2\t8\tclosed\n"
    activity = "sequence,activity\nACGTACGTACGT,{}\n"
    files = {"bed/peaks_train.bed": lines, "bed/peaks_test.bed": lines, "genome.fa": GENOME}
    files |= {"mpra/lib_train.csv": activity.format(1.5), "mpra/lib_val.csv": activity.format(2.5)}
    write(tmp_path, files)
    bed = add(tmp_path / "bed", "bed", references=[tmp_path / "genome.fa"])
    assert [item.split for item in bed.items("bed-peaks")] == ["test", "test", "train", "train"]
    mpra = add(tmp_path / "mpra", "mpra")
    assert [(item.value, item.split) for item in mpra.items("mpra-lib")] == [(1.5, "train"), (2.5, "valid")]
    assert (list(bed.tasks), list(mpra.tasks)) == (["bed-peaks"], ["mpra-lib"])


def test_intervals_that_the_genome_does_not_have_are_counted(tmp_path: Path) -> None:
    bad = "chr1\t15\t21\ttrain\t1\t+\nchr7\t0\t4\ttrain\t1\t+\nchr1\t9\t9\ttrain\t1\t+\nchr1\t0\t4\ttrain\t\t+\n"
    write(tmp_path, {"peaks.bed": BED + bad + "chr1\tx\t9\ttrain\t1\t+\n", "genome.fa": GENOME})
    found = add(tmp_path / "peaks.bed", "bed", references=[tmp_path / "genome.fa"])
    assert len(found.items("bed-peaks")) == 4
    assert found.counts["past the end of its chromosome"] == 1
    assert found.counts["unknown chromosome"] == 1
    with pytest.raises(DataError, match=r"peaks\.bed:6: ends at 21, and 'chr1' has 20 letters"):
        add(tmp_path / "peaks.bed", "bed", references=[tmp_path / "genome.fa"], on_invalid="error", name="strict")


def test_intervals_need_a_genome_and_labels(tmp_path: Path) -> None:
    write(tmp_path, {"peaks.bed": BED, "bare.bed": "chr1\t0\t6\n", "genome.fa": GENOME})
    with pytest.raises(DataError, match="Give its FASTA with --reference FILE"):
        add(tmp_path / "peaks.bed", "bed")
    with pytest.raises(DataError, match="no column of labels, only region, start, end"):
        add(tmp_path / "bare.bed", "bed", references=[tmp_path / "genome.fa"])


def test_deepstarr_joins_records_and_lines_by_their_place(tmp_path: Path) -> None:
    header = "Dev_log2_enrichment\tHk_log2_enrichment\n"
    files = {
        "Sequences_Train.fa": ">chr2L_1_5_+\nACGTA\n>chr2L_7_11_-\nGGGTA\n",
        "Sequences_activity_Train.txt": header + "1.5\t-0.25\n0.5\t3\n",
        "Sequences_Test.fa": ">chr2R_1_5_+\nTTGTA\n", "Sequences_activity_Test.txt": header + "2\t1\n",
    }  # fmt: skip
    found = add(write(tmp_path / "deepstarr", files), "deepstarr")
    items = found.items("deepstarr-housekeeping")
    assert sorted((*item.sequences, item.value, item.split) for item in items) == [
        ("ACGTA", -0.25, "train"), ("GGGTA", 3.0, "train"), ("TTGTA", 1.0, "test")
    ]  # fmt: skip
    write(tmp_path / "deepstarr", {"Sequences_activity_Test.txt": header})
    with pytest.raises(DataError, match=r"Sequences_activity_Test\.txt: ends after 0 entries"):
        add(tmp_path / "deepstarr", "deepstarr", name="again")


def test_mpra_takes_what_was_measured_and_not_what_was_predicted(tmp_path: Path) -> None:
    sequence = "ACGTACGTACGTACGT"
    files = {
        "assay.csv": "ID,Promoter Sequence,Observed log(TX/Txref),Predicted log(TX/Txref),MAE\n"
        f"0,{sequence},-1.0,-2.2,0.5\n1,{sequence[::-1]},0.5,0.1,0.5\n",
        "dream.txt": f"{sequence}\t12.5\n{sequence[::-1]}\t3\n",
        "names.csv": "gene,note\na,b\n",
    }
    write(tmp_path, files)
    found = add(tmp_path / "assay.csv", "mpra")
    assert [(item.sequences[0], item.value) for item in found.items("mpra-assay")] == [
        (sequence, -1.0), (sequence[::-1], 0.5)
    ]  # fmt: skip
    plain = add(tmp_path / "dream.txt", "mpra", name="dream")
    assert [item.value for item in plain.items("dream")] == [12.5, 3.0]
    with pytest.raises(DataError, match="no column of sequences found among gene, note"):
        add(tmp_path / "names.csv", "mpra", name="names")


def test_structures_of_every_form_give_the_same_states(tmp_path: Path) -> None:
    letters, states = "GGGAAAUCCC", "(((....)))"
    partners = {1: 10, 2: 9, 3: 8, 8: 3, 9: 2, 10: 1}
    pairs = [(place, letter, partners.get(place, 0)) for place, letter in enumerate(letters, start=1)]
    bpseq = "".join(f"{place} {letter} {mate}\n" for place, letter, mate in pairs)
    ct = "".join(f"{place} {letter} {place - 1} {place + 1} {mate} {place}\n" for place, letter, mate in pairs)
    files = {
        "a.dbn": f"#Name: one\n#Length: 10\n{letters}\n{states}\n",
        "b.st": f"#Name: two\n#Length: 10\n#PageNumber: 1\n{letters}\n{states}\nSSSHHHHSSS\nNNNNNNNNNN\nS1 1..3\n",
        "c.bpseq": f"#Name: three\n{bpseq}",
        "d.ct": f"10 four\n{ct}",
        "e.dbn": f">five\n{letters}\n{states} (-1.20)\n>six\n{letters}\n..........\n",
        "f.dbn": f">seven\n{letters}\n(((----)))\n",
    }
    found = add(write(tmp_path / "rna", files), "bprna")
    assert [(item.id, *item.sequences, item.answer) for item in found.items("bprna")] == [
        ("one", letters, states), ("two", letters, states), ("three", letters, states), ("d", letters, states),
        ("five", letters, states), ("six", letters, ".........."), ("seven", letters, states),
    ]  # fmt: skip
    write(tmp_path, {"json/a.json": json.dumps({"seq": letters, "label": "(((----)))"})})
    assert add(tmp_path / "json", "bprna", name="lines").answers("lines") == [(letters, states, "")]


def test_the_sets_of_spot_rna_are_splits(tmp_path: Path) -> None:
    hairpin = "GGGAAAUCCC\n(((....)))\n"
    files = {"dbn/TR0/a.dbn": hairpin, "dbn/VL0/a.dbn": hairpin, "dbn/TS0/a.dbn": hairpin, "dbn/STS1x/a.dbn": hairpin}
    line = '{"seq": "GGGAAAUCCC", "label": "(((....)))"}\n'
    write(tmp_path, files | {"json/bprna_TR0.json": line, "json/bprna_TS0.json": line})
    assert [item.split for item in add(tmp_path / "dbn", "bprna").items("bprna")] == [None, "train", "test", "valid"]
    found = add(tmp_path / "json", "bprna", name="lines")
    assert [item.split for item in found.items("lines")] == ["train", "test"]


def test_a_structure_that_does_not_fit_is_counted(tmp_path: Path) -> None:
    files = {
        "long.dbn": "GGGAAACCC\n(((...))).\n", "open.dbn": "GGGAAACCC\n((((..)))\n", "alone.dbn": "GGGAAACCC\n",
        "odd.bpseq": "1 G 3\n2 A 0\n3 C 2\n", "good.dbn": "GGGAAACCC\n(((...)))\n",
    }  # fmt: skip
    found = add(write(tmp_path / "rna", files), "bprna")
    assert len(found.items("bprna")) == 1
    assert found.counts == {
        "brackets that do not pair": 1, "partners that do not agree": 1, "sequence without a structure": 1,
        "structure of another length than its sequence": 1,
    }  # fmt: skip
    entries = [{"seq": "GGGAAACCC", "label": brackets} for brackets in ("(((...)))", "((((..)))", "(((...)).")]
    write(tmp_path, {"json/a.json": "".join(f"{json.dumps(entry)}\n" for entry in entries)})
    lines = add(tmp_path / "json", "bprna", name="lines")
    assert lines.answers("lines") == [("GGGAAACCC", "(((...)))", "")]
    assert lines.counts == {"brackets that do not pair": 2}
    with pytest.raises(DataError, match=r"long\.dbn:2: 10 places of structure for 9 bases"):
        add(tmp_path / "rna" / "long.dbn", "bprna", on_invalid="error", name="strict")
