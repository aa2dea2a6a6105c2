"""Every failure a user can cause, as one small tree.

The library raises these at the spot that knows; the command line turns them into one line and exit code 2.
Each message says what is wrong, where, what was expected and what to do.
"""


class LlamaGeneError(Exception):
    """Something the user can mend."""


class ConfigError(LlamaGeneError):
    """A setting, recipe or argument is wrong."""


class DataError(LlamaGeneError):
    """An input file or record is wrong."""


class TokenizerError(LlamaGeneError):
    """A vocabulary cannot be read, learnt or extended."""


class ModelError(LlamaGeneError):
    """A model folder is wrong or does not match its tokenizer."""


class ArtifactError(LlamaGeneError):
    """A stage folder is missing, incomplete or in use."""
