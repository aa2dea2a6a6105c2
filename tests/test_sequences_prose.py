import pytest

from llama_gene.sequences.prose import strip_markdown, tidy
from llama_gene.sequences.readers import read_records
from llama_gene.sequences.uniprot import strip_evidence

ARTICLE = """<?xml version="1.0"?>
<article xmlns:mml="http://www.w3.org/1998/Math/MathML">
 <front><article-meta>
  <article-id pub-id-type="doi">10.1/x</article-id>
  <title-group><article-title>On <italic>E. coli</italic></article-title></title-group>
  <abstract><p>We grew 10<sup>6</sup> cells.</p></abstract>
  <abstract abstract-type="toc"><p>Not this.</p></abstract>
 </article-meta></front>
 <body>
  <sec><label>1</label><title>Results</title>
   <p>They grew [<xref ref-type="bibr">1</xref>,<xref ref-type="bibr">2</xref>], see
   <xref ref-type="fig">Figure 1</xref>.
   <inline-formula><mml:math><mml:mi>x</mml:mi></mml:math></inline-formula></p>
   <table-wrap><table><tr><td>cell</td></tr></table></table-wrap>
   <fig><caption><p>A figure.</p></caption></fig>
   <sec><title>More</title><p>H<sub>2</sub>O.</p></sec>
  </sec>
 </body>
 <back><ref-list><ref><mixed-citation>Smith</mixed-citation></ref></ref-list></back>
</article>"""


def test_an_article_is_title_abstract_and_paragraphs_by_section(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(ARTICLE)
    (record,) = read_records(path, "text")
    assert record.id == "10.1/x"
    assert record.annotations == {"title": "On E. coli"}
    assert record.text.split("\n\n") == [
        "On E. coli", "We grew 10^6 cells.", "Results", "They grew, see Figure 1.", "More", "H2O."
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ('---\ntitle: "Cells"\nlayout: page\n---\n\nLife.', "Cells\n\nLife."),
        ("## Head ##\n\n> quoted", "Head\n\nquoted"),
        ("**Bold**, *it*, ***both***, __b__ and snake_case_name", "Bold, it, both, b and snake_case_name"),
        ("5 * 3 * 2", "5 * 3 * 2"),
        ("See [here](http://x.y/(z) \"t\") and [there][1].\n\n[1]: http://a.b", "See here and there."),
        ("Words ([\\[link\\]](#fig-1)), more.", "Words, more."),
        ('![alt [x]](a.png "A (b) c"){: #fig}\nText', "Text"),
        ('A **term**{: data-type="term"} here.', "A term here."),
        ("before\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nafter", "before\n\nafter"),
        ("before\n<table><tr><td>1</td></tr></table>\nafter", "before\n\nafter"),
        ("a<sub>2</sub> <div class=\"x\">b</div> &amp; c", "a2 b & c"),
        ("x <math><mi>y</mi></math> z $$a^2$$", "x  z"),
        ("```\ncode\n```\nprose `name`", "prose name"),
        ("* one\n+ two\n- three", "- one\n- two\n- three"),
        ("The \\_\\_\\_\\_ of 2 \\* 3", "The ____ of 2 * 3"),
        ("a < b and c > d", "a < b and c > d"),
        ("one\n\n---\n\ntwo", "one\n\ntwo"),
    ],
)  # fmt: skip
def test_markdown_becomes_prose(markdown, text):
    assert strip_markdown(markdown) == text


def test_a_markdown_file_is_told_by_its_name(tmp_path):
    path = tmp_path / "page.md"
    path.write_bytes(b"# Title\r\n\r\nText *here*.\r\n")
    (record,) = read_records(path, "text")
    assert (record.id, record.text) == ("page.md", "Title\n\nText here.")


def test_tidy_text_has_one_blank_line_between_paragraphs():
    assert tidy("\n\na  \n\n\n\nb\n") == "a\n\nb"


def test_a_long_text_is_cut_at_blank_lines_and_nothing_is_lost(tmp_path):
    path = tmp_path / "a.txt"
    paragraphs = [f"{number} " + "word " * 2000 for number in range(300)]
    path.write_text("\n\n".join(paragraphs))
    records = list(read_records(path, "text"))
    assert [record.id for record in records] == ["a.txt", "a.txt#2", "a.txt#3"]
    assert "\n\n".join(record.text for record in records).split() == " ".join(paragraphs).split()


@pytest.mark.parametrize(
    ("text", "prose"),
    [
        ("Binds DNA. {ECO:0000250|UniProtKB:P1, ECO:0000269|PubMed:2}.", "Binds DNA."),
        ("Cuts (PubMed:1) and joins (PubMed:2, PubMed:3).", "Cuts and joins."),
        ("Binds zinc (By similarity). Acts (in vitro).", "Binds zinc. Acts (in vitro)."),
        ("[Isoform 2]: Does nothing.", "Does nothing."),
        ("Uses (2-\n(methylthio)ethanesulfonate).", "Uses (2- (methylthio)ethanesulfonate)."),
    ],
)
def test_evidence_marks_leave_the_prose(text, prose):
    assert strip_evidence(text) == prose
