"""The schedules and PyTorch's over 50 steps: alone, several on one optimizer, and going on from a state."""

import math
import warnings

import pytest

import stepgrad as sg

pytestmark = pytest.mark.oracle
torch = pytest.importorskip("torch")

STEPS = 50


def root(step):
    return 1 / math.sqrt(1 + step)


MAKERS = {
    "lambda": lambda s, o: s.LambdaLR(o, root),
    "lambdas": lambda s, o: s.LambdaLR(o, [root, lambda t: 0.9**t]),
    "step": lambda s, o: s.StepLR(o, 7),
    "milestones": lambda s, o: s.MultiStepLR(o, [3, 20, 20, 41], gamma=0.3),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.93),
    "slowly": lambda s, o: s.ExponentialLR(o, 0.999),
    "linear": lambda s, o: s.LinearLR(o, 0.2, 0.7, total_iters=20),
    "warm-up": lambda s, o: s.LinearLR(o),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 50),
    "cosine with a floor": lambda s, o: s.CosineAnnealingLR(o, 13, eta_min=0.01),
}
TOGETHER = [
    ("warm-up", "step"),
    ("warm-up", "exponential", "milestones"),
    ("cosine", "exponential"),
    ("slowly", "cosine with a floor"),
    ("linear", "cosine with a floor"),
    ("step", "lambda"),
]


def optimizer_of(library):
    groups = [{"params": [library.zeros(1, requires_grad=True)], "lr": lr} for lr in (0.5, 0.03)]
    return library.optim.SGD(groups)


def rates(library, names, steps=STEPS, resume_at=None):
    optimizer = optimizer_of(library)
    schedules = [MAKERS[name](library.optim.lr_scheduler, optimizer) for name in names]
    seen = [[group["lr"] for group in optimizer.param_groups]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's remark on the order of the two steps
        for step in range(steps):
            if step == resume_at:
                states = [schedule.state_dict() for schedule in schedules]
                other = optimizer_of(library)
                schedules = [MAKERS[name](library.optim.lr_scheduler, other) for name in names]
                for schedule, state in zip(schedules, states):
                    schedule.load_state_dict(state)
                other.load_state_dict(optimizer.state_dict())
                optimizer = other
            optimizer.step()
            for schedule in schedules:
                schedule.step()
            seen.append([group["lr"] for group in optimizer.param_groups])
            assert schedules[-1].get_last_lr() == seen[-1]
    return [lr for pair in seen for lr in pair]


@pytest.mark.parametrize("names", [(name,) for name in MAKERS] + TOGETHER, ids="+".join)
def test_rates_agree(names):
    expected = rates(torch, names)
    assert min(expected) >= 0
    assert rates(sg, names) == pytest.approx(expected, rel=1e-11, abs=1e-15)
    assert rates(sg, names, resume_at=17) == pytest.approx(expected, rel=1e-11, abs=1e-15)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"patience": 2, "factor": 0.5, "cooldown": 3},
        {"patience": 0, "threshold": 0.05, "threshold_mode": "abs", "min_lr": [0.1, 0.001]},
        {"patience": 1, "mode": "max", "threshold": 0.02, "eps": 1e-3},
    ],
)
def test_the_plateau_agrees(arguments):
    metrics = [1 / (1 + 0.3 * t) + 0.2 * math.sin(2.5 * t) for t in range(STEPS)]
    seen = []
    for library in (sg, torch):
        optimizer = optimizer_of(library)
        schedule = library.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **arguments)
        walked = []
        for metric in metrics:
            schedule.step(metric)
            walked += [group["lr"] for group in optimizer.param_groups]
        seen.append(walked)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "milestones"])
def test_a_state_of_pytorch_is_understood(name):
    theirs = MAKERS[name](torch.optim.lr_scheduler, optimizer_of(torch))
    ours = MAKERS[name](sg.optim.lr_scheduler, optimizer_of(sg))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(9):
            theirs.step()
    ours.load_state_dict(theirs.state_dict())
    assert ours.last_epoch == 9
    assert ours.get_last_lr() == theirs.get_last_lr()
