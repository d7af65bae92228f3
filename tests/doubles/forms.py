"""Forms as a member sends them: what stood in them, and what was changed."""

from __future__ import annotations

from typing import Any


def controls_of(modal: Any) -> dict[str, dict[str, Any]]:
    """List a form's inputs by name."""
    controls = [label["component"] for label in modal["components"]]
    return {control["custom_id"]: control for control in controls}


def filled_in(shown: Any, **changes: Any) -> dict[str, Any]:
    """Write what a member sends who changes these inputs of a form."""
    values: dict[str, Any] = {}
    for name, control in controls_of(shown.modal).items():
        if "options" in control:
            values[name] = [o["value"] for o in control["options"] if o.get("default")]
        elif control.get("value"):
            values[name] = control["value"]
    return values | changes
