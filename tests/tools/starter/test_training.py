import math

import pytest
import torch
from torch import nn

from tools.starter import training
from tools.starter.training import Draw, Plan, fit, groups_of


def regress(out, steps, save=lambda out: None):
    """Ten noisy steps of a small regression, with a table, a matrix and a buffer."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Embedding(5, 12), nn.Linear(12, 12), nn.BatchNorm1d(12))
    module.register_buffer("positions", torch.arange(5), persistent=False)

    def loss(draw):
        ids = torch.from_numpy(draw.choice.integers(0, 5, 16))
        noise = torch.randn(16, 12, generator=draw.noise)
        return (module(ids) - noise - ids[:, None]).square().mean(), {"ids": ids.sum().item()}

    plan = Plan(out, steps=steps, log_every=5, save_every=4)
    # The schedule is that of a ten-step run however far this sitting goes.
    plan = Stretched(**vars(plan))
    done = fit(module, loss, groups_of(module, 1e-2), plan, save)
    return done, module.state_dict()


class Stretched(Plan):
    def progress(self, step, elapsed):
        return 1.0 if step >= self.steps else min(0.99, step / 10)


def test_ten_steps_are_ten_steps_in_one_sitting_or_two(tmp_path):
    done, whole = regress(tmp_path / "whole", 10)
    assert done == 10
    assert regress(tmp_path / "parts", 4)[0] == 4
    done, parts = regress(tmp_path / "parts", 10)
    assert done == 10
    for key, value in whole.items():
        if not key.endswith("num_batches_tracked"):
            torch.testing.assert_close(parts[key], value, msg=key)


def test_the_average_is_saved_and_the_weights_go_on(tmp_path):
    saved = []
    regress(tmp_path, 10, saved.append)
    assert [tmp_path] * 3 == saved


def test_figures_are_logged(tmp_path, capsys):
    regress(tmp_path, 5)
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("step 5 ")
    assert "loss" in line
    assert "ids" in line


def test_the_moving_average_lags_and_comes_off_again():
    module = nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(0.0)
    average = training.MovingAverage(module)
    module.weight.data.fill_(1.0)
    average.update(1)
    with average.applied():
        assert 0 < module.weight.item() < 1
    assert module.weight.item() == 1


def test_the_schedule_warms_up_and_falls():
    assert pytest.approx(training.learning_rate_factor(0, 0.0)) == 0.01
    assert pytest.approx(training.learning_rate_factor(100, 0.0)) == 1.0
    assert pytest.approx(training.learning_rate_factor(100, 1.0)) == 0.02


@pytest.mark.parametrize(("step", "elapsed", "progress"), [(5, 0, 0.5), (0, 30, 0.25), (20, 0, 1)])
def test_progress_is_the_farther_of_steps_and_minutes(tmp_path, step, elapsed, progress):
    assert Plan(tmp_path, minutes=2, steps=10).progress(step, elapsed) == progress


def test_draws_differ_by_step_and_repeat_by_seed():
    numbers = [Draw.of(seed, step).choice.random() for seed, step in [(0, 1), (0, 2), (1, 1)]]
    assert len(set(numbers)) == 3
    assert Draw.of(0, 1).choice.random() == numbers[0]


def test_waiting_ends_when_the_pause_file_goes(tmp_path, monkeypatch):
    pause = tmp_path / "pause"
    pause.touch()
    monkeypatch.setattr(training.time, "sleep", lambda seconds: pause.unlink())
    clock = iter([0.0, 7.0])
    monkeypatch.setattr(training.time, "monotonic", lambda: next(clock))
    assert training.wait_while_paused(pause) == 7.0


def test_no_pause_costs_nothing(tmp_path):
    assert training.wait_while_paused(None) == 0.0
    assert training.wait_while_paused(tmp_path / "absent") == 0.0


def test_a_run_without_an_end_is_refused(tmp_path):
    parser = training.argparse.ArgumentParser()
    training.add_arguments(parser, "vae")
    with pytest.raises(SystemExit, match="--minutes or --steps"):
        training.plan_of(parser.parse_args([]))
    threads = str(torch.get_num_threads())
    plan = training.plan_of(parser.parse_args(["--steps", "3", "--threads", threads]))
    assert (3, math.inf) == (plan.steps, plan.minutes)
