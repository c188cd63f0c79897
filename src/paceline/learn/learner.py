"""What all learners are: networks, a loss of a batch, and one step down its slope.

A learner's own file has its networks, its loss and its choice, and reads like its paper. One batch
is one loss: learners with several of them add them up, as no two share a parameter.
"""

from __future__ import annotations

import types
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from paceline.errors import CheckpointError
from paceline.learn.checkpoint import Checkpoint, Serving
from paceline.learn.networks import DuelingNetwork
from paceline.learn.replay_buffer import Batch
from paceline.learn.settings import Learning, Run


class Loss(NamedTuple):
    """What a batch says."""

    total: Tensor  # scalar, to go down
    error: Tensor  # [n] of each row, by which it is drawn again
    value: Tensor  # [n] of the logged actions, to see whether they explode
    parts: dict[str, Tensor]  # scalars for the log


class Step(NamedTuple):
    """What an update did."""

    loss: float
    gradient: float
    """Norm before it was cut."""
    largest: float
    """Size of the largest value."""
    error: NDArray[np.float32]  # [n]
    parts: dict[str, Tensor]

    def fine(self, max_value: float) -> bool:
        """Whether all is finite and no value exploded. What is not was not stepped on."""
        return bool(np.isfinite(self.loss) and np.isfinite(self.gradient)) and (
            self.largest <= max_value
        )


