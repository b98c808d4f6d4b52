"""The full finetune: what the labelled rows are worth when all weights may move. Runs with or without Ray.

phases (folds.plan):   train epochs, a checkpoint after each -> predict the held-out rows -> next phase
last phase:            train epochs on all labelled rows     -> predict the evaluation set, if there is one
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor, nn

from afray.evaluation import folds, training
from afray.evaluation.checkpoint import Checkpoint
from afray.evaluation.classifier import Classifier, calibrate
from afray.evaluation.images import Images, ImagesInMemory
from afray.evaluation.labels import Labels, require_two_classes
from afray.evaluation.metrics import Metrics, measure
from afray.evaluation.training import ALONE, Recipe, Replica


class Basis(StrEnum):
    """Where the metrics of a finetune come from."""

    evaluation_set = "on the evaluation set"
    selected_rows = "on selected rows, biased"
    """Cross-validated: these rows were chosen, not drawn, so they say little about the rest of the pool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How far a finetune is, after one more epoch."""

    done: int
    total: int
    """Epochs over all phases."""
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneResult:
    """The metrics, and what they cost."""

    metrics: Metrics
    basis: Basis
    classes: tuple[str, ...]
    """Names in the order of the network's outputs."""
    train_rows: int
    epochs: int
    train_seconds: float
    evaluation_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """Everything a finetune depends on."""

    make_encoder: Callable[[], nn.Module]
    """A new pretrained network: images (B, 3, S, S) in [0, 1] -> pooled features (B, D), differentiable."""
    selected: ImagesInMemory
    evaluation: Images | None
    recipe: Recipe


Keep = Callable[[Checkpoint, Report], None]
"""Called after every epoch; may store the checkpoint, which the next epoch overwrites in place."""


class Finetune:
    """One run. Raises OneClass before anything is trained."""

    def __init__(self, task: Task, *, start: Checkpoint | None, keep: Keep, replica: Replica = ALONE) -> None:
        require_two_classes(task.selected.labels)
        self.task, self.keep, self.replica = task, keep, replica
        self.classes, numbers = np.unique(task.selected.labels, return_inverse=True)
        self.targets = torch.from_numpy(numbers.astype(np.int64))
        self.phases = folds.plan(task.selected.labels, has_evaluation=task.evaluation is not None)
        self.state = start or Checkpoint()

    def run(self) -> tuple[FinetuneResult, dict[str, Tensor]]:
        """Train what is left to train; returns the result and the weights of the network of the last phase."""
        model = self._train_phase()
        while self._phases_to_come:
            held_out = self.task.selected.take(self.phases[self.state.phase].held_out)
            self.state.held_out.append(self._predict(model, held_out))
            self.state = Checkpoint(
                phase=self.state.phase + 1, held_out=self.state.held_out, seconds=self.state.seconds
            )
            model = self._train_phase()
        return self._result(model), self.state.model

    def _train_phase(self) -> Classifier:
        """Train the current phase to its end, from where its state stands."""
        state, recipe, device = self.state, self.task.recipe, self.replica.device
        phase = self.phases[state.phase]
        images, targets = self.task.selected.pixels[torch.from_numpy(phase.train)], self.targets[phase.train]
        model = self._make_model(images)
        optimiser = training.make_optimiser(model, recipe)
        if state.epochs:
            model.load_state_dict(state.model)
            optimiser.load_state_dict(state.optimiser)
        parallel = self.replica.wrap(model)
        for epoch in range(state.epochs, recipe.epochs):
            began = time.perf_counter()
            with training.seeded(device, recipe.seed, self._phases_to_come, epoch):
                loss = training.train_epoch(
                    parallel, optimiser, images, targets, epoch=epoch, recipe=recipe, replica=self.replica
                )
            state.epochs, state.seconds = epoch + 1, state.seconds + time.perf_counter() - began
            state.model, state.optimiser = model.state_dict(), optimiser.state_dict()
            self.keep(state, self._report(loss))
        return model

    @property
    def _phases_to_come(self) -> int:
        """0 in the last phase, so that its network does not depend on whether others were trained before it."""
        return len(self.phases) - 1 - self.state.phase

    def _make_model(self, images: Tensor) -> Classifier:
        encoder = self.task.make_encoder().to(self.replica.device).to(memory_format=torch.channels_last).eval()
        pieces = images.tensor_split(math.ceil(len(images) / self.task.recipe.batch_size))
        features = torch.cat([self._features(encoder, piece) for piece in pieces])
        model = Classifier(encoder, features.shape[1], len(self.classes)).to(self.replica.device)
        calibrate(model, features)
        return model

    def _features(self, encoder: nn.Module, images: Tensor) -> Tensor:
        with torch.no_grad():
            features: Tensor = encoder(training.channels_last(images.to(self.replica.device, torch.float32)))
        return features

    def _predict(self, model: Classifier, images: Images) -> Tensor:
        return training.predict(model, images, batch_size=self.task.recipe.batch_size, replica=self.replica)

    def _report(self, loss: float) -> Report:
        epochs = self.task.recipe.epochs
        return Report(done=self.state.phase * epochs + self.state.epochs, total=len(self.phases) * epochs, loss=loss)

    def _result(self, model: Classifier) -> FinetuneResult:
        began = time.perf_counter()
        predicted, truth, basis = self._predictions(model)
        return FinetuneResult(
            metrics=measure(predicted=predicted, truth=truth, labelled=self.task.selected.labels),
            basis=basis,
            classes=tuple(self.classes.tolist()),
            train_rows=len(self.targets),
            epochs=self.task.recipe.epochs,
            train_seconds=self.state.seconds,
            evaluation_seconds=time.perf_counter() - began,
        )

    def _predictions(self, model: Classifier) -> tuple[Labels, Labels, Basis]:
        if self.task.evaluation is not None:
            numbers = self._predict(model, self.task.evaluation)
            return self.classes[numbers.numpy()], self.task.evaluation.labels, Basis.evaluation_set
        rows = np.concatenate([phase.held_out for phase in self.phases])
        numbers = torch.cat(self.state.held_out)
        return self.classes[numbers.numpy()], self.task.selected.labels[rows], Basis.selected_rows
