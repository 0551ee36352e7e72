"""stepgrad under PyTorch's name, and what is said of a name that is not there."""

import subprocess
import sys
import textwrap

import pytest

import stepgrad as sg
from stepgrad.errors import MissingNameError

IMPORTS = """
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
import torch.optim.lr_scheduler as lr_scheduler
import torch.utils.data
import torch.autograd as autograd
import torch.backends.cudnn as cudnn
import torch.nn.parallel
from torch import nn as again, optim, Tensor, tensor
from torch.autograd import Variable, Function
from torch.nn import functional, init, Parameter
from torch.nn.parameter import Parameter as P
from torch.nn.utils import clip_grad_norm_
from torch.optim import Adam
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split
from torch.utils.data.dataloader import DataLoader as Loader
from torch.utils.data.dataset import Dataset as D
from torch.utils.data.sampler import RandomSampler
"""


def run(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "begin",
    ["import sys, stepgrad; sys.modules['torch'] = stepgrad", "import stepgrad; stepgrad.as_torch()"],
)
def test_imports_of_torch_find_stepgrad(begin):
    printed = run(
        f"""{begin}
{IMPORTS}
assert torch is stepgrad and nn is stepgrad.nn is again and F is stepgrad.nn.functional is functional
assert init is stepgrad.nn.init and optim is stepgrad.optim and lr_scheduler is stepgrad.optim.lr_scheduler
assert Loader is DataLoader is stepgrad.data.DataLoader and P is Parameter is stepgrad.nn.Parameter
assert cudnn is stepgrad.backends.cudnn and torch.nn.parallel is nn.parallel
assert nn.__spec__.name == nn.__name__ == "stepgrad.nn"
from importlib import reload
print(stepgrad.nn.init.__name__, torch.utils.data is stepgrad.utils.data)
"""
    )
    assert printed == "stepgrad.nn.init True\n"


def test_what_torch_has_and_stepgrad_has_not():
    printed = run(
        """
        import sys, stepgrad
        sys.modules["torch"] = stepgrad
        for name in ("torch.jit", "torch.nn.quantized", "torch.utils.dta"):
            try:
                __import__(name)
            except ModuleNotFoundError as error:
                print(error.name, "|", error)
        try:
            import nothing_of_the_kind
        except ModuleNotFoundError as error:
            print(error)
        """
    )
    assert printed.splitlines() == [
        "torch.jit | torch.jit is not there: stepgrad has no 'jit': "
        "it makes native code with stepgrad.compile.",
        "torch.nn.quantized | torch.nn.quantized is not there: stepgrad.nn has no 'quantized'.",
        "torch.utils.dta | torch.utils.dta is not there: stepgrad.utils has no 'dta'. Did you mean 'data'?",
        "No module named 'nothing_of_the_kind'",
    ]


def test_importing_stepgrad_alone_changes_no_other_import():
    printed = run(
        "import stepgrad, sys; print('torch' in sys.modules); import json.decoder as d; print(d.__name__)"
    )
    assert printed == "False\njson.decoder\n"


