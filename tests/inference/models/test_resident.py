from inference.models.resident import Resident


def load(resident, key, size):
    return resident.load(key, size, lambda: key.upper(), lambda _model: size)


def test_the_longest_unused_leaves_first():
    resident = Resident(10)
    for key in "ab":
        load(resident, key, 4)
    resident.get("a")
    load(resident, "c", 4)

    assert ["a", "c"] == list(resident)
    assert 8 == resident.nbytes


def test_room_is_made_before_the_next_is_loaded():
    resident = Resident(10)
    load(resident, "a", 8)
    held = []
    resident.load("b", 8, lambda: held.extend(resident), lambda _model: 8)

    assert [] == held


def test_one_beyond_the_budget_is_held_alone():
    resident = Resident(10)
    load(resident, "a", 4)

    assert "B" == load(resident, "b", 100)
    assert ["b"] == list(resident)


def test_a_wrong_guess_is_made_good_afterwards():
    resident = Resident(10)
    load(resident, "a", 4)
    resident.load("b", 1, lambda: "B", lambda _model: 8)

    assert ["b"] == list(resident)
    assert (2, 1) == (resident.loads, resident.evictions)
    resident.drop("b")
    assert (0, None) == (len(resident), resident.get("b"))


def test_what_was_loaded_once_is_guessed_no_more():
    resident = Resident(10)
    load(resident, "a", 8)
    load(resident, "b", 8)

    assert {"b"} == resident.fitting(["a", "b", "c"], lambda _key: 3)
    resident.drop("b")
    assert {"c", "d"} == resident.fitting(["c", "a", "d"], lambda _key: 3)
    assert {"c"} == resident.fitting(["c", "d"], lambda _key: 100)
