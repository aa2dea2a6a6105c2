"""A recipe: all tables together, read from TOML, with `--set` on top and errors that name the nearest known key."""

import difflib
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import Field, ValidationError

from llama_gene.config.agent import AgentConfig
from llama_gene.config.data import AuditConfig, CorpusConfig, EngineConfig, PackConfig, TokenizerConfig
from llama_gene.config.fetch import FetchConfig
from llama_gene.config.learn import (
    ChatConfig,
    DemoConfig,
    EvaluateConfig,
    FinetuneConfig,
    ModelConfig,
    PredictConfig,
    PretrainConfig,
    SpecialistConfig,
    TasksConfig,
)
from llama_gene.config.search import IndexConfig
from llama_gene.config.section import Section
from llama_gene.config.serve import ServeConfig
from llama_gene.errors import ConfigError


class Recipe(Section):
    """The whole pipeline, from files to a report."""

    name: str = Field(description="Name of the run.", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = Field("", description="One sentence for the report.")
    seed: int = Field(1, ge=0, description="Seed of every random choice.")
    data: str = Field("", description="Folder that relative paths start from.")
    demo: DemoConfig | None = Field(None, description="Make a synthetic organism and use it as `data`.")
    engine: EngineConfig = EngineConfig()
    fetch: FetchConfig = FetchConfig()
    corpus: CorpusConfig = CorpusConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    audit: AuditConfig = AuditConfig()
    pack: PackConfig = PackConfig()
    model: ModelConfig = ModelConfig()
    pretrain: PretrainConfig = PretrainConfig()
    tasks: TasksConfig = TasksConfig()
    specialist: SpecialistConfig = SpecialistConfig()
    finetune: FinetuneConfig = FinetuneConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    chat: ChatConfig = ChatConfig()
    index: IndexConfig = IndexConfig()
    agent: AgentConfig = AgentConfig()
    predict: PredictConfig = PredictConfig()
    serve: ServeConfig = ServeConfig()


def load_recipe(path: Path | None, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply `a.b=value` overrides.

    Args:
        path: recipe.toml, or the folder that holds one; None: the defaults.
        overrides: Each `dotted.key=value`; the value is TOML, or else plain text. `key.0.name` enters a list.

    Raises:
        ConfigError: no such file, bad TOML, unknown key or bad value.

    >>> load_recipe(None, ["pretrain.learning_rate=1e-3", "name=mine"]).pretrain.learning_rate
    0.001
    """
    values: dict[str, Any] = {"name": "unnamed"} if path is None else _read_toml(path)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {override!r}: expected key=value, for example --set pretrain.epochs=2.")
        _assign(values, key.strip().split("."), _parse_value(text.strip()), override)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, path)) from None


def _read_toml(path: Path) -> dict[str, Any]:
    file = path / "recipe.toml" if path.is_dir() else path
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such recipe. Expected a recipe.toml or a folder that holds one.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not TOML ({error}). Mend the line it names.") from None


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _assign(values: dict[str, Any], keys: list[str], value: Any, override: str) -> None:
    place: Any = values
    for key in keys[:-1]:
        place = place[_index(place, key, override)] if isinstance(place, list) else place.setdefault(key, {})
        if not isinstance(place, dict | list):
            raise ConfigError(f"--set {override!r}: {key!r} holds a value, not a table. Shorten the key.")
    if isinstance(place, list):
        place[_index(place, keys[-1], override)] = value
    else:
        place[keys[-1]] = value


def _index(place: list[Any], key: str, override: str) -> int:
    if not key.isdecimal() or int(key) >= len(place):
        raise ConfigError(f"--set {override!r}: {key!r} is not a position from 0 to {len(place) - 1}.")
    return int(key)


def _explain(error: ValidationError, path: Path | None) -> str:
    """One problem as one line, with the nearest known key; a misspelt key comes before what it leaves missing."""
    problem = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in problem["loc"]) or "recipe"
    origin = f"{path}: " if path else ""
    more = f" ({error.error_count() - 1} more after it)" if error.error_count() > 1 else ""
    if problem["type"] == "extra_forbidden":
        known = sorted(_keys_beside(problem["loc"]))
        near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}."
        return f"{origin}{where}: unknown setting; {advice}{more}"
    if problem["type"] == "missing":
        return f"{origin}{where}: missing. Expected a value; add it.{more}"
    return f"{origin}{where} = {problem['input']!r}: {problem['msg']}. Change this value.{more}"


def _keys_beside(location: tuple[int | str, ...]) -> Iterator[str]:
    sections: list[type[Section]] = [Recipe]
    for part in location[:-1]:
        if not isinstance(part, str):
            continue
        if part in sections[0].model_fields:
            sections = list(_sections_of(sections[0].model_fields[part].annotation))
        else:  # where entries are of several kinds, the location names the kind
            sections = [section for section in sections if part in _kinds_of(section)] or sections
    yield from sections[0].model_fields


def _sections_of(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for part in get_args(annotation):
        yield from _sections_of(part)


def _kinds_of(section: type[Section]) -> list[Any]:
    return [word for field in section.model_fields.values() for word in get_args(field.annotation)]
