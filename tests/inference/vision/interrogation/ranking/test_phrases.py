import sys

import pytest

from inference.model_files.errors import CorruptWeights
from inference.vision.interrogation.ranking import phrases
from inference.vision.interrogation.ranking.phrases import (
    MAX_LIST_LINES,
    SHIPPED_LISTS_FOLDER,
    PhraseList,
    PhraseLists,
    find_lists,
    read_list,
)


def test_a_file_name_says_how_many_are_answered(tmp_path):
    path = tmp_path / "artists.top3.txt"
    path.write_text("a\n\n  b \na\n", encoding="utf-8")
    assert read_list(path) == PhraseList("artists", ("a", "b"), 3)


def test_only_the_first_lines_count(tmp_path):
    path = tmp_path / "flavors.txt"
    path.write_text("\n".join(map(str, range(MAX_LIST_LINES + 9))), encoding="utf-8")
    assert len(read_list(path).phrases) == MAX_LIST_LINES
    assert len(read_list(path, lines=0).phrases) == MAX_LIST_LINES + 9


def test_an_empty_list_is_refused(tmp_path):
    path = tmp_path / "mediums.txt"
    path.write_text(" \n\n")
    with pytest.raises(CorruptWeights, match=r"mediums\.txt is empty: write one phrase a line"):
        read_list(path)


def test_a_list_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "mediums.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorruptWeights, match="UTF-8"):
        read_list(path)


def test_the_shipped_lists_have_no_double_and_no_blank():
    paths = sorted(SHIPPED_LISTS_FOLDER.glob("*.txt"))
    names = [path.stem for path in paths]
    assert names == ["flavors", "mediums", "movements", "subjects"]
    for path in paths:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert list(read_list(path).phrases) == lines
        assert len(lines) > 30


def test_a_hosts_list_hides_the_shipped_one(tmp_path):
    for name in ("mediums.top2.txt", "animals.txt"):
        (tmp_path / name).write_text("x\n")
    names = [path.name for path in find_lists(tmp_path)]
    expected = ["subjects.txt", "animals.txt", "flavors.txt", "mediums.top2.txt", "movements.txt"]
    assert names == expected


def test_clip_interrogators_files_are_taken_where_it_is_installed(tmp_path, monkeypatch):
    data = tmp_path / "clip_interrogator" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").write_text("raise RuntimeError('never imported')")
    for name in ("artists", "flavors", "negative"):
        (data / f"{name}.txt").write_text("x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = find_lists(tmp_path / "none")
    assert "clip_interrogator" not in sys.modules
    assert [p.stem for p in found] == ["subjects", "artists", "flavors", "mediums", "movements"]
    assert list(found[1:3]) == [data / "artists.txt", data / "flavors.txt"]


def test_the_digest_follows_the_phrases_alone():
    assert PhraseList("a", ("x", "y")).digest == PhraseList("b", ("x", "y"), 3).digest
    assert PhraseList("a", ("x", "y")).digest != PhraseList("a", ("y", "x")).digest


def test_a_file_is_read_again_when_it_changes(tmp_path, monkeypatch):
    path = tmp_path / "mediums.txt"
    path.write_text("a pencil drawing\nan etching\na mosaic\n")
    lists = PhraseLists(tmp_path, lines=2)
    read = []
    plain = phrases.read_list
    monkeypatch.setattr(phrases, "read_list", lambda *given: read.append(1) or plain(*given))

    def mediums() -> PhraseList:
        return next(one for one in lists.read_all() if one.name == "mediums")

    assert mediums().phrases == ("a pencil drawing", "an etching")
    before = len(read)
    assert mediums() is mediums()
    assert len(read) == before
    path.write_text("a fresco\n")
    assert mediums().phrases == ("a fresco",)


def test_all_lines_count_where_that_is_wanted(tmp_path):
    (tmp_path / "many.txt").write_text("\n".join(map(str, range(2000))))

    counts = {
        lines: len(
            next(
                one for one in PhraseLists(tmp_path, lines).read_all() if one.name == "many"
            ).phrases
        )
        for lines in (MAX_LIST_LINES, 0)
    }

    assert counts == {1500: 1500, 0: 2000}