class Learner(ABC):
    """Networks that learn from batches."""

    name: ClassVar[str]
    kind: ClassVar[type[Learning]]
    """Class of its settings."""
    needs_rewards: ClassVar[bool] = True
    """Whether it learns from what rows earned."""

    def __init__(
        self, settings: Learning, n_features: int, n_actions: int, run: Run | None = None
    ) -> None:
        """Networks begin as `run.seed` says, whatever was drawn elsewhere."""
        run = run or Run()
        self.settings, self.run = settings, run
        self.n_features, self.n_actions = n_features, n_actions
        self.device = torch.device(run.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(run.seed)
            self.networks = self.make().to(self.device)
        for name, network in self.networks.items():
            if name.startswith("target"):
                network.load_state_dict(
                    self.networks[name.replace("target", "online")].state_dict()
                )
                network.requires_grad_(False)
        self.one = torch.ones(1, device=self.device)
        """How the quantiles of a plain head weigh: there is one."""
        self.parameters = [p for p in self.networks.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(
            self.parameters, lr=settings.lr, weight_decay=settings.l2, fused=True
        )
        self._loss: Any = self.loss
        if run.mode == "compiled":
            # Networks keep their shape and need not be looked at before each update; batches are.
            # Calls of what was compiled are compiled, too. Together a fifth of an update.
            options: dict[str, Any] = {
                "guard_filter_fn": torch.compiler.keep_tensor_guards_unsafe, "cpp_wrapper": True,
            }  # fmt: skip
            self._loss = torch.compile(
                _of_its_own(self.loss), fullgraph=True, dynamic=False, options=options
            )
        self.updates = 0

    @abstractmethod
    def make(self) -> nn.ModuleDict:
        """Its networks; one named `target…` begins as a copy of the one named `online…`."""

    @abstractmethod
    def loss(self, batch: Batch) -> Loss:
        """What a batch of tensors says."""

    @abstractmethod
    def values(self, features: Tensor) -> Tensor:
        """`[n, n_actions]` by which actions are chosen, the highest legal one."""

    @abstractmethod
    def serving(self) -> Serving:
        """How its networks choose once they are a policy."""

    def tensors(self, batch: Batch) -> Batch:
        """`batch` as tensors on the device."""
        return Batch(*(torch.from_numpy(column).to(self.device) for column in batch))

    def choose(
        self, features: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Actions `[n]` for `features` `[n, n_features]` among those of `mask`, and all values."""
        with torch.no_grad():
            seen = torch.from_numpy(features).to(self.device)
            values = self.values(seen)
            legal = self.allowed(values, torch.from_numpy(mask).to(self.device), seen)
        found = values.cpu().numpy()
        return np.where(legal.cpu().numpy(), found, -np.inf).argmax(axis=1), found

    def allowed(self, values: Tensor, mask: Tensor, features: Tensor) -> Tensor:
        """`[n, n_actions]` what may be chosen: what is legal, and for some learners less."""
        return mask

    def update(self, batch: Batch, max_value: float = float("inf")) -> Step:
        """One step down the slope of `batch` (arrays), if it is a fine one (see `Step.fine`)."""
        self.optimizer.zero_grad(set_to_none=True)
        found: Loss = self._loss(self.tensors(batch))
        found.total.backward()  # type: ignore[no-untyped-call]
        slopes = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = nn.utils.get_total_norm(slopes)
        largest = found.value.detach().abs().max()
        # One transfer for all: on a GPU each costs a wait.
        loss, gradient, most = torch.stack([found.total.detach(), norm.detach(), largest]).tolist()
        error = found.error.detach().cpu().numpy()
        step = Step(loss, gradient, most, error, found.parts)
        if step.fine(max_value):
            self.optimizer.param_groups[0]["lr"] = self._lr()
            if gradient > self.settings.max_gradient:
                torch._foreach_mul_(slopes, self.settings.max_gradient / gradient)
            self.optimizer.step()
            self.updates += 1
            if self.updates % self.settings.sync_every == 0:
                self.sync()
        return step

    def _lr(self) -> float:
        """Step size of the next update."""
        done = min(self.updates / self.run.updates, 1.0)
        return self.settings.lr * (1.0 - done * (1.0 - self.settings.lr_end))

    def network(self, name: str) -> DuelingNetwork:
        """One of its networks."""
        return cast(DuelingNetwork, self.networks[name])

    def sync(self) -> None:
        """Move target networks towards their online ones."""
        share = self.settings.sync_share
        with torch.no_grad():
            for name, network in self.networks.items():
                if name.startswith("target"):
                    online = self.networks[name.replace("target", "online")]
                    for old, new in zip(network.parameters(), online.parameters(), strict=True):
                        old.copy_(new) if share == 1.0 else old.lerp_(new, share)

    def state(self) -> dict[str, NDArray[Any]]:
        """Networks and the optimiser's memory, by name."""
        kept = {f"networks.{k}": v for k, v in self.networks.state_dict().items()}
        for i, parameter in enumerate(self.parameters):
            for key, value in self.optimizer.state.get(parameter, {}).items():
                kept[f"optimizer.{i}.{key}"] = value
        return {name: value.detach().cpu().numpy() for name, value in kept.items()}

    def restore(self, state: dict[str, NDArray[Any]], updates: int) -> None:
        """Become what `state` says. Raises `CheckpointError` for other names or shapes."""
        self.load(state)
        memory: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            if name.startswith("optimizer."):
                _, i, key = name.split(".")
                memory.setdefault(int(i), {})[key] = torch.from_numpy(np.array(value))
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": memory, "param_groups": groups})
        self.updates = updates

    def start_from(self, found: Checkpoint) -> None:
        """Begin with the networks of a checkpoint, of this learner or another with the same ones: a
        quantile DQN where CQL on it left off. Raises `CheckpointError` for other networks."""
        self.load({f"networks.{name}": tensor for name, tensor in found.weights.items()})

    def load(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over the networks of `state`. Raises `CheckpointError` for other names or shapes."""
        own = self.networks.state_dict()
        given = {k[9:]: v for k, v in state.items() if k.startswith("networks.")}
        for name in sorted(own.keys() | given.keys()):
            shapes = [tuple(one[name].shape) if name in one else None for one in (own, given)]
            if shapes[0] != shapes[1]:
                raise CheckpointError(
                    f"networks.{name}: is {shapes[1]} in the checkpoint and {shapes[0]} here; give "
                    "the settings it was made with"
                )
        self.networks.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in given.items()})


def _of_its_own(method: Any) -> Any:
    """`method` with code that no other learner has.

    What PyTorch compiled belongs to the code, with settings written into it; another learner of the
    class would be given it, too."""
    plain = method.__func__
    made = types.FunctionType(
        plain.__code__.replace(), plain.__globals__, plain.__name__, plain.__defaults__,
        plain.__closure__,
    )  # fmt: skip
    return types.MethodType(made, method.__self__)
