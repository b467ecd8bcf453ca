"""Teacher-forces finished completions through a causal language model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rlvr_fast.adapted_models import AdaptedModel, check_peft
from rlvr_fast.adapters import Adapter, check_adapter, read_adapter
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.models import load_causal_lm, local_revision
from rlvr_fast.onednn import OneDnnLinears
from rlvr_fast.scoring.kernels.checks import check_truncation
from rlvr_fast.scoring.kernels.linear import linear_token_stats
from rlvr_fast.scoring.kernels.nucleus import linear_truncation, outside_nucleus
from rlvr_fast.scoring.models.heads import head_of
from rlvr_fast.scoring.models.prefix_trees import plan_trees, worth_sharing
from rlvr_fast.scoring.models.sequences import Sequences, TokenBatch, plan_batches
from rlvr_fast.scoring.results import SequenceScores, TokenStats, Truncation

__all__ = ["Scorer"]


class Scorer:
    """Scores completions under one causal language model; see `score`.

    Args:
        model: a folder, a Hugging Face name or a .gguf file (dequantised); or a loaded model of
            transformers.
        revision: branch, tag or commit of a Hugging Face name.
        adapter: a folder of a LoRA adapter (or what `read_adapter` gave of it), with which the
            model scores; not for a loaded model, which has its adapters.
        device: by default "cuda" where there is a CUDA device, else "cpu". A loaded model stays on
            its device by default.
        dtype: a torch dtype or its name; by default float32 on the CPU, bfloat16 on CUDA, and the
            type of a loaded model. The logits of the head are always float32.
        batch_tokens: number of tokens, padding included, that go through the model in one pass.

    Attributes:
        model: the model of transformers.
        tokenizer: the tokenizer of the model; None for a loaded model.
        name: the name or the path of the model.
        revision: the given revision, or a digest of the local files, or None.
        adapter: the adapter, or None.
        head: the LM head.
        batch_tokens: as above.
        share_prefixes: whether short completions of one prompt share their common prefixes.
        vocab_size: number of token ids that the model takes.
        context_length: largest number of tokens of a sequence, or None.

    Raises:
        UnsupportedModelError: an architecture whose head is not known.
        InvalidInputError: the model does not exist, batch_tokens is below 1, or the adapter is
            damaged or does not fit the model.
        MissingDependencyError: an adapter without the package peft.

    >>> from rlvr_fast import Scorer
    >>> scorer = Scorer("path/to/model")                                 # doctest: +SKIP
    >>> scorer.score([[1, 5, 7]], [[3, 3, 2]]).logprob                   # doctest: +SKIP
    array([-9.1])
    """

    def __init__(
        self,
        model: Any,
        *,
        revision: str | None = None,
        adapter: str | Path | Adapter | None = None,
        device: str | None = None,
        dtype: Any = None,
        batch_tokens: int = 4096,
    ) -> None:
        if batch_tokens < 1:
            raise InvalidInputError(f"batch_tokens must be at least 1, got {batch_tokens}")
        self.tokenizer: Any = None
        self.adapter = read_adapter(adapter) if isinstance(adapter, str | Path) else adapter
        if isinstance(model, (str, Path)):
            self.name = str(model)
            if self.adapter is not None:
                check_peft()
                check_adapter(self.adapter, model, revision)
            self.model, self.tokenizer = load_causal_lm(model, revision, device, dtype)
            self.revision = revision or local_revision(model)
            if self.adapter is not None:
                adapted = AdaptedModel(self.model, [self.adapter])
                adapted.use(self.adapter)
                adapted.merge_head()  # the logits are those of a plain layer
        elif self.adapter is not None:
            raise InvalidInputError(
                f"{self.adapter.path}: an adapter is given with the name or the folder of its "
                "base model, not with a loaded model"
            )
        else:
            self.name = str(getattr(model, "name_or_path", "") or type(model).__name__)
            self.revision = revision
            self.model = model if device is None and dtype is None else model.to(device, dtype)
            self.model.eval()
        self.head = head_of(self.model)
        self.batch_tokens = batch_tokens
        self.share_prefixes = self.head.trees and _full_attention(self.model.config)
        config = self.model.config.get_text_config()
        # A token id needs an embedding; the head may have more rows than the embedding, or fewer.
        embeddings = self.model.get_input_embeddings().weight.shape[0]
        self.vocab_size = min(int(embeddings), int(self.head.weight.shape[0]))
        self.context_length: int | None = getattr(config, "max_position_embeddings", None)

    @property
    def dtype(self) -> str:
        """The name of the type of the head's weight, such as "bfloat16"."""
        return str(self.head.weight.dtype).removeprefix("torch.")

    def score(
        self,
        prompts: Sequence[Sequence[int]],
        completions: Sequence[Sequence[int]],
        *,
        temperature: float = 1.0,
        top_p: float | None = None,
        top_k: int = 0,
        min_p: float = 0.0,
        per_token: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> SequenceScores:
        """Log-prob, mean entropy and perplexity of each completion after its prompt.

        The model takes the given token ids; no token is added. Sequences are sorted by length into
        batches of `batch_tokens`, padded on the right under causal attention. Only the positions of
        the completions go through the head, tile by tile, so that the logits of a batch are never
        stored. A completion that occurs several times after one prompt is scored once.

        Args:
            prompts: token ids of each prompt, at least one id.
            completions: token ids of each completion, as many as prompts; may be empty.
            temperature: the scored distribution is softmax(logits / temperature).
            top_p: counts the tokens outside the nucleus of the scored distribution, those that a
                sampler with top_p, top_k and min_p leaves out (`nucleus_stats`), and sums
                log(kept_mass). Both give the log-prob of the completion under that sampler
                (`SequenceScores`). A token that ties with a kept one counts as kept. The cost is
                one more product with the head, and up to 128 MB of logits at a time.
            top_k: number of most likely tokens that the sampler draws among; 0 is all of them.
                With top_k or min_p, top_p is 1 where it is None, and on CUDA torch finds the
                nucleus, as the kernels take top_p alone.
            min_p: least probability of a token as a share of the largest, in [0, 1].
            per_token: whether to return the log-prob and the entropy of each token.
            progress: called with (number of scored sequences, number of sequences).

        Returns:
            SequenceScores in the order of the input: float64 sums of float32 token statistics, in
            nats. An empty completion has logprob 0; its mean_entropy and perplexity are nan.

        Raises:
            InvalidInputError: lists of different lengths, an empty prompt, a token id outside the
                model's vocabulary (as of another tokenizer), or a sequence longer than the model's
                context; the message names the sequence.
        """
        if not (temperature > 0 and math.isfinite(temperature)):
            raise InvalidInputError(f"temperature must be positive and finite, got {temperature}")
        cut: dict[str, Any] = {}
        if top_p is not None or top_k or min_p:
            values = check_truncation(1.0 if top_p is None else top_p, top_k, min_p)
            cut = dict(zip(("top_p", "top_k", "min_p"), values, strict=True))
        sequences = self.check(prompts, completions)
        total = int(sequences.lengths.sum())
        logprobs = np.empty(total, np.float32)
        entropies = np.empty(total, np.float32)
        outside = np.empty(total, np.bool_) if cut else None
        kept = np.empty(total, np.float32) if cut else None
        done = 0
        with torch.inference_mode():
            share = self.share_prefixes and worth_sharing(sequences)
            plan = plan_trees if share else plan_batches
            for batch in plan(sequences, self.batch_tokens):
                if len(batch.targets):
                    stats, truncation = self._batch(batch, temperature, cut)
                    rows = slice(None) if batch.rows is None else batch.rows
                    logprobs[batch.slots] = stats.logprob.cpu().numpy()[rows]
                    entropies[batch.slots] = stats.entropy.cpu().numpy()[rows]
                    if outside is not None and kept is not None:
                        left_out = outside_nucleus(stats, truncation, **cut)
                        outside[batch.slots] = left_out.cpu().numpy()[rows]
                        kept[batch.slots] = truncation.kept_mass.cpu().numpy()[rows]
                done += batch.sequences
                if progress is not None:
                    progress(
                        done * len(sequences.index) // len(sequences.first), len(sequences.index)
                    )
        return sequences.scores(logprobs, entropies, outside, kept, per_token=per_token)

    def check(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> Sequences:
        """Gives the distinct sequences of the input, without scoring.

        Raises:
            InvalidInputError: as `score`.
        """
        sequences = Sequences.from_lists(prompts, completions)
        sequences.check(self.vocab_size, self.context_length, self.name)
        return sequences

    def _batch(
        self, batch: TokenBatch, temperature: float, cut: dict[str, Any]
    ) -> tuple[TokenStats, Truncation]:
        """The statistics of the targets, and what `cut` (top_p, top_k, min_p) keeps."""
        device = self.head.weight.device
        # No attention mask: the padding is to the right, where causal attention reads no token.
        options: dict[str, Any] = {}
        if batch.ancestors is not None and batch.depths is not None:
            options["position_ids"] = torch.from_numpy(batch.depths).to(device)
            seen = torch.from_numpy(batch.ancestors).to(device).unsqueeze(1)
            dtype = self.model.dtype
            options["attention_mask"] = torch.zeros(seen.shape, dtype=dtype, device=device)
            options["attention_mask"].masked_fill_(~seen, torch.finfo(dtype).min)
        with OneDnnLinears():
            hidden = self.head.decoder(
                input_ids=torch.from_numpy(batch.tokens).to(device), use_cache=False, **options
            ).last_hidden_state
        rows = hidden.reshape(-1, hidden.shape[-1])[torch.from_numpy(batch.positions).to(device)]
        head: dict[str, Any] = {
            "bias": self.head.bias,
            "temperature": temperature,
            "softcap": self.head.softcap,
            "scale": self.head.scale,
        }
        targets = torch.from_numpy(batch.targets).to(device)
        stats = linear_token_stats(rows, self.head.weight, targets, **head)
        return stats, linear_truncation(rows, self.head.weight, **{"top_p": 1.0, **cut}, **head)


def _full_attention(config: Any) -> bool:
    """Whether every layer attends to all earlier tokens, and takes an attention mask."""
    config = config.get_text_config()
    types = getattr(config, "layer_types", None) or []
    window = getattr(config, "sliding_window", None)
    windowed = window is not None and getattr(config, "use_sliding_window", True)
    implementation = getattr(config, "_attn_implementation", None)
    return (
        all(kind == "full_attention" for kind in types)
        and (bool(types) or not windowed)
        and implementation in ("sdpa", "eager")
    )
