"""Where settings and data lie: in `EASEL_HOME`, a checkout, or the system's folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: What bot, inference and storage lie in: the checkout, or `easel/app` where a wheel put it.
CODE_ROOT = Path(__file__).resolve().parents[2]
APPLICATION_NAME = "easel"
HOME_VARIABLE, DATA_VARIABLE = "EASEL_HOME", "EASEL_DATA_DIR"
ENV_FILE, DATA_FOLDER = ".env", "data"
#: `utf-8`, and Windows' editors begin their files with a mark.
ENV_FILE_ENCODING = "utf-8-sig"


@dataclass(frozen=True)
class HostPaths:
    """Where settings and data lie where no setting says otherwise."""

    env_file: Path
    data_dir: Path
    #: Why there, for people.
    reason: str


def is_installed(code_root: Path = CODE_ROOT) -> bool:
    """Whether the code comes from a wheel, not from a checkout."""
    return code_root.name == "app" and (code_root.parent / "__main__.py").is_file()


def find_host_paths(environment: Mapping[str, str], code_root: Path = CODE_ROOT) -> HostPaths:
    """Say where the settings file and the data directory are.

    `EASEL_HOME` goes first; a checkout keeps both in the working directory, and an installed Easel
    in the system's folders for the user's configuration and data.
    """
    home = _read_variable(environment, HOME_VARIABLE)
    if home is not None:
        folder = Path(home).expanduser()
        return HostPaths(folder / ENV_FILE, folder / DATA_FOLDER, f"{HOME_VARIABLE} is set")
    if not is_installed(code_root):
        return HostPaths(Path(ENV_FILE), Path(DATA_FOLDER), "a checkout, in the working directory")
    import platformdirs

    folders = platformdirs.PlatformDirs(APPLICATION_NAME, appauthor=False)
    return HostPaths(
        Path(folders.user_config_dir) / ENV_FILE,
        Path(folders.user_data_dir) / DATA_FOLDER,
        "the system's folders of this user, as Easel is installed",
    )


def find_data_dir(environment: Mapping[str, str], paths: HostPaths) -> Path:
    """Find the data directory as the settings would, without reading all of them."""
    value = _read_variable(environment, DATA_VARIABLE)
    if value is None and paths.env_file.is_file():
        # Its library is imported for a file that has the variable, or may have it.
        content = paths.env_file.read_bytes()
        if DATA_VARIABLE.encode() in content.upper():
            from dotenv import dotenv_values

            value = _read_variable(
                dotenv_values(paths.env_file, encoding=ENV_FILE_ENCODING), DATA_VARIABLE
            )
    return paths.data_dir if value is None else Path(value)


def _read_variable(environment: Mapping[str, str | None], name: str) -> str | None:
    """Read a variable whatever its case, as the settings do; an empty one is not set."""
    values = {key.upper(): value for key, value in environment.items()}
    return values.get(name) or None
