"""The public functions and the losses."""

import io

import numpy as np
from hypothesis import strategies as st

import wbce
from hostile import labels
from hostile.models import N
from hostile.of_labels import ABOUT_Y
from hostile.registry import kind
from hostile.rules import ending
from hostile.values import NUMBERS, mostly
from wbce.losses import LOSSES
from wbce.losses._registry import arguments_of

TWO_SHARES = st.one_of(
    st.floats(0, 1).map(lambda p: [p, 1 - p]),
    st.lists(st.floats(0, 1), min_size=2, max_size=2),
)
WEIGHTS = mostly(st.none() | st.sampled_from(sorted(labels.WEIGHTS.items())))


@kind(
    proba=mostly(st.lists(TWO_SHARES, min_size=2, max_size=5)),
    prior=mostly(TWO_SHARES | st.just([0.5, 0.5])),
    weight=WEIGHTS,
)
def estimate_prior(proba, prior, weight):
    if isinstance(weight, tuple) and len(weight) == 2 and callable(weight[1]):
        weight = weight[1](len(proba) if isinstance(proba, list) and len(proba) > 1 else 2)

    def act():
        found = wbce.estimate_prior(proba, prior, sample_weight=weight)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found.sum(), 1, rtol=1e-9)

    about = ("proba", "prior", "weight", "sample")
    return ending(act, about=about, inputs=[proba, prior, weight])


@kind(
    y=mostly(
        st.sampled_from(sorted(labels.STRANGE.items())).map(lambda what: what[1](N))
        | labels.label_sets().map(lambda names: [*names] * (N // len(names)))
    ),
    weight=WEIGHTS,
)
def print_imbalance(y, weight):
    if isinstance(weight, tuple) and len(weight) == 2 and callable(weight[1]):
        weight = weight[1](N)

    def act():
        out = io.StringIO()
        wbce.print_imbalance(y, sample_weight=weight, file=out)
        words = out.getvalue().split()
        assert "nan" not in words
        assert "inf" not in words

    return ending(act, about=(*ABOUT_Y, "weight", "inconsistent"), inputs=[y, weight])


@kind(size=mostly(st.integers(-5, 100)))
def set_trace_cache_size(size):
    try:
        return ending(lambda: wbce.set_trace_cache_size(size), about=("size",))
    finally:
        wbce.set_trace_cache_size(64)


VALUES = st.one_of(
    NUMBERS, st.booleans(), st.lists(NUMBERS, min_size=2, max_size=2),
    st.floats(0, 1), st.lists(st.floats(0.1, 10), min_size=2, max_size=3),
    st.sampled_from(["sum", "mean", "none", "float64", "nonsense"]),
)  # fmt: skip
NEEDED = {
    "cost_sensitive": {"cost_matrix": [[0, 1], [9, 0]]},
    "logit_adjusted": {"class_prior": [3, 1]},
    "ldam": {"class_counts": [3, 1]},
}
LOSS_AND_ARGUMENTS = st.sampled_from(sorted(LOSSES)).flatmap(
    lambda name: st.tuples(
        st.just(name),
        st.dictionaries(
            st.sampled_from(arguments_of(LOSSES[name])), mostly(VALUES), min_size=1, max_size=2
        ),
    )
)


@kind(given=LOSS_AND_ARGUMENTS, columns=st.sampled_from([1, 1, 3]))
def losses(given, columns):
    name, arguments = given
    cls = LOSSES[name]
    arguments = {"from_logits": True, **NEEDED.get(name, {}), **arguments}
    z = np.array([[-30.0], [0.0], [3.0]]) if columns == 1 else np.eye(3) * 20

    def act():
        loss = cls(**arguments)
        y = np.array([0, 1, columns - 1 or 1])
        if loss.multi_label:
            y = y[:, None] if columns == 1 else np.eye(3)
        assert np.isfinite(np.asarray(loss(y, z))).all()
        again = cls.from_config(loss.get_config())
        assert again.get_config() == loss.get_config()

    about = (*arguments, cls.__name__, "label", "class", "logit")
    return ending(act, about=about, inputs=[arguments])
