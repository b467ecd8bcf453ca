"""Teacher-forces finished completions through a causal language model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from rlvr_fast.adapted_models import AdaptedModel, check_peft
from rlvr_fast.adapters import Adapter, check_adapter, read_adapter
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.models import load_causal_lm, local_revision
from rlvr_fast.scoring.models.batches import TokenBatch, plan_batches
from rlvr_fast.scoring.models.distributions import Distribution, TokenValues, token_values
from rlvr_fast.scoring.models.forward import Forward
from rlvr_fast.scoring.models.heads import linear_head
from rlvr_fast.scoring.models.own_logits import OwnLogits
from rlvr_fast.scoring.models.prefix_trees import plan_trees, worth_sharing
from rlvr_fast.scoring.models.sequences import Ids, Sequences, sequence_scores
from rlvr_fast.scoring.models.shared_prompts import plan_shared
from rlvr_fast.scoring.results import SequenceScores

__all__ = ["Scored", "Scorer"]


class Scored(NamedTuple):
    """Sequences whose scores are finished.

    Attributes:
        which: the places of the sequences in the input, int64.
        scores: for each distribution the SequenceScores in the order of `which`.
    """

    which: Ids
    scores: list[SequenceScores]


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
        device_map: how the layers of the model are spread over several devices, as from_pretrained
            of transformers takes it ("auto", say); not for a loaded model, which is placed.
        dtype: a torch dtype or its name; by default float32 on the CPU, bfloat16 on CUDA, and the
            type of a loaded model. The logits of the head are always float32.
        batch_tokens: number of tokens, padding included, that go through the model in one pass.

    Attributes:
        model: the model of transformers.
        tokenizer: the tokenizer of the model; None for a loaded model.
        name: the name or the path of the model.
        revision: the given revision, or a digest of the local files, or None.
        adapter: the adapter, or None.
        head: what makes statistics of the last hidden states: a `LinearHead` where the architecture
            is known (`heads.HEADS`), else `OwnLogits`.
        batch_tokens: as above.
        share_prefixes: whether completions share the computation of what they have in common: of
            one prompt, or where they are short, of any common prefix.
        vocab_size: number of token ids that the model takes.
        context_length: largest number of tokens of a sequence, or None.

    Raises:
        UnsupportedModelError: a model whose logits cannot be made position by position.
        InvalidInputError: the model does not exist, batch_tokens is below 1, the adapter is damaged
            or does not fit the model, or a device_map beside a device or a loaded model.
        MissingDependencyError: an adapter without the package peft, a device_map without
            accelerate.

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
        device_map: Any = None,
        dtype: Any = None,
        batch_tokens: int = 4096,
    ) -> None:
        if batch_tokens < 1:
            raise InvalidInputError(f"batch_tokens must be at least 1, got {batch_tokens}")
        if device_map is not None and (device is not None or not isinstance(model, (str, Path))):
            raise InvalidInputError(
                f"device_map {device_map!r} places the layers of a model while it is loaded: give "
                "the name or the folder of the model, and no device"
            )
        self.tokenizer: Any = None
        self.adapter = read_adapter(adapter) if isinstance(adapter, str | Path) else adapter
        if isinstance(model, (str, Path)):
            self.name = str(model)
            if self.adapter is not None:
                check_peft()
                check_adapter(self.adapter, model, revision)
            self.model, self.tokenizer = load_causal_lm(
                model, revision, device, dtype, device_map=device_map
            )
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
        self.head = linear_head(self.model) or OwnLogits(self.model)
        self.batch_tokens = batch_tokens
        self.share_prefixes = self.head.trees and _full_attention(self.model.config)
        config = self.model.config.get_text_config()
        # A token id needs an embedding; the head may have more rows than the embedding, or fewer.
        embeddings = self.model.get_input_embeddings().weight.shape[0]
        self.vocab_size = min(int(embeddings), self.head.vocab_size)
        self.context_length: int | None = getattr(config, "max_position_embeddings", None)

    @property
    def dtype(self) -> str:
        """The name of the type of the head's weight, such as "bfloat16"."""
        return str(self.head.dtype).removeprefix("torch.")

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
        one = Distribution(temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p)
        sequences = self.check(prompts, completions)
        found: dict[str, Any] = {}
        done = 0
        for part in self.stream(sequences, [one], per_token=[per_token]):
            (scores,) = part.scores
            for name, values in scores._asdict().items():
                if values is None:
                    continue
                if name not in found:
                    empty = isinstance(values, np.ndarray)
                    found[name] = (
                        np.empty(len(prompts), values.dtype) if empty else [None] * len(prompts)
                    )
                if isinstance(values, np.ndarray):
                    found[name][part.which] = values
                else:
                    for at, value in zip(part.which, values, strict=True):
                        found[name][at] = value
            done += len(part.which)
            if progress is not None:
                progress(done, len(prompts))
        if not found:
            return sequence_scores(np.empty(0, np.int64), _no_tokens(one), per_token=per_token)
        return SequenceScores(**found)

    def stream(
        self,
        sequences: Sequences,
        distributions: Sequence[Distribution],
        *,
        per_token: Sequence[bool] = (),
    ) -> Iterator[Scored]:
        """Yields the scores of sequences after each forward pass, which serves all distributions.

        Args:
            sequences: as `check` gives them.
            distributions: at least one.
            per_token: for each distribution, whether its scores hold the arrays of each token; by
                default none.
        """
        tokens = per_token or [False] * len(distributions)
        forward = Forward(self.head.decoder, self.head.device, self.model.dtype)
        for batch in self._plan(sequences):
            with torch.inference_mode():
                values = self._values(forward, batch, distributions)
            lengths = sequences.lengths[batch.chosen]
            which, places = sequences.pairs(batch.chosen)
            scores = [
                _taken(sequence_scores(lengths, each, per_token=wanted), places)
                for each, wanted in zip(values, tokens, strict=True)
            ]
            yield Scored(which, scores)

    def _plan(self, sequences: Sequences) -> Iterator[TokenBatch]:
        if not self.share_prefixes:
            return plan_batches(sequences, self.batch_tokens)
        if worth_sharing(sequences):
            return plan_trees(sequences, self.batch_tokens)
        return plan_shared(sequences, self.batch_tokens)

    def _values(
        self, forward: Forward, batch: TokenBatch, distributions: Sequence[Distribution]
    ) -> list[TokenValues]:
        """The statistics of the completion tokens of a batch."""
        if not len(batch.targets):
            return [_no_tokens(each) for each in distributions]
        targets = torch.from_numpy(batch.targets).to(self.head.device)
        rows = forward.hidden(batch).to(self.head.device)
        values = token_values(self.head, rows, targets, distributions)
        return values if batch.rows is None else [_at(each, batch.rows) for each in values]

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


def _at(values: TokenValues, places: Ids) -> TokenValues:
    """The statistics at some places."""
    return TokenValues(
        values.logprob[places],
        values.entropy[places],
        None if values.outside is None else values.outside[places],
        None if values.kept is None else values.kept[places],
    )


def _no_tokens(distribution: Distribution) -> TokenValues:
    none = np.empty(0, np.float32)
    cut = distribution.cut
    return TokenValues(none, none, np.empty(0, np.bool_) if cut else None, none if cut else None)


def _taken(scores: SequenceScores, places: Ids) -> SequenceScores:
    """The scores at some places."""

    def take(values: Any) -> Any:
        if values is None:
            return None
        return values[places] if isinstance(values, np.ndarray) else [values[at] for at in places]

    return SequenceScores(*(take(values) for values in scores))


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
