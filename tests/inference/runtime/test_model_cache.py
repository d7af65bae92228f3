from inference.runtime.model_cache import ModelCache


def load(resident, key, size):
    return resident.load_model(key, size, lambda: key.upper(), lambda _model: size)


def test_the_longest_unused_leaves_first():
    resident = ModelCache(10)
    for key in "ab":
        load(resident, key, 4)
    resident.get("a")
    load(resident, "c", 4)

    assert list(resident) == ["a", "c"]
    assert resident.held_bytes == 8


def test_room_is_made_before_the_next_is_loaded():
    resident = ModelCache(10)
    load(resident, "a", 8)
    held = []
    resident.load_model("b", 8, lambda: held.extend(resident), lambda _model: 8)

    assert held == []


def test_one_beyond_the_budget_is_held_alone():
    resident = ModelCache(10)
    load(resident, "a", 4)

    assert load(resident, "b", 100) == "B"
    assert list(resident) == ["b"]


def test_a_wrong_guess_is_made_good_afterwards():
    resident = ModelCache(10)
    load(resident, "a", 4)
    resident.load_model("b", 1, lambda: "B", lambda _model: 8)

    assert list(resident) == ["b"]
    assert (resident.loads, resident.evictions) == (2, 1)
    resident.evict_down_to(0)
    assert (len(resident), resident.get("b")) == (0, None)


def test_what_was_loaded_once_is_guessed_no_more():
    resident = ModelCache(10)
    load(resident, "a", 8)
    load(resident, "b", 8)

    assert resident.fitting_keys(["a", "b", "c"], lambda _key: 3) == {"b"}
    resident.evict_down_to(0)
    assert resident.fitting_keys(["c", "a", "d"], lambda _key: 3) == {"c", "d"}
    assert resident.fitting_keys(["c", "d"], lambda _key: 100) == {"c"}
