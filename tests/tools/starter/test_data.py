import json

import numpy as np
import pytest

from tools.starter import data

SQUARE = '<path fill="#ff0000" d="M2 2h12v12H2z"/>'


@pytest.fixture
def icons(tmp_path):
    sets = {**dict.fromkeys(data.STYLE_OF_SET), data.HELD_BACK_SET: None}
    for name in sets:
        folder = tmp_path / "icons" / name
        folder.mkdir(parents=True)
        icon_set = {
            "width": 16,
            "height": 16,
            "icons": {
                "red-square-thing": {"body": SQUARE},
                "empty": {"body": ""},
                "thumb-dark-skin-tone": {"body": SQUARE},
            },
        }
        (folder / "icons.json").write_text(json.dumps(icon_set))
    return tmp_path / "icons"


def test_icons_take_their_box_from_icon_or_set():
    icon_set = {"width": 16, "height": 16, "icons": {"wide": {"body": SQUARE, "width": 32}}}
    (icon,) = data.icons_of_set(icon_set, "noto")
    assert 'viewBox="0 0 32 16"' in icon.svg


def test_build_rasterises_and_leaves_out_empty_and_toned_icons(icons, tmp_path):
    pytest.importorskip("resvg_py")
    dataset = data.build(icons, tmp_path / "data")
    assert dataset.images.shape == (7, 128, 128, 4)
    assert set(dataset.names) == {"red square thing"}
    assert dataset.images[0, 64, 64].tolist() == [255, 0, 0, 255]
    assert dataset.images[0, 1, 1, 3] == 0


def test_load_names_the_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"pictures\.json"):
        data.load(tmp_path)


def test_training_rows_leave_out_held_back_names_and_set(dataset):
    rows = dataset.training_rows(concepts_only=True)
    names = {dataset.names[row] for row in rows}
    assert dataset.held_back == {"apple"}
    assert set(dataset.concepts) - {"apple"} == names
    assert "emojione" not in {dataset.styles[row] for row in rows}


def test_rows_can_be_chosen_by_style(dataset):
    rows = dataset.rows(styles=("emojione",), names=frozenset({"dog", "fish"}))
    assert len(rows) == 2
    assert np.int64 == rows.dtype
