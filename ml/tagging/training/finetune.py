"""Fine-tunes all layers of the encoder together with a head. The one module that needs torch.

AdamW (Loshchilov & Hutter, 2019) with linear warm-up and decay, layer-wise learning rates (Howard & Ruder,
2018), label smoothing, two passes of each batch that have to agree (R-Drop, Liang et al., 2021), and a moving
average of the weights, which is what is judged and kept (Morales-Brotons et al., 2024): half way through it
is where the weights themselves get at the end, so that few epochs do. The pooling is the serving graph's:
the mean over tokens, scaled to length 1. The table of word vectors stays as it is: most of its rows would
never be seen in training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel
from transformers import AutoModel

from ml.tagging.training.recipe import Recipe

Matrix = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Progress = Callable[[str, float], None]
"""Told what is going on, and how much of it is done, from 0 to 1."""


@dataclass(frozen=True)
class Examples:
    """Texts with the numbers of their classes; -1 means none of them: such texts teach to be unsure."""

    texts: Sequence[str]
    labels: Labels


@dataclass(frozen=True)
class Tuned:
    """The encoder's weights by name, and a head for `scale` times its embeddings."""

    encoder: dict[str, Matrix]
    weights: Matrix
    bias: Matrix
    epochs: int
    """After how many it was the best on the validation texts; without such texts, after the last."""


def tune(
    base: Path, train: Examples, valid: Examples, classes: int, recipe: Recipe, progress: Progress
) -> Tuned:
    """`base` is a folder with config.json, model.safetensors and tokenizer.json. `valid` may be empty."""
    torch.manual_seed(recipe.seed)
    model = _Model(base, classes, recipe)
    steps = recipe.epochs * math.ceil(len(train.texts) / recipe.batch)
    optimiser = torch.optim.AdamW(model.groups(), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, steps, recipe.warmup))
    best, kept, done = (-1.0, 0.0), model.state(0), 0
    draw = np.random.default_rng(recipe.seed)
    tokens, held = model.tokens(train.texts), model.tokens(valid.texts)
    for epoch in range(1, recipe.epochs + 1):
        model.train()
        for rows in _batches(tokens, recipe.batch, draw):
            loss = model.loss([tokens[row] for row in rows], torch.from_numpy(train.labels[rows]))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            model.average()
            done += 1
            progress(f"epoch {epoch} of {recipe.epochs}", done / steps)
        if not held:
            continue
        lost, right = model.validate(held, valid.labels)
        # The loss alone would stop too early: smoothing makes it unsure, which the temperature mends later.
        if (right, -lost) > best:
            best, kept = (right, -lost), model.state(epoch)
        elif epoch - kept.epochs >= recipe.patience:
            break
    return kept if held else model.state(recipe.epochs)


