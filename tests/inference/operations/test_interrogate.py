import shutil

import pytest
import torch
from PIL import Image

from inference.api.config import EngineConfig
from inference.api.errors import JobError
from inference.api.jobs import InterrogateJob, LoopbackJob
from inference.model_files.errors import CorruptWeights, MissingWeights, UnknownModel
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.interrogate import (
    INTERROGATE_QUEUE,
    CaptionTask,
    describe_image,
    execute_interrogation,
    run_interrogate,
)
from inference.operations.loopback import run_loopback
from inference.vision.interrogation.captioner import CaptionSettings
from inference.vision.interrogation.interrogator import Interrogator, RankingPending
from inference.vision.interrogation.ranking.phrases import RankingOptions
from inference.vision.interrogation.tagging.ratings import ContentRating
from tests.doubles.describers import save_blip, save_clip, save_tagger


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A models folder with a captioner and short lists; tests copy it to change it."""
    shelf = tmp_path_factory.mktemp("host")
    save_blip(shelf / "blip")
    save_clip(shelf / "clip")
    save_tagger(shelf / "vit")
    return shelf


@pytest.fixture
def make(tmp_path):
    """Make what describes pictures from a models folder."""

    def build(folder):
        device = torch.device("cpu")
        return Interrogator(folder, tmp_path / "cache", tmp_path / "pack", device, torch.float32)

    return build


@pytest.fixture
def ask(run_operation, studio, photo):
    """Interrogate a picture over given describers; `pictures` collects each slice's lane."""

    def run(describers, lanes=None, **settings):
        def hand(lane, loads):
            if lanes is not None:
                lanes.append((lane[1], len(loads)))
            return execute_interrogation(lane, list(loads), describers)

        job = InterrogateJob(**settings)
        return run_operation(
            run_interrogate(job, {"image": photo}, studio), hands={INTERROGATE_QUEUE: hand}
        )

    return run


def copy(host, tmp_path, *parts):
    for part in parts:
        shutil.copytree(host / part, tmp_path / "models" / part)
    return tmp_path / "models"


def test_a_caption_is_followed_by_the_best_of_each_list(ask, make, host, photo):
    describers = make(host)
    settings = CaptionSettings(2, 3, 9)
    (caption,) = describers.caption_images([photo], settings)
    text = ask(describers, beams=2, min_length=3, max_length=9).text
    (matches,) = describers.rank_lists([photo])
    assert ", ".join([caption, *(match.phrase for match in matches)]) == text
    assert len(matches) == 4


def test_ranks_can_be_shown_or_left_out(ask, make, host, photo):
    describers = make(host)
    short = {"min_length": 3, "max_length": 9}
    (caption,) = describers.caption_images([photo], CaptionSettings(1, 3, 9))
    assert ask(describers, ranks=False, **short).text == caption
    shown = ask(describers, show_ranks=True, **short).text
    (matches,) = describers.rank_lists([photo])
    expected = [f"({match.phrase}:{match.probability:.3f})" for match in matches]
    assert ", ".join([caption, *expected]) == shown


def test_each_part_is_told_with_how_sure_it_is(ask, make, host, photo):
    describers = make(host)
    short = {"min_length": 3, "max_length": 9}
    (caption,) = describers.score_captions([photo], CaptionSettings(1, 3, 9))
    phrases = ask(describers, **short).phrases
    (matches,) = describers.rank_lists([photo])
    expected = [("caption", caption.text), *(("match", match.phrase) for match in matches)]
    assert [(phrase.kind, phrase.text) for phrase in phrases] == expected
    assert phrases[0].share == pytest.approx(caption.confidence, abs=1e-3)
    assert phrases[1].share == pytest.approx(matches[0].probability, abs=1e-3)


def test_it_runs_in_slices(ask, make, host):
    lanes = []
    describers = make(host)
    ask(describers, lanes, min_length=3, max_length=9)
    assert lanes[0] == (CaptionTask("", CaptionSettings(1, 3, 9)), 1)
    assert set(lanes[1:]) == {(RankingOptions(), 1)}
    assert len(lanes) > 4
    again = []
    ask(describers, again, min_length=3, max_length=9)
    assert len(again) == 2


