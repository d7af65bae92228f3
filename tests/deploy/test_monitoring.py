"""The dashboard and the alert rules ask for what the bot exports, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from bot.support.prometheus import PrometheusMetrics
from tests.bot.support.test_health import report

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "easel.json"
PAGE = ROOT / "docs" / "operating.md"
METRIC = re.compile(r"\b(easel_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r"(\w+)\s*=~?\s*\"([^\"]*)\"")


@pytest.fixture(scope="module")
def exported() -> dict[str, dict[str, set[str]]]:
    """Give every sample's name with its labels and their values, after something of everything."""
    metrics = PrometheusMetrics()
    metrics.record_claim(timedelta(seconds=1))
    metrics.record_steps(1, 1)
    for outcome in ("sent", "undelivered", "postponed"):
        metrics.record_announcement(outcome)
    metrics.record_job_counts(
        dict.fromkeys(("queued", "running", "done", "failed", "cancelled"), 1)
    )
    metrics.record_loop_lag(0.1)
    metrics.record_health(report())
    samples: dict[str, dict[str, set[str]]] = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            labels = samples.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return samples


def alert_rules() -> list[dict]:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard_panels() -> list[dict]:
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]


EXPRESSIONS = [
    *((rule["alert"], rule["expr"]) for rule in alert_rules()),
    *(
        (panel["title"], target["expr"])
        for panel in dashboard_panels()
        for target in panel["targets"]
    ),
]


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS, ids=lambda value: value[:40])
def test_every_metric_is_one_that_the_bot_exports(exported, name, expression):
    asked = METRIC.findall(expression)

    assert asked or 'up{job="easel"}' in expression
    for metric, matchers in asked:
        assert metric in exported
        for label, pattern in LABEL.findall(matchers):
            for choice in pattern.split("|"):
                assert choice in exported[metric][label]


def test_every_metric_is_explained(exported):
    documented = set(
        re.findall(r"^\| `(easel_\w+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    )
    names = {
        re.sub(r"_(bucket|count|sum|created)$", "", name)
        for name in exported
        if not name.endswith("_created")
    }

    assert documented == names


def test_every_panel_has_its_place_and_name():
    panels = dashboard_panels()
    fields = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]

    assert len(set(fields)) == len(fields)
    assert max(x for x, _ in fields) < 24
    for key in ("id", "title"):
        assert len({panel[key] for panel in panels}) == len(panels)


def test_every_alert_says_what_to_do():
    rules = alert_rules()

    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's prometheus has promtool")
def test_prometheus_takes_the_rules():
    done = subprocess.run(
        ["promtool", "check", "rules", ALERTS], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's prometheus has promtool")
def test_each_alert_is_raised_by_what_it_is_for_and_by_nothing_else():
    cases = ALERTS.with_name("alerts.test.yml")
    done = subprocess.run(
        ["promtool", "test", "rules", cases], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    text = cases.read_text(encoding="utf-8")
    assert [rule["alert"] for rule in alert_rules() if text.count(rule["alert"]) < 2] == []
