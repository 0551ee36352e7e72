"""scikit-learn's `MLPClassifier`, one `partial_fit` per epoch.

Its rows are not shuffled and nothing is penalised, as with the other peers. Its Adam adds epsilon before the
second moment is corrected for its start, which the others do after it; hence a tolerance of its own.
"""

import numpy as np

from ..workloads import Workload

TITLE = "scikit-learn MLPClassifier"
REQUIRES = ("sklearn",)
CONVOLUTIONS = False
TOLERANCE = 5e-3


class Training:
    """The estimator; its first weights are written into it after a call that makes them."""

    def __init__(self, workload: Workload):
        from sklearn.neural_network import MLPClassifier

        self.workload = workload
        self.inputs, targets = workload.data()
        self.targets = targets.ravel().astype(np.int64)
        self.classes = np.arange(max(2, workload.layers[-1]))
        self.model = MLPClassifier(
            hidden_layer_sizes=workload.layers[1:-1],
            activation="relu" if workload.activation == "relu" else "logistic",
            alpha=0,
            batch_size=workload.batch,
            learning_rate_init=workload.learning_rate,
            beta_1=workload.betas[0],
            beta_2=workload.betas[1],
            epsilon=workload.epsilon,
            shuffle=False,
        )
        self.epoch()
        self.reset()

    def reset(self) -> None:
        """Back to the first weights; the optimizer is made anew by the next `partial_fit`."""
        for i, (weight, bias) in enumerate(self.workload.weights()):
            self.model.coefs_[i][...] = weight.T
            self.model.intercepts_[i][...] = bias
        self.model.__dict__.pop("_optimizer", None)

    def epoch(self) -> None:
        """One epoch, every batch in order."""
        self.model.partial_fit(self.inputs, self.targets, classes=self.classes)

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weight and bias of each layer."""
        return [(coef.T, bias) for coef, bias in zip(self.model.coefs_, self.model.intercepts_, strict=True)]