def test_without_a_captioner_the_likeliest_subject_is_the_caption(ask, make, host, tmp_path, photo):
    describers = make(copy(host, tmp_path, "clip"))
    text = ask(describers).text
    (matches,) = describers.rank_lists([photo])
    assert text.startswith(f"{matches[0].phrase}, ")
    assert ask(describers, ranks=False).text == matches[0].phrase


def test_without_clip_the_caption_stands_alone(ask, make, host, tmp_path):
    outcome = ask(make(copy(host, tmp_path, "blip")), min_length=3, max_length=9)
    assert outcome.text
    assert "<error>" not in outcome.text
    assert "No matches were added: There is no CLIP" in str(outcome.notes[0])


def test_failed_ranks_are_marked_and_the_caption_kept(ask, make, host, tmp_path, photo):
    models = copy(host, tmp_path, "blip", "clip")
    (models / "lists").mkdir()
    (models / "lists" / "mediums.txt").write_text("\n")
    describers = make(models)
    (caption,) = describers.caption_images([photo], CaptionSettings(1, 3, 9))
    outcome = ask(describers, min_length=3, max_length=9)
    assert outcome.text == f"{caption}, <error>"
    assert "mediums.txt is empty" in str(outcome.notes[0])


def test_with_nothing_to_answer_it_fails_with_words(ask, make, tmp_path):
    with pytest.raises(MissingWeights, match="no CLIP on this server"):
        ask(make(tmp_path / "none"))


def test_a_captioner_without_its_tokenizer_fails_with_words(ask, make, host, tmp_path):
    models = copy(host, tmp_path, "blip")
    for name in ("tokenizer.json", "vocab.txt"):
        (models / "blip" / name).unlink(missing_ok=True)
    with pytest.raises(MissingWeights, match="The captioner blip lacks its tokenizer"):
        ask(make(models))


def test_tags_are_written_above_the_threshold(ask, make, host, photo):
    describers = make(host)
    (tags,) = describers.tag_images([photo])
    chances = {tag.label.name: tag.probability for tag in tags}
    outcome = ask(describers, method="tags", threshold=0.0)
    assert outcome.text == r"miku \(v\), red apple"
    likelier = max(("general", "explicit"), key=chances.__getitem__)
    assert [*map(str, outcome.notes)] == [f"Rated {likelier} ({chances[likelier]:.2f})."]


def test_lists_and_how_far_down_they_go_can_be_chosen(ask, make, host, photo):
    describers = make(host)
    short = {"min_length": 3, "max_length": 9, "show_ranks": True}
    wanted = RankingOptions(("movements", "mediums"), 3)
    while isinstance(matches := describers.rank_lists([photo], wanted), RankingPending):
        pass
    text = ask(describers, lists="movements, mediums", top=3, **short).text
    expected = [f"({match.phrase}:{match.probability:.3f})" for match in matches[0]]
    assert len(expected) == 6
    assert text.endswith(", ".join(expected))
    assert {path.name.split("-")[0] for path in kept(describers)} == {"mediums", "movements"}


def kept(describers):
    return list(describers._store._folder.iterdir())


def test_a_list_that_is_none_fails_with_those_there_are(ask, make, host):
    with pytest.raises(JobError, match=r"no list “poets”\. There are: subjects, flavors, mediums"):
        ask(make(host), lists="poets", min_length=3, max_length=9)


def test_another_captioner_or_tagger_can_be_named(ask, make, host, tmp_path, photo):
    models = copy(host, tmp_path, "blip", "vit")
    shutil.copytree(models / "blip", models / "blip-large")
    describers = make(models)
    outcome = ask(describers, model="blip-large", ranks=False, min_length=3, max_length=9)
    assert outcome.text
    assert [("describer", str(models / "blip-large"))] == list(describers.model_cache)
    assert ask(describers, model="vit", method="tags", threshold=0.0).text
    with pytest.raises(UnknownModel, match=r"no captioner “blip-larg” here\. Did you mean blip-l"):
        ask(describers, model="blip-larg")
    with pytest.raises(UnknownModel, match="“vit” is no captioner: set method to tags"):
        ask(describers, model="vit")


