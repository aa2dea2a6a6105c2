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


class TooLargeError(DataError):
    """More than a limit lets through."""


class TooShortError(DataError):
    """A sequence has too few letters for what is asked of it."""


class MissingError(DataError):
    """An archive does not have what was asked for."""


class NetworkError(LlamaGeneError):
    """A server cannot be reached, or answers with an error."""


class TokenizerError(LlamaGeneError):
    """A vocabulary cannot be read, learnt or extended."""


class ModelError(LlamaGeneError):
    """A model folder is wrong or does not match its tokenizer."""


class StoppedError(LlamaGeneError):
    """A signal ended what has to end in order: a training run, whose state is saved, or a server.

    Attributes:
        exit_code: 130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(
        self, signal_number: int, said: str = "stopped; the state is saved, and the same command goes on from here."
    ) -> None:
        super().__init__(said)
        self.exit_code = 128 + signal_number


class ArtifactError(LlamaGeneError):
    """A stage folder is missing, incomplete or in use."""
