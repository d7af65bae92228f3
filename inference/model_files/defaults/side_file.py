"""The small file beside a checkpoint by which its host says how it draws best."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from inference.api.did_you_mean import suggest_names
from inference.api.errors import JobError
from inference.api.jobs.base import EditingJob
from inference.api.jobs.model_defaults import FILE_ORIGIN, MODEL_DEFAULT_OPTIONS, ModelDefault
from inference.model_files.errors import ModelError
from inference.model_files.files import is_file, is_folder, is_variant
from inference.model_files.inspection import escape_unsendable
from inference.model_files.json_files import read_json_object

log = logging.getLogger(__name__)

#: In a checkpoint's folder, or behind the name of its file: `dreamy.easel.json`.
SIDE_FILE = "easel.json"
SIZE_KEY = "size"


def side_file_path(path: Path) -> Path:
    """Name the file that goes with a checkpoint; a variant without one has its checkpoint's."""
    if not is_folder(path):
        return path.with_name(f"{path.stem}.{SIDE_FILE}")
    own_file = path / SIDE_FILE
    return path.parent / SIDE_FILE if is_variant(path) and not is_file(own_file) else own_file


def read_side_file(path: Path) -> tuple[int | None, tuple[ModelDefault, ...]]:
    """Read the side in pixels and the defaults that a checkpoint's file says; none without one.

    What cannot be used is named in the log, and the rest counts: a slip must not stop a worker.
    """
    file = side_file_path(path)
    if not is_file(file):
        return None, ()
    try:
        values = read_json_object(file)
    except ModelError as error:
        _warn(file, str(error))
        return None, ()
    side = None
    defaults = []
    for name, value in values.items():
        problem = _find_problem(name, value)
        if problem:
            _warn(file, problem)
        elif name == SIZE_KEY:
            side = int(value)
        else:
            defaults.append(ModelDefault(name, value, FILE_ORIGIN))
    return side, tuple(defaults)


def _find_problem(name: str, value: Any) -> str:
    """Say why a line of the file cannot be used; empty where it can."""
    known_names = (SIZE_KEY, *MODEL_DEFAULT_OPTIONS)
    if name not in known_names:
        return f"“{name}” is not known here. {suggest_names(name, known_names)}"
    try:
        if name == SIZE_KEY:
            EditingJob(width=value, height=value)
        else:
            EditingJob(**{name: value})
    except JobError as error:
        return str(error)
    return "" if value is not None else f"{name} is empty"


def _warn(file: Path, problem: str) -> None:
    log.warning("%s: %s", escape_unsendable(file.name), escape_unsendable(problem))
