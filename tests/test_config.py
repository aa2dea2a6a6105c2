from pathlib import Path

import pytest

from llama_gene.config import load_recipe, resolve
from llama_gene.errors import ConfigError
from llama_gene.storage import to_path


def test_an_unknown_key_names_its_nearest_neighbour(tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text('name = "x"\n[pretrain]\nlerning_rate = 1e-3\n')
    with pytest.raises(ConfigError, match=r"pretrain\.lerning_rate: unknown setting; did you mean 'learning_rate'\?"):
        load_recipe(file)


def test_an_unknown_key_inside_a_list_is_named_with_its_place(tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text('name = "x"\n[[corpus.sources]]\npath = "a"\nkind = "dna"\nnmae = "b"\n')
    with pytest.raises(ConfigError, match=r"corpus\.sources\.0\.nmae: unknown setting; did you mean 'name'"):
        load_recipe(file)


def test_a_negative_rate_is_refused():
    with pytest.raises(ConfigError, match=r"pretrain\.learning_rate = -1.*greater than 0"):
        load_recipe(None, ["pretrain.learning_rate=-1"])


def test_overrides_reach_into_lists_and_nested_tables(tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text('name = "x"\n[[tasks.choices]]\nname = "a"\n[[tasks.choices]]\nname = "b"\n')
    recipe = load_recipe(file, ["tasks.choices.1.train=7", "pack.weights.dna=0.9"])
    assert recipe.tasks.choices[1].train == 7
    assert recipe.pack.weights["dna"] == 0.9


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("pretrain.epochs", "expected key=value"),
        ("name.x=1", "holds a value, not a table"),
        ("pretrain.epochs=fast", "epochs = 'fast'"),
        ("model.hidden_size=90", "even multiple of heads"),
        ("corpus.fragment_min_bp=2000", "fragment_min_bp exceeds"),
    ],
)
def test_a_bad_override_says_what_is_wrong(override, message):
    with pytest.raises(ConfigError, match=message):
        load_recipe(None, ["name=ok", override])


def test_a_missing_recipe_and_broken_toml_are_named(tmp_path):
    with pytest.raises(ConfigError, match="no such recipe"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "recipe.toml").write_text("name = \n")
    with pytest.raises(ConfigError, match="not TOML"):
        load_recipe(tmp_path)


@pytest.mark.parametrize(
    ("path", "place"),
    [("a/*.fa", "memory://lab/data/a/*.fa"), (".", "memory://lab/data"), ("/here/a.fa", "/here/a.fa"),
     ("~/a.fa", str(Path("~/a.fa").expanduser())), ("memory://other/a.fa", "memory://other/a.fa")],
)  # fmt: skip
def test_a_path_starts_from_data_in_object_storage_unless_it_names_its_own_place(path, place):
    pytest.importorskip("upath", reason="universal-pathlib is not installed: pip install 'llama-gene[cluster]'")
    assert str(resolve(path, to_path("memory://lab/data"))) == place
