"""The worked example that all of stepgrad knows, and networks to write out."""

import stepgrad as sg

PARAMETERS = {
    "0.weight": [[0.4352, 0.3545], [0.1951, 0.4835]],
    "0.bias": [-0.1419, 0.0439],
    "2.weight": [[-0.1725, 0.1129]],
    "2.bias": [-0.3043],
}


def example_model():
    """A 2-2-1 network of sigmoids with the example's weights."""
    nn = sg.nn
    model = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 1), nn.Sigmoid()).double()
    model.load_state_dict({name: sg.tensor(v, dtype=sg.float64) for name, v in PARAMETERS.items()})
    return model


def example(optimizer=None, **options):
    """The example's step: x = (1, 1), y = 0, binary cross entropy, SGD with rate 1."""
    model = example_model()
    chosen = sg.optim.SGD(model.parameters(), lr=1.0) if optimizer is None else optimizer(model)
    return sg.explain(model, sg.nn.BCELoss(), chosen, [1.0, 1.0], [0.0], **options)
