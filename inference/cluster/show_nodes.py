"""Print a cluster's nodes: `python -m inference.cluster.show_nodes ADDRESS NAMESPACE`."""

from __future__ import annotations

import sys


def main() -> int:
    """Print a line for each node and each worker of the namespace; 1 where nothing is reached."""
    address, namespace = sys.argv[1:]
    import ray

    try:
        ray.init(address=address, namespace=namespace, log_to_driver=False, configure_logging=False)
    except Exception as error:
        sys.stderr.write(f"The cluster at {address} cannot be joined: {error}\n")
        return 1
    for node in ray.nodes():
        resources = node["Resources"]
        offer = ", ".join(
            f"{resources[name]:g} {name}"
            for name in sorted(resources)
            if not name.startswith(("node:", "memory", "object_store_memory"))
        )
        state = "up" if node["Alive"] else "gone"
        name, address = node["NodeManagerHostname"], node["NodeManagerAddress"]
        sys.stdout.write(f"{name:<24} {address:<16} {state:<5} {offer}\n")
    for name in sorted(ray.util.list_named_actors()):
        sys.stdout.write(f"worker {name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
