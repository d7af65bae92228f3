import pytest

from inference.model_files.errors import CorruptWeights
from inference.vision.interrogation.tagging.tag_files import read_labels
from inference.vision.interrogation.tagging.tags import TagKind, TagLabel


def test_the_wd_file_names_kinds_by_number(tmp_path):
    (tmp_path / "selected_tags.csv").write_text(
        'tag_id,name,category,count\n1,general,9,3\n2,"a,b",0,2\n3,miku,4,1\n'
    )
    expected = (
        TagLabel("general", TagKind.RATING),
        TagLabel("a,b"),
        TagLabel("miku", TagKind.CHARACTER),
    )
    assert read_labels(tmp_path, {}) == expected


def test_deep_danboorus_file_marks_ratings_by_their_names(tmp_path):
    (tmp_path / "tags.txt").write_text("1girl\nrating:safe\n\n")
    assert read_labels(tmp_path, {}) == (TagLabel("1girl"), TagLabel("safe", TagKind.RATING))


def test_without_a_file_the_config_names_them_in_the_order_of_outputs(tmp_path):
    config = {"id2label": {"10": "k", "2": "c", "1": "b"}}
    assert [label.name for label in read_labels(tmp_path, config)] == ["b", "c", "k"]


@pytest.mark.parametrize("name", ["selected_tags.csv", "tags.txt"])
def test_an_empty_list_is_refused(tmp_path, name):
    (tmp_path / name).write_text("tag_id,name,category,count\n" if name.endswith("csv") else "\n")
    with pytest.raises(CorruptWeights, match="lists no tags: fetch its"):
        read_labels(tmp_path, {})


def test_a_file_of_other_columns_is_refused(tmp_path):
    (tmp_path / "selected_tags.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorruptWeights, match="columns name and category"):
        read_labels(tmp_path, {})


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "tags.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorruptWeights, match="UTF-8"):
        read_labels(tmp_path, {})
