"""Each step of `corpus build` against answers worked out by hand."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.config import KINDS, CleanConfig, Phase
from llama_gene.corpus.best_fit import best_fit
from llama_gene.corpus.clean import clean
from llama_gene.corpus.cut import cut_proteins, cut_text
from llama_gene.corpus.deduplicate import RECORD, digests, find_repeated
from llama_gene.corpus.kmers import DNA_WORD, join, words_in
from llama_gene.corpus.mix import choose_mixture
from llama_gene.corpus.near_identical import SKETCH_WORDS, Sketch, group_near_identical
from llama_gene.corpus.split import FileUnits, choose_by_letters, choose_held_out, count_regions, plan_split, stretches
from llama_gene.errors import ConfigError
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.sequences.letters import count_letters
from llama_gene.sequences.records import Record

RULES = CleanConfig(text="keep")
BASES = np.array(list("ACGT"))


def random_dna(length: int, seed: int) -> str:
    return "".join(np.random.default_rng(seed).choice(BASES, length))


def mutate(dna: str, share: float, seed: int) -> str:
    rng = np.random.default_rng(seed)
    letters = np.array(list(dna))
    places = rng.random(len(letters)) < share
    letters[places] = rng.choice(BASES, int(places.sum()))
    return "".join(letters)


def dna_words(letters: str) -> np.ndarray:
    return words_in(join([letters], "dna").letters, "dna", DNA_WORD).words


def scramble(number: int) -> int:
    """The finaliser of splitmix64, in plain Python."""
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB % 2**64
    return number ^ (number >> 31)


def test_dna_is_cut_at_every_letter_that_names_no_single_base():
    cleaned = clean(Record("x", "dna", "NNACGTRYGGN"), RULES)
    assert cleaned.runs == ((2, "ACGT"), (8, "GG"))
    assert cleaned.removed == {"unknown base N": 3, "ambiguous base": 2}


@given(st.text(alphabet="ACGTNRY", max_size=60))
def test_cleaning_dna_accounts_for_every_letter(dna):
    cleaned = clean(Record("x", "dna", dna), RULES)
    assert sum(len(run) for _, run in cleaned.runs) + cleaned.removed.total() == len(dna)
    assert all(dna[start : start + len(run)] == run for start, run in cleaned.runs)


@given(st.text(max_size=80))
def test_cleaning_text_accounts_for_every_byte_and_changes_nothing_the_second_time(text):
    text = text.encode("utf-8", "ignore").decode()
    cleaned = clean(Record("x", "text", text), RULES)
    pages = [run for _, run in cleaned.runs]
    assert sum(count_letters(page, "text") for page in pages) + cleaned.removed.total() == count_letters(text, "text")
    assert all(clean(Record("x", "text", page), RULES).runs == ((0, page),) for page in pages)


def test_a_sequence_and_its_reverse_complement_have_one_digest():
    one, other, unlike = digests(["AACGGT", reverse_complement("AACGGT"), "AACGGA"], "dna")
    assert one == other != unlike


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), max_size=8), max_size=5))
def test_of_equal_records_the_first_stays_whatever_is_looked_at_together(tmp_path_factory, books):
    folder = tmp_path_factory.mktemp("books")
    paths = [folder / f"{number}.npy" for number in range(len(books))]
    for path, names in zip(paths, books, strict=True):
        np.save(path, np.array([(name, 1, 1, 0) for name in names], dtype=RECORD))
    seen, expected = set(), []
    for names in books:
        expected.append([name in seen or seen.add(name) is not None for name in names])
    for at_once in (1 << 24, 3):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("llama_gene.corpus.deduplicate._AT_ONCE", at_once)
            assert [repeated.tolist() for repeated in find_repeated(paths)] == expected


@settings(deadline=None)  # the first call compiles
@given(st.text(alphabet="ACGT", min_size=21, max_size=90))
def test_words_are_the_same_on_both_strands_and_equal_a_plain_count(dna):
    code = dict(zip("ACGT", range(4), strict=True))

    def number(word: str) -> int:
        return sum(code[base] << 2 * (20 - place) for place, base in enumerate(word))

    words = [dna[start : start + 21] for start in range(len(dna) - 20)]
    expected = [min(number(word), number(reverse_complement(word))) for word in words]
    assert dna_words(dna).tolist() == [scramble(number) for number in expected]
    assert dna_words(reverse_complement(dna)).tolist() == [scramble(number) for number in expected[::-1]]


def test_a_sketch_is_the_smallest_words_whatever_it_is_fed_in():
    pieces = [random_dna(length, seed=length) for length in (90_000, 30, 4_000, 10, 200_000)]
    sketch = Sketch()
    for piece in pieces:
        sketch.add(piece)
    every = np.unique(np.concatenate([dna_words(piece) for piece in pieces]))
    assert np.array_equal(sketch.words, every[:SKETCH_WORDS])


def test_stretches_cut_a_run_only_where_the_split_changes():
    held = np.array([False, True, True, False, False])
    assert list(stretches(0, 45, 10, held)) == [(0, 10, False), (10, 30, True), (30, 45, False)]
    assert list(stretches(12, 3, 10, held)) == [(0, 3, True)]
    assert list(stretches(25, 20, 10, held)) == [(0, 5, True), (5, 20, False)]


@given(st.integers(2, 500), st.floats(0.001, 0.49), st.integers(0, 9))
def test_every_source_of_two_units_holds_out_at_least_one_and_never_all(units, share, seed):
    held = choose_held_out(units, share, np.random.default_rng(seed))
    assert held.sum() == max(1, round(units * share)) < units


def test_a_source_of_one_unit_is_trained_on():
    assert not choose_held_out(1, 0.4, np.random.default_rng(0)).any()


def test_a_source_of_few_records_splits_by_region_others_by_record_and_twins_not_at_all():
    files = [
        FileUnits(source=0, kind="dna", records=3, regions=int(count_regions(250_000, 100_000)) + 2),
        FileUnits(source=0, kind="dna", records=40, regions=46, has_twin=True),
        FileUnits(source=0, kind="dna", records=16, regions=40),
        FileUnits(source=1, kind="text", records=12, regions=30),
        FileUnits(source=1, kind="text", records=12, regions=30),
        FileUnits(source=2, kind="text", records=2, regions=30),
        FileUnits(source=3, kind="protein", records=2, regions=2),
    ]
    plan = plan_split(files, share=0.1, region_below_records=20, seed=1)
    assert [split.by for split in plan] == ["region", "nothing", "region", "record", "record", "region", "record"]
    assert [len(split.held) for split in plan] == [5, 0, 40, 12, 12, 30, 2]


def test_a_genome_of_one_chromosome_a_file_is_split_as_one_of_all_in_one_file():
    lengths = np.arange(24) * 50_000 + 100_000
    whole = [FileUnits(source=0, kind="dna", records=24, regions=240, lengths=lengths)]
    parts = [FileUnits(source=0, kind="dna", records=1, regions=10, lengths=lengths[at : at + 1]) for at in range(24)]
    plans = [plan_split(files, share=0.1, region_below_records=20, seed=1) for files in (whole, parts)]
    assert {split.by for plan in plans for split in plan} == {"record"}
    assert np.array_equal(plans[0][0].held, np.concatenate([split.held for split in plans[1]]))


@given(st.lists(st.integers(1, 10**7), min_size=2, max_size=60), st.floats(0.001, 0.49), st.integers(0, 9))
def test_held_out_records_of_dna_are_a_share_of_the_letters_or_the_shortest(lengths, share, seed):
    lengths = np.array(lengths)
    held = choose_by_letters(lengths, share, np.random.default_rng(seed))
    most = lengths.sum() * share
    fitting = lengths[lengths <= most].sum()
    assert 0 < held.sum() < len(lengths)
    if fitting:
        assert min(fitting, most) <= lengths[held].sum() < 2 * most
    else:
        assert lengths[held].tolist() == [lengths.min()]


def test_a_mutated_copy_and_a_piece_of_a_genome_are_grouped_with_it():
    genome = random_dna(60_000, seed=1)
    genomes = {
        0: genome,
        1: random_dna(60_000, seed=2),
        2: mutate(genome, 0.01, seed=3),
        3: reverse_complement(genome[20_000:35_000]),
        4: mutate(genome, 0.2, seed=4),
    }
    sketches = {}
    for number, letters in genomes.items():
        sketch = Sketch()
        sketch.add(letters)
        sketches[number] = sketch.words
    assert group_near_identical(sketches, 0.5) == [(0, 2, 3)]


def test_protein_pieces_are_of_nearly_equal_length():
    pieces = cut_proteins(np.array([1001, 3, 1000]), 1000)
    assert pieces.sequences.tolist() == [0, 0, 1, 2]
    assert pieces.begins.tolist() == [0, 501, 0, 0]
    assert pieces.ends.tolist() == [501, 1001, 3, 1000]


@given(st.lists(st.text(alphabet="ab. é", min_size=1, max_size=60), max_size=12), st.integers(8, 60))
def test_pages_fit_and_lose_nothing_but_space(paragraphs, max_bytes):
    text = "\n\n".join(" ".join(paragraph.split()) or "x" for paragraph in paragraphs)
    pages = list(cut_text(text, max_bytes)) if text else []
    assert all(0 < len(page.encode()) <= max_bytes for _, page in pages)
    assert all(text.encode()[start : start + len(page.encode())] == page.encode() for start, page in pages)
    assert "".join("".join(page.split()) for _, page in pages) == "".join(text.split())


def test_a_long_line_of_text_is_cut_in_linear_time():
    line = "word " * 200_000
    pages = list(cut_text(line.strip(), 3000))
    assert sum(page.count("word") for _, page in pages) == 200_000


def test_the_mixture_holds_the_weights_and_reports_what_is_short():
    phase = Phase(share=1, weights={"dna": 0.4, "protein": 0.4, "text": 0.2})
    mixture = choose_mixture(available(dna=1_600_000, protein=400_000, text=50_000), [phase], 1_000_000)
    assert mixture.spans[0] == {"dna": (0, 0.25), "protein": (0, 1), "text": (0, 1), "coding": (0, 0)}
    assert mixture.facts()["text"]["short_tokens"] == 150_000


def test_a_kind_of_weight_zero_is_left_out():
    phase = Phase(share=1, weights={"dna": 1.0, "text": 0.0})
    assert choose_mixture(available(dna=10, text=10), [phase], None).spans[0]["text"] == (0, 0)


def test_without_weights_and_budget_all_is_kept():
    mixture = choose_mixture(available(dna=70, text=10), [Phase(share=1, weights={})], None)
    assert {kind: end for kind, (_, end) in mixture.spans[0].items() if end} == {"dna": 1, "text": 1}


def test_later_phases_take_what_earlier_ones_left():
    phases = [Phase(share=1, weights={"dna": 1}), Phase(share=3, weights={"dna": 1, "text": 1})]
    mixture = choose_mixture(available(dna=400, text=300), phases, 400)
    assert [spans["dna"] for spans in mixture.spans] == [(0, 0.25), (0.25, 0.625)]
    assert [spans["text"] for spans in mixture.spans] == [(0, 0), (0, 0.5)]


def available(**tokens: float) -> dict[str, float]:
    return dict.fromkeys(KINDS, 0.0) | tokens


@settings(deadline=None)  # compiled at the first call
@given(st.lists(st.integers(1, 64), max_size=80))
def test_best_fit_places_each_document_once_and_overfills_no_block(lengths):
    blocks = best_fit(lengths, 64).split()
    assert sorted(place for block in blocks for place in block) == list(range(len(lengths)))
    assert all(sum(lengths[place] for place in block) <= 64 for block in blocks)
    # Any two blocks together hold more than one block can, or one of them would not have been opened.
    assert sum(sum(lengths[place] for place in block) * 2 <= 64 for block in blocks) <= 1


def test_best_fit_refuses_what_does_not_fit():
    with pytest.raises(ConfigError, match="65 tokens does not fit"):
        best_fit([65], 64)


def test_counts_that_do_not_balance_are_named():
    from llama_gene.corpus.accounts import count, imbalances

    counts = Counter()
    count(counts, "protein", "records", "read", 3)
    count(counts, "protein", "records", "kept", 2)
    assert imbalances(counts) == {"protein records": 1}