def test_as_torch_beside_pytorch_itself(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", sys.modules["pytest"])
    with pytest.raises(MissingNameError, match="after PyTorch itself was imported"):
        sg.as_torch()


MISSING = [
    (lambda: sg.matmull, r"stepgrad has no 'matmull'\. Did you mean 'matmul'\?"),
    (lambda: sg.jit, r"stepgrad has no 'jit': it makes native code with stepgrad\.compile\."),
    (lambda: sg.nn.Linaer, r"stepgrad\.nn has no 'Linaer'\. Did you mean 'Linear'\?"),
    (lambda: sg.nn.functional.crossentropy, r"nn\.functional has no 'crossentropy'\. Did .* 'cross_entropy'"),
    (lambda: sg.optim.Adm, r"stepgrad\.optim has no 'Adm'\. Did you mean 'Adam'\?"),
    (lambda: sg.optim.SparseAdam, r"optim has no 'SparseAdam': it has dense tensors alone; use Adam"),
    (lambda: sg.nn.init.xavier_norml_, r"nn\.init has no 'xavier_norml_'.* 'xavier_normal_'"),
    (lambda: sg.optim.lr_scheduler.StepLr, r"lr_scheduler has no 'StepLr'\. Did you mean 'StepLR'"),
    (lambda: sg.linalg.invers, r"stepgrad\.linalg has no 'invers'\. Did you mean 'inv"),
    (lambda: sg.utils.data.Dataloader, r"utils\.data has no 'Dataloader'.* 'DataLoader'"),
    (lambda: sg.ones(2).summ(), r"a Tensor has no 'summ'\. Did you mean 'sum'\?"),
    (lambda: sg.ones(2)._nothing, r"a Tensor has no '_nothing'\.$"),
]  # fmt: skip


@pytest.mark.parametrize("use, message", MISSING)
def test_a_missing_name_says_so_and_names_the_nearest(use, message):
    with pytest.raises(AttributeError, match=message):
        use()


def test_names_that_older_code_uses():
    assert sg.LongTensor([1, 2]).dtype is sg.int64
    assert sg.FloatTensor([[1, 2]]).dtype is sg.float32
    assert sg.DoubleTensor(2, 3).shape == (2, 3)
    assert isinstance(sg.ones(2), sg.FloatTensor)
    assert not isinstance(sg.ones(2), sg.LongTensor)
    assert sg.ones(2).type(sg.LongTensor).dtype is sg.int64
    x = sg.ones(2)
    y = sg.autograd.Variable(x, requires_grad=True)
    assert y.requires_grad
    assert not x.requires_grad
    y.data[0] = 5.0
    assert x.tolist() == [5, 1]


def test_the_machinery():
    assert not sg.backends.mps.is_available()
    sg.backends.cudnn.benchmark = True
    sg.backends.cudnn.benchmark = False
    sg.cuda.manual_seed_all(3)
    assert sg.initial_seed() == 3
    sg.cuda.empty_cache()
    assert sg.accelerator.is_available() == sg.cuda.is_available()
    assert sg.get_default_device() == sg.device("cpu")
    sg.set_default_device("cpu")
    with pytest.raises(sg.errors.DeviceError, match="no device 'tpu'"):
        sg.set_default_device("tpu")
    assert (sg.inf, sg.pi > 3) == (float("inf"), True)


def test_normal_of_tensors():
    sg.manual_seed(0)
    assert sg.normal(sg.zeros(3, 1), sg.ones(4)).shape == (3, 4)
    assert abs(sg.normal(sg.full((10000,), 5.0), 2.0).mean().item() - 5) < 0.1
    assert sg.normal(1.0, 0.5, (2,)).shape == (2,)
    with pytest.raises(sg.errors.ArgumentError, match="takes a size, or a tensor"):
        sg.normal(0.0, 1.0)


def test_workers_know_stepgrad_by_the_same_names(tmp_path):
    (tmp_path / "script.py").write_text(
        textwrap.dedent(
            """
            import torch
            from torch.utils.data import DataLoader, Dataset

            class Squares(Dataset):
                def __len__(self):
                    return 4
                def __getitem__(self, i):
                    return torch.tensor(i * i)

            if __name__ == "__main__":
                print([x.tolist() for x in DataLoader(Squares(), 2, num_workers=1)])
            """
        )
    )
    code = f"""
        import sys, runpy, stepgrad
        sys.modules["torch"] = stepgrad
        runpy.run_path({str(tmp_path / "script.py")!r}, run_name="__main__")
        """
    assert run(code) == "[[0, 1], [4, 9]]\n"


def test_names_that_courses_and_older_code_use():
    """Private lists, sentinels, generic classes, older spellings: each stands in public code."""
    gru = sg.nn.GRU(2, 3, num_layers=2)
    assert gru._flat_weights_names[::4] == ["weight_ih_l0", "weight_ih_l1"]
    assert [name for name, _ in gru.named_parameters()] == gru._flat_weights_names
    from stepgrad.optim.optimizer import required

    assert required is not None

    class Own(sg.utils.data.Sampler[int], sg.utils.data.Dataset[int]):
        def __iter__(self):
            return iter((2, 0))

    loader: sg.utils.data.DataLoader[int] = sg.utils.data.DataLoader([1, 2, 3], sampler=Own())
    assert [batch.item() for batch in loader] == [3, 1]
    assert sg.nn.init.xavier_uniform is sg.nn.init.xavier_uniform_
    assert sg.nn.utils.clip_grad_norm is sg.nn.utils.clip_grad_norm_
    from stepgrad.nn.attention import SDPBackend, sdpa_kernel

    x = sg.rand(1, 3, 2)
    with sdpa_kernel([SDPBackend.MATH, SDPBackend.FLASH_ATTENTION]):
        y = sg.nn.functional.scaled_dot_product_attention(x, x, x)
    assert sg.equal(y, sg.nn.functional.scaled_dot_product_attention(x, x, x))
    assert not sg.distributed.is_available()
    assert not sg.distributed.is_initialized()


def test_what_is_said_of_names_that_stand_elsewhere_or_make_no_sense():
    with pytest.raises(AttributeError, match=r"'ctc_loss': it is stepgrad.nn.functional.ctc_loss here"):
        _ = sg.ctc_loss
    with pytest.raises(AttributeError, match=r"has no 'get_rank': stepgrad trains in one process"):
        _ = sg.distributed.get_rank


def test_what_is_said_of_names_that_tutorials_use():
    with pytest.raises(AttributeError, match=r"no 'prune': it prunes with a parametrization"):
        _ = sg.nn.utils.prune
    with pytest.raises(AttributeError, match=r"no 'forward_ad': .* use stepgrad\.func\.jvp"):
        _ = sg.autograd.forward_ad
    with pytest.raises(AttributeError, match=r"no 'untyped_storage': it shows its memory"):
        _ = sg.ones(1).untyped_storage


HOOKS = {
    "saved_tensors_hooks": r"it keeps what derivatives read as it is; a stepgrad\.autograd\.Function of your",
    "save_on_cpu": "it keeps what derivatives read where it was computed; on the CPU leave it out",
    "disable_saved_tensors_hooks": "it has no such hooks; leave it out",
    "allow_mutation_on_saved_tensors": "it refuses to change what a derivative reads; change a .clone",
    "register_multi_grad_hook": r"it has hooks of one tensor each: x\.register_hook",
}


@pytest.mark.parametrize("name", HOOKS)
def test_what_autograd_graph_has_not_is_told_with_a_way_out(name):
    with pytest.raises(MissingNameError, match=f"stepgrad.autograd.graph has no '{name}': {HOOKS[name]}"):
        getattr(sg.autograd.graph, name)


def test_autograd_graph_is_found_under_the_name_of_pytorch():
    printed = run(
        """
        import sys, stepgrad; sys.modules["torch"] = stepgrad
        import torch.autograd.graph
        from torch.autograd.graph import Node
        print(isinstance(torch.ones(1, requires_grad=True).exp().grad_fn, Node))
        """
    )
    assert printed == "True\n"
