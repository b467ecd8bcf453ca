"""The small Llama, and a batched sampler with a key/value cache that reads its weights directly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast


def build_model(
    tokenizer: PreTrainedTokenizerFast, *, hidden: int, layers: int, heads: int, context: int
) -> LlamaForCausalLM:
    size = -(-len(tokenizer) // 8) * 8  # padded, so that matrix kernels see a multiple of 8
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=hidden,
        intermediate_size=3 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        attention_bias=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


@dataclass(slots=True)
class Drawn:
    """One completion: its token ids, the end token included if it got there, and their log-probs.

    `logprobs` (nats) are of the untempered, untruncated distribution.
    """

    tokens: list[int]
    logprobs: list[float]
    finished: bool


def _nucleus(probabilities: torch.Tensor, top_p: float) -> torch.Tensor:
    """Zeroes the probabilities outside the smallest set of tokens of probability `top_p`."""
    ordered, order = probabilities.sort(dim=-1, descending=True)
    outside = ordered.cumsum(-1) - ordered >= top_p
    return torch.zeros_like(probabilities).scatter_(-1, order, ordered.masked_fill(outside, 0.0))


class Sampler:
    """Draws completions from a `LlamaForCausalLM` with one key and one value cache per layer.

    Prompts of one batch may differ in length (left padding); rows that ended leave the batch.
    """

    def __init__(self, model: LlamaForCausalLM, *, generator: torch.Generator) -> None:
        self.model = model
        self.generator = generator
        config = model.config
        self.heads = config.num_attention_heads
        self.head_dim = config.hidden_size // self.heads
        theta = config.rope_parameters["rope_theta"]
        frequencies = theta ** -(torch.arange(0, self.head_dim, 2).float() / self.head_dim)
        angles = torch.arange(config.max_position_embeddings).float()[:, None] * frequencies
        self.cos = torch.cat([angles.cos(), angles.cos()], dim=-1)
        self.sin = torch.cat([angles.sin(), angles.sin()], dim=-1)

    def _rotate(self, x: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        half = self.head_dim // 2
        turned = torch.cat([-x[..., half:], x[..., :half]], dim=-1)
        return x * self.cos[positions][:, None] + turned * self.sin[positions][:, None]

    def _forward(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        caches: list[tuple[torch.Tensor, torch.Tensor]],
        start: int,
        mask: torch.Tensor,
    ) -> torch.Tensor:
        """Logits [rows, vocabulary] after the last of `ids` [rows, length]; fills the caches."""
        stack = self.model.model
        rows, length = ids.shape
        end = start + length
        x = stack.embed_tokens(ids)
        for layer, (keys, values) in zip(stack.layers, caches, strict=True):
            attention = layer.self_attn
            normed = layer.input_layernorm(x)
            shape = (rows, length, self.heads, self.head_dim)
            query = attention.q_proj(normed).view(shape).transpose(1, 2)
            key = attention.k_proj(normed).view(shape).transpose(1, 2)
            keys[:, :, start:end] = self._rotate(key, positions)
            values[:, :, start:end] = attention.v_proj(normed).view(shape).transpose(1, 2)
            mixed = F.scaled_dot_product_attention(
                self._rotate(query, positions),
                keys[:, :, :end],
                values[:, :, :end],
                attn_mask=mask,
            )
            x = x + attention.o_proj(mixed.transpose(1, 2).reshape(rows, length, -1))
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        return self.model.lm_head(stack.norm(x[:, -1]))

    @torch.no_grad()
    def draw(
        self,
        prompts: list[list[int]],
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
        max_tokens: int,
    ) -> list[Drawn]:
        """One completion of each prompt, in the order given."""
        eos = self.model.config.eos_token_id
        pad = self.model.config.pad_token_id
        longest = max(map(len, prompts))
        padding = torch.tensor([longest - len(p) for p in prompts])
        ids = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts])
        positions = (torch.arange(longest)[None] - padding[:, None]).clamp_min(0)
        capacity = longest + max_tokens
        shape = (len(prompts), self.heads, capacity, self.head_dim)
        caches = [
            (torch.zeros(shape), torch.zeros(shape))
            for _ in range(self.model.config.num_hidden_layers)
        ]
        column = torch.arange(capacity)
        causal = column[None, :longest] <= column[:longest, None]
        visible = (column[None, :longest] >= padding[:, None])[:, None, None] & causal[None, None]
        # A padding row sees itself, so that its softmax has something to divide by.
        visible = visible | torch.eye(longest, dtype=torch.bool)[None, None]
        logits = self._forward(ids, positions, caches, 0, visible)
        alive = torch.arange(len(prompts))
        out = torch.full((len(prompts), max_tokens), pad)
        logprobs = torch.zeros(len(prompts), max_tokens)
        lengths = torch.full((len(prompts),), max_tokens)
        finished = torch.zeros(len(prompts), dtype=torch.bool)
        done = torch.zeros(len(prompts), dtype=torch.bool)
        for step in range(max_tokens):
            probabilities = torch.softmax(logits / temperature, dim=-1)
            if top_p < 1.0:
                probabilities = _nucleus(probabilities, top_p)
            # argmax p / Exp(1) draws from p (the exponential race), faster than torch.multinomial.
            race = torch.empty_like(probabilities).exponential_(generator=self.generator)
            token = (probabilities / race).argmax(-1)
            token = torch.where(done, pad, token)
            out[alive, step] = token
            logprobs[alive, step] = logits.gather(-1, token[:, None])[:, 0] - logits.logsumexp(
                dim=-1
            )
            ended = (token == eos) & ~done
            lengths[alive[ended]] = step + 1
            finished[alive[ended]] = True
            done = done | ended
            if bool(done.all()) or step + 1 == max_tokens:
                break
            end = longest + step + 1
            if step % 4 == 3 and float(done.float().mean()) > 0.1:
                keep = (~done).nonzero()[:, 0]
                alive, done, padding, token = alive[keep], done[keep], padding[keep], token[keep]
                caches = [(k[keep], v[keep]) for k, v in caches]
            mask = (column[None, :end] >= padding[:, None])[:, None, None]
            position = (end - 1 - padding)[:, None]
            logits = self._forward(token[:, None], position, caches, end - 1, mask)
        return [
            Drawn(out[n, :size].tolist(), logprobs[n, :size].tolist(), bool(finished[n]))
            for n, size in enumerate(lengths.tolist())
        ]
