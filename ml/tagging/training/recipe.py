"""How a fine-tune is run. The defaults are common ones for small encoders; epochs, passes and averaging were
compared on validation texts (docs/tagging.md), the others were not searched for.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    epochs: int = 3
    patience: int = 2
    """Epochs without a better validation accuracy after which training stops."""
    batch: int = 64
    rate: float = 3e-4
    """Of the last encoder layer; each layer below learns at `layer_decay` of the one above it."""
    layer_decay: float = 0.9
    head_rate: float = 1e-2
    warmup: float = 0.1
    weight_decay: float = 0.01
    smoothing: float = 0.1
    agreement: float = 1.0
    """Weight of the disagreement between two passes of the same texts; 0: one pass, half the time."""
    averaging: float = 0.995
    """What is kept is a moving average of the weights; each step leaves it this share of what it was."""
    scale: float = 12.0
    """Embeddings have length 1; logits are `scale` times their product with the head's weights."""
    max_tokens: int = 64
    seed: int = 0