def test_how_tags_are_written_can_be_chosen(ask, make, host):
    describers = make(host)
    every = {"method": "tags", "threshold": 0.0}
    plain = ask(describers, **every).text
    assert plain == r"miku \(v\), red apple"
    assert ask(describers, underscores=True, escape=False, **every).text == "miku_(v), red_apple"
    by_score = ask(describers, sort="score", show_ranks=True, **every).text
    chances = [float(part.rstrip(")").split(":")[-1]) for part in by_score.split(", ")]
    assert sorted(chances, reverse=True) == chances
    assert ask(describers, skip="Miku (v),\nhat", **every).text == "red apple"
    assert len(ask(describers, top=1, **every).text.split(", ")) == 1


def test_a_skipped_tag_is_no_reason_to_lower_the_threshold(ask, make, host):
    outcome = ask(make(host), method="tags", threshold=0.0, skip="miku (v), red apple")
    assert outcome.text == ""
    assert len(outcome.notes) == 1


def test_a_hosts_tagger_rates_pictures_for_whoever_sets_rules(make, host, tmp_path, photo):
    describers = make(host)
    (tags,) = describers.tag_images([photo])
    (rated,) = describers.rate_images([photo])
    assert set(rated.chances) == {ContentRating.GENERAL, ContentRating.EXPLICIT}
    assert rated.probability_at_least(ContentRating.EXPLICIT) == tags[1].probability
    assert make(tmp_path / "none").rate_images([photo]) is None


def test_a_threshold_too_high_names_the_likeliest(ask, make, host):
    outcome = ask(make(host), method="tags", threshold=1.0)
    assert outcome.text == ""
    assert "Lower the threshold." in str(outcome.notes[1])


def test_an_empty_tag_list_fails_with_words(ask, make, host, tmp_path):
    models = copy(host, tmp_path, "vit")
    (models / "vit" / "selected_tags.csv").write_text("tag_id,name,category,count\n")
    with pytest.raises(CorruptWeights, match="lists no tags"):
        ask(make(models), method="tags")


def test_transparent_parts_are_seen_as_white(run_operation, make, host, studio):
    describers = make(host)
    hands = {
        INTERROGATE_QUEUE: lambda lane, loads: execute_interrogation(lane, list(loads), describers)
    }
    plain = Image.new("RGB", (30, 30), "white")
    plain.paste("red", (5, 5, 20, 20))
    clear = Image.new("RGBA", (30, 30), (9, 9, 9, 0))
    clear.paste((255, 0, 0, 255), (5, 5, 20, 20))
    job = InterrogateJob(min_length=3, max_length=9, show_ranks=True)
    texts = [
        run_operation(run_interrogate(job, {"image": image}, studio), hands=hands).text
        for image in (plain, clear)
    ]
    assert texts[0] == texts[1]


def test_loopback_appends_what_each_picture_shows(run_operation, make, host, studio, square):
    describers = make(host)
    hands = {
        INTERROGATE_QUEUE: lambda lane, loads: execute_interrogation(lane, list(loads), describers)
    }
    job = LoopbackJob(prompt="a cat", append="tags", loops=2, steps=2, seed=1, strength=0.5)
    telling = OperationContext(studio.library, studio.max_pixels, describe_image)
    outcome = run_operation(run_loopback(job, {"image": square}, telling), hands=hands)
    (tags,) = describers.tag_images([square])
    said = [tag.label.name for tag in tags[2:] if tag.probability >= 0.5]
    assert said
    frames = [made for made in outcome.images if made.role == "frame"]
    prompt = frames[0].infotext.splitlines()[0]
    assert ", ".join(["a cat", *sorted(said)]).replace("_", " ") == prompt.replace(
        "\\", ""
    ).replace("_", " ")


def test_the_workers_own_hands_describe(run_operation, host, studio, photo, tmp_path):
    from inference.worker.executors import build_executors

    config = EngineConfig(models_dir=str(host), cache_dir=str(tmp_path))
    library = ModelLibrary(config, torch.device("cpu"), torch.float32)
    kinds = ("captioner", "ranker", "tagger")
    names = [info.name for info in library.list_models() if info.kind in kinds]
    assert names == ["blip", "clip", "vit"]
    job = InterrogateJob(min_length=3, max_length=9, ranks=False)
    operation = run_interrogate(job, {"image": photo}, studio)
    assert run_operation(operation, hands=build_executors(library)).text


def test_a_method_that_is_none_is_refused():
    with pytest.raises(JobError, match="There is no method"):
        next(describe_image(Image.new("RGB", (8, 8)), "poem"))
