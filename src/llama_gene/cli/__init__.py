"""The command line: parse, call one function, show.

Results go to standard output, progress to standard error. Exit codes: 0 well, 2 something the user can mend (one
line), 1 our bug, 130 after Ctrl-C, 143 after SIGTERM. Command bodies import late so that `--help` stays fast.
"""

import errno
import os
import signal
import sys
import warnings
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

from llama_gene.artifacts import FULL_DISK
from llama_gene.cli.answer import add_answer_commands
from llama_gene.cli.data import add_data_commands
from llama_gene.cli.learn import add_learn_commands
from llama_gene.cli.pipeline import add_pipeline_commands
from llama_gene.cli.search import add_search_commands
from llama_gene.cli.serving import add_serving_commands
from llama_gene.errors import LlamaGeneError, StoppedError

_ORDER = (
    "demo", "run", "doctor", "corpus", "tokenizer", "model", "pretrain", "tasks", "finetune", "evaluate", "score",
    "chat", "predict", "index", "serve", "mcp",
)  # fmt: skip
_USAGE_ERRORS: type[Exception] = typer.BadParameter.__bases__[0].__bases__[0]
_INTERRUPTED = 130
_USER_ERRNOS = {
    **{number: f"{words}. Free some space and run again" for number, words in FULL_DISK.items()},
    errno.EACCES: "no permission. Change the permissions or choose another path",
    errno.EROFS: "the file system is read-only. Choose another --output",
    errno.ENOTDIR: "a part of this path is a file, not a folder. Choose another path",
    errno.EEXIST: "a part of this path is a file, not a folder. Choose another path",
    errno.EISDIR: "this is a folder, expected a file. Check the path",
    errno.ENOENT: "no such file or folder. Check the path",
}


class _TerminatedError(BaseException):
    """SIGTERM came: nothing but `run` may catch it."""


class _InOrder(TyperGroup):
    """Shows the verbs in the order of the pipeline."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [verb for verb in _ORDER if verb in self.commands]


def build_app() -> typer.Typer:
    """The whole command tree."""
    app = typer.Typer(
        name="llama-gene",
        cls=_InOrder,
        help="Turn a LLaMA model into a gene model: one vocabulary for English, DNA and protein, "
        "and every gene task asked and answered in words.",
        epilog="Start with `llama-gene demo` (offline, minutes) or `llama-gene run RECIPE --check`.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    add_pipeline_commands(app)
    add_data_commands(app)
    add_learn_commands(app)
    add_answer_commands(app)
    add_search_commands(app)
    add_serving_commands(app)
    return app


def main() -> None:
    """Entry point of the `llama-gene` script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code."""
    _stay_offline()
    signal.signal(signal.SIGTERM, _on_terminate)
    try:
        result = build_app()(args=arguments, prog_name="llama-gene", standalone_mode=False)
    except LlamaGeneError as error:
        return _fail(str(error), error.exit_code if isinstance(error, StoppedError) else 2)
    except _USAGE_ERRORS as error:
        return _fail(f"{error.format_message() or 'Expected a command.'} See `llama-gene --help`.")  # type: ignore[attr-defined]
    except (KeyboardInterrupt, typer.Abort):
        result = _INTERRUPTED
    except _TerminatedError:
        return _fail("terminated; finished stages are whole.", code=143)
    except OSError as error:
        if error.errno not in _USER_ERRNOS:
            raise
        return _fail(f"{error.filename or 'output'}: {_USER_ERRNOS[error.errno]}.")
    if result == _INTERRUPTED:  # typer gives this number for Ctrl-C
        return _fail("interrupted; finished stages are whole.", code=_INTERRUPTED)
    return result if isinstance(result, int) else 0


def _fail(message: str, code: int = 2) -> int:
    print("llama-gene:", " ".join(message.split()), file=sys.stderr)
    return code


def _on_terminate(_number: int, _frame: FrameType | None) -> None:
    raise _TerminatedError


def _stay_offline() -> None:
    """Nothing is fetched and nothing reported unless a command is asked to; no library warns its developers here."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore", FutureWarning)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
