from __future__ import annotations

import pytest

from tools.release_notes import find_notes

CHANGELOG = "# Changelog\n\n## Unreleased\n\n- next\n\n## 1.2.3\n\n- this\n\n## 1.2.2\n\n- old\n"


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def test_a_version_s_own_section_is_its_notes(tree):
    assert find_notes("v1.2.3", tree) == "- this"


def test_a_tag_that_is_not_the_project_s_version_is_refused(tree):
    with pytest.raises(ValueError, match=r"v1\.2\.2 is not"):
        find_notes("v1.2.2", tree)


def test_a_version_of_which_nothing_is_said_is_refused(tree):
    (tree / "CHANGELOG.md").write_text("## Unreleased\n\n- next\n")

    with pytest.raises(ValueError, match="no section"):
        find_notes("v1.2.3", tree)
