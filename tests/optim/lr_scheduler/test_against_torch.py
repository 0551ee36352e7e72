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
    "constant": lambda s, o: s.ConstantLR(o, 0.3, total_iters=6),
    "polynomial": lambda s, o: s.PolynomialLR(o, 30, power=1.7),
    "multiplied": lambda s, o: s.MultiplicativeLR(o, lambda t: 0.9 + 0.01 * (t % 7)),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 7, eta_min=0.001),
    "growing restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, T_mult=2),
    "one cycle": lambda s, o: s.OneCycleLR(o, [0.5, 0.1], STEPS + 1),
    "one linear cycle": lambda s, o: s.OneCycleLR(
        o, 0.3, epochs=6, steps_per_epoch=10, pct_start=0.4, anneal_strategy="linear", div_factor=10.0,
        final_div_factor=50.0, base_momentum=0.7, max_momentum=[0.9, 0.8],
    ),
    "one cycle of three": lambda s, o: s.OneCycleLR(o, 0.3, 55, three_phase=True, cycle_momentum=False),
    "triangles": lambda s, o: s.CyclicLR(o, 0.01, [0.1, 0.2], step_size_up=5, step_size_down=8),
    "lower triangles": lambda s, o: s.CyclicLR(
        o, [0.01, 0.02], 0.3, step_size_up=4, mode="triangular2", base_momentum=0.5, max_momentum=0.95
    ),
    "decaying triangles": lambda s, o: s.CyclicLR(o, 0.01, 0.3, 6, mode="exp_range", gamma=0.97),
    "scaled triangles": lambda s, o: s.CyclicLR(
        o, 0.01, 0.3, 6, scale_fn=lambda x: 1 / x, cycle_momentum=False
    ),
    "one after the other": lambda s, o: s.SequentialLR(
        o,
        [s.LinearLR(o, 0.1, total_iters=8), s.CosineAnnealingLR(o, 20), s.ExponentialLR(o, 0.9)],
        milestones=[8, 28],
    ),
    "after a constant": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, 0.1, 20), s.CosineAnnealingWarmRestarts(o, 5)], milestones=[12]
    ),
    "steps, then a product": lambda s, o: s.SequentialLR(
        o, [s.StepLR(o, 3), s.MultiplicativeLR(o, lambda t: 1.1)], [10]
    ),
    "chained": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 20), s.ExponentialLR(o, 0.9)]),
    "chained with a cosine": lambda s, o: s.ChainedScheduler(
        [s.LinearLR(o), s.CosineAnnealingLR(o, 25), s.MultiStepLR(o, [5, 9], 0.5)], optimizer=o
    ),
}  # fmt: skip
TOGETHER = [
    ("warm-up", "step"),
    ("warm-up", "exponential", "milestones"),
    ("cosine", "exponential"),
    ("slowly", "cosine with a floor"),
    ("linear", "cosine with a floor"),
    ("step", "lambda"),
    ("constant", "polynomial"),
    ("multiplied", "step", "constant"),
]


def optimizer_of(library):
    groups = [{"params": [library.zeros(1, requires_grad=True)], "lr": lr} for lr in (0.5, 0.03)]
    return library.optim.SGD(groups, momentum=0.4)


def numbers_of(optimizer):
    return [group[name] for group in optimizer.param_groups for name in ("lr", "momentum")]


def rates(library, names, steps=STEPS, resume_at=None):
    optimizer = optimizer_of(library)
    schedules = [MAKERS[name](library.optim.lr_scheduler, optimizer) for name in names]
    seen = [numbers_of(optimizer)]
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
            seen.append(numbers_of(optimizer))
            assert schedules[-1].get_last_lr() == seen[-1][::2]
    return [number for numbers in seen for number in numbers]


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


# PyTorch keeps milestones as a Counter.
@pytest.mark.parametrize(
    "name", [name for name in MAKERS if name not in ("milestones", "chained with a cosine")]
)
def test_a_state_of_pytorch_is_understood(name):
    theirs = MAKERS[name](torch.optim.lr_scheduler, optimizer_of(torch))
    ours = MAKERS[name](sg.optim.lr_scheduler, optimizer_of(sg))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(9):
            theirs.step()
    ours.load_state_dict(theirs.state_dict())
    if "chained" not in name:
        assert ours.last_epoch == 9
    assert ours.get_last_lr() == theirs.get_last_lr()


def test_warm_restarts_at_fractions_of_an_epoch():
    seen = []
    for library in (sg, torch):
        optimizer = optimizer_of(library)
        schedule = library.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, T_mult=2)
        walked = []
        for epoch in range(5):
            for batch in range(4):
                schedule.step(epoch + batch / 4)
                walked += numbers_of(optimizer)
        schedule.step(26)
        walked += numbers_of(optimizer)
        schedule.step()
        walked += numbers_of(optimizer)
        seen.append(walked)
    assert seen[0] == pytest.approx(seen[1], rel=1e-12)


def test_betas_move_with_the_rate():
    seen = []
    for library in (sg, torch):
        optimizer = library.optim.Adam([library.zeros(1, requires_grad=True)])
        schedule = library.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, 20)
        walked = []
        for _ in range(20):
            walked += [optimizer.param_groups[0]["lr"], *optimizer.param_groups[0]["betas"]]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                schedule.step()
        seen.append(walked)
    assert seen[0] == pytest.approx(seen[1], rel=1e-12)
