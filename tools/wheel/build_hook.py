"""Puts the files of the checkout's root into the wheel, and never beside an editable install."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Where they lie in the wheel: beside bot, inference and storage.
APP_FOLDER = "easel/app"
ROOT_FILES = ("main.py", "CHANGELOG.md")


class RootFilesHook(BuildHookInterface[Any]):
    """Adds the files to a wheel that is meant to be copied."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them unless the install is `editable`."""
        if version == "standard":
            build_data["force_include"] |= {name: f"{APP_FOLDER}/{name}" for name in ROOT_FILES}
