"""What Ray's processes are told by variables; imports no Ray."""

from __future__ import annotations

from collections.abc import Mapping

#: A node's folder for models, caches and jobs, told to its Ray by `cluster join`, or by whoever
#: starts the node otherwise.
NODE_FOLDER_VARIABLE = "EASEL_NODE_FOLDER"


def make_ray_variables(token_path: str) -> Mapping[str, str]:
    """List the variables under which every process of the cluster runs."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": token_path,
        "RAY_USAGE_STATS_ENABLED": "0",
    }
