from __future__ import annotations

from PIL import Image

from tools import samplers_sheet
from tools.samplers_sheet import CELL, LEFT, TOP, lay_out, main

NAMES = {("Euler", "Karras"): "red", ("Euler", "Beta"): "blue", ("LMS", "Karras"): "green"}
NAMES[("LMS", "Beta")] = "white"


def painted(names, library, **settings):
    return {name: Image.new("RGB", (64, 64), NAMES[name]) for name in names}


def test_rows_are_samplers_and_columns_schedules():
    sheet = lay_out(painted(NAMES, None), ["Euler", "LMS"], ["Karras", "Beta"])

    assert sheet.size == (LEFT + 2 * CELL, TOP + 2 * CELL)
    middles = [(LEFT + CELL // 2, TOP + CELL // 2), (LEFT + CELL * 3 // 2, TOP + CELL // 2)]
    assert [sheet.getpixel(place) for place in middles] == [(255, 0, 0), (0, 0, 255)]
    assert sheet.getpixel((LEFT + CELL // 2, TOP + CELL * 3 // 2)) == (0, 128, 0)


def test_the_command_line_writes_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr(samplers_sheet, "paint_all", painted)
    out = tmp_path / "sheet.png"

    main(["--out", str(out), "--samplers", "Euler", "LMS", "--schedules", "Karras", "Beta"])

    with Image.open(out) as sheet:
        assert (sheet.format, sheet.width) == ("PNG", LEFT + 2 * CELL)
