"""Every setting, with its default, limit and help: the only home of defaults.

A recipe is a TOML file with one table per stage. Unknown keys are refused with the nearest known one.
Relative paths of a recipe are read from `data`.
"""

from llama_gene.config.clean import CleanConfig
from llama_gene.config.data import (
    LOCAL,
    AuditConfig,
    CorpusConfig,
    EngineConfig,
    PackConfig,
    Phase,
    Source,
    TokenizerConfig,
)
from llama_gene.config.learn import (
    ChatConfig,
    DemoConfig,
    EvaluateConfig,
    FinetuneConfig,
    ModelConfig,
    OptimizerConfig,
    PretrainConfig,
    TaskChoice,
    TasksConfig,
)
from llama_gene.config.recipe import Recipe, load_recipe
from llama_gene.config.section import (
    GENE_KINDS,
    KINDS,
    GeneKind,
    Kind,
    OnInvalid,
    Section,
    Share,
    SourceFormat,
    Spelling,
    Split,
    Unit,
    describe,
    resolve,
)

__all__ = [
    "GENE_KINDS",
    "KINDS",
    "LOCAL",
    "AuditConfig",
    "ChatConfig",
    "CleanConfig",
    "CorpusConfig",
    "DemoConfig",
    "EngineConfig",
    "EvaluateConfig",
    "FinetuneConfig",
    "GeneKind",
    "Kind",
    "ModelConfig",
    "OnInvalid",
    "OptimizerConfig",
    "PackConfig",
    "Phase",
    "PretrainConfig",
    "Recipe",
    "Section",
    "Share",
    "Source",
    "SourceFormat",
    "Spelling",
    "Split",
    "TaskChoice",
    "TasksConfig",
    "TokenizerConfig",
    "Unit",
    "describe",
    "load_recipe",
    "resolve",
]
