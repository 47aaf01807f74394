"""Keeps deepeval to itself: nothing is reported, no `.env` is read, nothing is written into the project.

Nor may a text that is measured be taken for one of its placeholders.
"""

import io
import os
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path


@contextmanager
def quietly() -> Generator[None]:
    """Wraps deepeval's import, which reads these variables; whoever set one keeps it.

    They stay set: deepeval looks them up again when it measures.
    """
    os.environ.setdefault("DEEPEVAL_TELEMETRY_OPT_OUT", "1")
    os.environ.setdefault("DEEPEVAL_DISABLE_DOTENV", "1")
    os.environ.setdefault("DEEPEVAL_FILE_SYSTEM", "READ_ONLY")
    os.environ.setdefault("DEEPEVAL_CACHE_FOLDER", str(Path(tempfile.gettempdir()) / "interlock-deepeval"))
    said = io.StringIO()
    with warnings.catch_warnings(), redirect_stdout(said), redirect_stderr(said):
        warnings.simplefilter("ignore")
        yield


def inert(text: str) -> str:
    """The text without what deepeval takes for an image or a file of its own, and then refuses to measure."""
    return text.replace("[DEEPEVAL:", "[DEEPEVAL\u200b:")
