"""Counts come as number of samples, then number correct, and the base before the RL model.

All other arguments are keyword-only, because two arrays in the wrong order raise no error.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from rlvr_fast import metrics
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import Draws

# Positional parameters, besides those of `allowed`, and why they may be positional.
EXCEPTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "pass_at_k": (("num_samples", "num_correct", "k"), "the field's own notation"),
    "accessibility_bounds": (("base_state", "rl_state"), "one argument a model, base first"),
    "delta_se": (("base_pass_at_256", "rl_pass_at_1"), "one argument a model, base first"),
    "perplexity": (("logprob", "num_tokens"), "numerator, then denominator"),
    "ratio_interval": (("preserved", "expanded", "shrunk", "out"), "the papers' P, E, S, O"),
    "support_ratios": (("preserved", "expanded", "shrunk"), "the papers' P, E, S"),
    "SupportShift.from_counts": (("preserved", "expanded", "shrunk", "out"), "P, E, S, O"),
    "solvable_coverage": (("problems", "base_solved", "rl_solved"), "base before RL model"),
    "tilt": (("p", "beta"), "the tilted quantity, then the size of the tilt"),
}


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Functions, and methods of classes, that are public; constructors of records aside."""
    for name in metrics.__all__:
        thing = getattr(metrics, name)
        if inspect.isfunction(thing):
            yield name, thing
        elif inspect.isclass(thing):
            for key, value in vars(thing).items():
                method = getattr(value, "__func__", value)
                if inspect.isfunction(method) and not key.startswith("_"):
                    yield f"{name}.{key}", method
    yield "Draws", metrics.Draws.__init__


FUNCTIONS = {name: inspect.signature(function) for name, function in public_functions()}


def positional(signature: inspect.Signature) -> tuple[str, ...]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in signature.parameters.values() if p.kind in kinds]
    return tuple(name for name in names if name not in ("self", "cls"))


def allowed(names: tuple[str, ...]) -> bool:
    """Counts in their order, or at most one argument, which has no order."""
    return names in (("num_samples", "num_correct"), ("base", "rl")) or len(names) <= 1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_counts_are_positional(name: str) -> None:
    names = positional(FUNCTIONS[name])
    if name in EXCEPTIONS:
        assert names == EXCEPTIONS[name][0]
        assert not allowed(names), f"{name} needs no exception"
    else:
        assert allowed(names), f"{name} takes {names}: make all but the counts keyword-only"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_counts_have_one_form(name: str) -> None:
    parameters = list(FUNCTIONS[name].parameters)
    if "num_correct" in parameters:
        at = parameters.index("num_samples")
        assert parameters[at + 1] == "num_correct"
    if "rl" in parameters:
        at = parameters.index("base")
        assert parameters[at + 1] == "rl"
    for side in ("base", "rl"):
        assert f"{side}_samples" not in parameters, "take Draws"
        assert f"{side}_correct" not in parameters, "take Draws"


def test_exceptions_exist() -> None:
    assert set(EXCEPTIONS) <= set(FUNCTIONS)


# Every public function of two models, with the arguments it needs besides the counts.
OF_TWO_MODELS: dict[str, dict[str, Any]] = {
    "crossover": {},
    "discordance_test": {},
    "exchange_null": {},
    "expected_support_shift": {},
    "false_positive_rate": {},
    "fisher_tests": {},
    "fit_tilt": {},
    "pass_at_k_difference": {"k": [1, 2]},
    "plan": {},
    "reached_at_least": {},
    "support_interval": {"replicates": 100},
    "support_shift": {},
    "support_shift_bounds": {"base_undecided": 0, "rl_undecided": [0, 1, 0]},
    "tilt_null": {},
    "token_crossover": {"base_tokens": [3, 4, 5], "rl_tokens": [6, 5, 4], "replicates": 100},
}


# Its base and rl are values of each problem, not counts.
OF_VALUES = {"mean_difference_interval"}


def test_functions_of_two_models_are_all_tested() -> None:
    found = {name for name, signature in FUNCTIONS.items() if "rl" in signature.parameters}
    assert found - OF_VALUES == set(OF_TWO_MODELS)


@pytest.fixture(params=OF_TWO_MODELS)
def of_two_models(request: pytest.FixtureRequest) -> Callable[..., Any]:
    function, options = getattr(metrics, request.param), OF_TWO_MODELS[request.param]
    return lambda base, rl: function(base, rl, **options)


def test_functions_of_two_models_take_draws_or_pairs(of_two_models: Callable[..., Any]) -> None:
    base, rl = ([8, 8, 8], [3, 0, 1]), (9, [4, 2, 0])
    want = repr(of_two_models(Draws(*base), Draws(*rl)))
    assert repr(of_two_models(base, rl)) == want
    assert repr(of_two_models(Draws(*base), rl)) == want
    assert repr(of_two_models((8, np.array(base[1])), Draws(*rl))) == want


def test_functions_of_two_models_refuse_different_problems(
    of_two_models: Callable[..., Any],
) -> None:
    with pytest.raises(InvalidInputError, match="base and rl must describe the same problems"):
        of_two_models((8, [3, 0, 1]), (8, [4, 2]))


def test_functions_of_two_models_name_the_model_and_the_entry(
    of_two_models: Callable[..., Any],
) -> None:
    with pytest.raises(InvalidInputError, match="base_correct exceeds base_samples: entry 1"):
        of_two_models((8, [3, 9, 1]), (8, [4, 2, 0]))
    with pytest.raises(InvalidInputError, match="rl_correct must not be negative; entry 2"):
        of_two_models((8, [3, 0, 1]), (8, [4, 2, -1]))