class _Model:
    """`_live` learns; `_mean` is its average along the way."""

    def __init__(self, base: Path, classes: int, recipe: Recipe) -> None:
        self._recipe = recipe
        bert = AutoModel.from_pretrained(base, local_files_only=True, add_pooling_layer=False)
        bert.embeddings.word_embeddings.weight.requires_grad_(False)  # noqa: FBT003  # torch's name
        head = torch.nn.Linear(bert.config.hidden_size, classes)
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
        self._live = torch.nn.ModuleDict({"bert": bert, "head": head})
        self._mean = AveragedModel(self._live, multi_avg_fn=_moving(recipe.averaging))
        self._tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
        self._tokenizer.enable_truncation(recipe.max_tokens)
        self._tokenizer.no_padding()

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def parameters(self) -> list[Any]:
        return [p for p in self._live.parameters() if p.requires_grad]

    def groups(self) -> list[dict[str, Any]]:
        """Parameters with their learning rates: the lower the layer, the slower."""
        recipe, bert = self._recipe, self._live["bert"]
        layers = bert.encoder.layer
        parts = [(self._live["head"], recipe.head_rate)]
        parts += [
            (layer, recipe.rate * recipe.layer_decay ** (len(layers) - 1 - number))
            for number, layer in enumerate(layers)
        ]
        parts.append((bert.embeddings, recipe.rate * recipe.layer_decay ** len(layers)))
        return [group for part, rate in parts for group in self._decayed(part, rate)]

    def _decayed(self, part: Any, rate: float) -> list[dict[str, Any]]:
        """Biases and norms are not pulled to zero."""
        wanted = [p for p in part.parameters() if p.requires_grad]
        matrices, vectors = [p for p in wanted if p.ndim > 1], [p for p in wanted if p.ndim == 1]
        return [
            {"params": matrices, "lr": rate, "weight_decay": self._recipe.weight_decay},
            {"params": vectors, "lr": rate, "weight_decay": 0.0},
        ]

    def logits(self, tokens: Sequence[list[int]], modules: Any) -> Any:
        length = max(map(len, tokens))
        ids = torch.zeros(len(tokens), length, dtype=torch.long)
        mask = torch.zeros(len(tokens), length, dtype=torch.long)
        for row, text in enumerate(tokens):
            ids[row, : len(text)] = torch.tensor(text)
            mask[row, : len(text)] = 1
        with torch.autocast("cpu", torch.bfloat16, enabled=_has_bf16()):
            hidden = modules["bert"](input_ids=ids, attention_mask=mask).last_hidden_state
        pooled = functional.normalize((hidden.float() * mask.unsqueeze(-1)).sum(1), dim=1)
        return modules["head"](pooled * self._recipe.scale)

    def loss(self, tokens: Sequence[list[int]], labels: Any) -> Any:
        """Mean cross-entropy; of two passes, whose dropout differs, plus how far they are from each other."""
        agreement = self._recipe.agreement
        one = functional.log_softmax(self.logits(tokens, self._live), dim=1)
        if not agreement:
            return self._cross_entropy(one, labels)
        other = functional.log_softmax(self.logits(tokens, self._live), dim=1)
        wrong = (self._cross_entropy(one, labels) + self._cross_entropy(other, labels)) / 2
        return wrong + agreement * (_divergence(one, other) + _divergence(other, one)) / 2

    def _cross_entropy(self, shares: Any, labels: Any) -> Any:
        """`shares` are logarithms. A text of no class ought to be anything as likely as anything else."""
        smoothing, known = self._recipe.smoothing, labels >= 0
        share = torch.where(known, smoothing, 1.0).unsqueeze(1) / shares.shape[1]
        picked = shares.gather(1, labels.clamp(min=0).unsqueeze(1)).squeeze(1)
        own = picked * torch.where(known, 1.0 - smoothing, 0.0)
        return -(own + (share * shares).sum(1)).mean()

    def validate(self, tokens: Sequence[list[int]], labels: Labels) -> tuple[float, float]:
        self._mean.eval()
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        losses, right = 0.0, 0
        with torch.inference_mode():
            for start in range(0, len(order), 128):
                rows = order[start : start + 128]
                logits = self.logits([tokens[row] for row in rows], self._mean.module)
                wanted = torch.from_numpy(labels[rows])
                losses += float(functional.cross_entropy(logits, wanted, reduction="sum"))
                right += int((logits.argmax(1) == wanted).sum())
        return losses / len(order), right / len(order)

    def train(self) -> None:
        self._live.train()

    def average(self) -> None:
        self._mean.update_parameters(self._live)

    def state(self, epochs: int) -> Tuned:
        bert, head = self._mean.module["bert"], self._mean.module["head"]
        encoder = {name: tensor.numpy().copy() for name, tensor in bert.state_dict().items()}
        weights, bias = head.weight.detach().numpy(), head.bias.detach().numpy()
        return Tuned(encoder, weights.T.copy(), bias.copy(), epochs)


def _moving(kept: float) -> Callable[[Any, Any, Any], None]:
    """Each step leaves the average this share; less at the start, so that the first weights are forgotten."""

    def update(averaged: Sequence[Any], current: Sequence[Any], steps: Any) -> None:
        share = min(kept, (1 + int(steps)) / (10 + int(steps)))
        for mean, now in zip(averaged, current, strict=True):
            mean.lerp_(now, 1 - share)

    return update


def _divergence(one: Any, other: Any) -> Any:
    """Kullback and Leibler's, of logarithms of shares."""
    return functional.kl_div(one, other, log_target=True, reduction="batchmean")


def _batches(tokens: Sequence[list[int]], size: int, draw: np.random.Generator) -> Iterator[list[int]]:
    """Random batches of texts of about the same length: lengths are sorted within large random pools."""
    order = draw.permutation(len(tokens))
    pool = size * 16
    made = []
    for start in range(0, len(order), pool):
        rows = sorted(order[start : start + pool].tolist(), key=lambda row: len(tokens[row]))
        made += [rows[at : at + size] for at in range(0, len(rows), size)]
    for number in draw.permutation(len(made)):
        yield made[number]


def _rate(step: int, steps: int, warmup: float) -> float:
    rising = step / max(1.0, warmup * steps)
    return min(rising, max(0.0, (steps - step) / max(1.0, (1 - warmup) * steps)))


def _has_bf16() -> bool:
    return bool(torch.backends.cpu.get_cpu_capability().startswith("AVX512")) and "avx512_bf16" in _flags()


def _flags() -> str:
    file = Path("/proc/cpuinfo")
    return file.read_text() if file.exists() else ""
