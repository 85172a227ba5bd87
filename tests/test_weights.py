import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from wbce import weights

COUNTS = np.array([90.0, 10.0])


def of(counts=COUNTS, classes=(0, 1), positive=1, **given):
    return weights.class_weight_vector(counts, classes, positive=positive, **given)


def test_balanced_is_scikit_learns():
    y = np.repeat([0, 1, 2], [50, 30, 5])
    counts = weights.class_counts(y, 3, np.ones(len(y)))
    expected = compute_class_weight("balanced", classes=np.arange(3), y=y)
    result = of(counts, (0, 1, 2), None, class_weight="balanced")
    np.testing.assert_allclose(result, expected, rtol=1e-14)


def test_weights_have_mean_one_over_the_population():
    for given in ({"pos_weight": 7.0}, {"alpha": 0.9}, {"class_weight": {0: 1, 1: 50}}, {}):
        assert of(**given) @ COUNTS == pytest.approx(COUNTS.sum(), rel=1e-14)


def test_three_ways_to_say_one_thing():
    same = [
        of(pos_weight=9.0),
        of(alpha=0.9),
        of(class_weight={0: 1.0, 1: 9.0}),
        of(class_weight="balanced"),
        of(pos_weight="balanced"),
    ]
    for other in same[1:]:
        np.testing.assert_allclose(other, same[0], rtol=1e-13)


def test_positive_class_may_be_the_first():
    w = of(np.array([10.0, 90.0]), ("bad", "good"), positive=0, pos_weight=9)
    assert w[0] / w[1] == pytest.approx(9)
    w = of(np.array([10.0, 90.0]), ("bad", "good"), positive=0, alpha=0.8)
    assert w[0] / w[1] == pytest.approx(4)


def test_counts_are_of_the_weighted_population():
    counts = weights.class_counts(np.array([0, 1, 1]), 2, np.array([4.0, 0.5, 0.5]))
    np.testing.assert_array_equal(counts, [4, 1])


def test_row_weights_are_products_with_mean_one():
    w = weights.row_weights(np.array([0, 1, 1]), np.array([1.0, 3.0]), np.array([2.0, 1.0, 2.0]))
    np.testing.assert_allclose(w, np.array([2, 3, 6]) * 3 / 11)


@pytest.mark.parametrize(
    ("counts", "w", "expected"),
    [
        ([90, 10], [1, 2], False),
        ([90, 10], [2, 1], True),
        ([50, 50], [2, 1], False),
        ([90, 10], [1, 1], False),
        ([5, 50, 20], [1, 1.5, 3], True),
    ],
)
def test_favouring_the_majority_is_noticed(counts, w, expected):
    assert weights.favours_majority(np.array(w, float), np.array(counts, float)) is expected


@pytest.mark.parametrize("bad", [0, -1, np.nan, np.inf, -np.inf, "nine", None, [1]])
def test_a_weight_that_is_no_positive_number_is_refused(bad):
    with pytest.raises(ValueError, match=r"class_weight\[1\].*1 - w.*-8"):
        of(class_weight={0: 1, 1: bad})
    if bad is not None and bad != "nine":
        with pytest.raises(ValueError, match=r"pos_weight.*1 - w.*-8"):
            of(pos_weight=bad)


def test_two_ways_at_once_are_refused():
    with pytest.raises(ValueError, match="drop pos_weight"):
        of(class_weight="balanced", pos_weight=3)
    with pytest.raises(ValueError, match="drop alpha"):
        of(pos_weight=3, alpha=0.5)


def test_labels_missing_or_unknown_are_named():
    with pytest.raises(ValueError, match=r"gives no weight to: \['bad'\]"):
        of(classes=("bad", "good"), class_weight={"good": 1})
    with pytest.raises(ValueError, match=r"labels that y does not have: \['God'\]"):
        of(classes=("bad", "good"), class_weight={"good": 1, "bad": 1, "God": 2})


def test_unknown_strategies_are_refused_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'balanced'"):
        of(class_weight="balance")
    with pytest.raises(ValueError, match="Did you mean 'balanced'"):
        of(pos_weight="ballanced")
    with pytest.raises(ValueError, match="Pass a dict"):
        of(class_weight=3.0)


@pytest.mark.parametrize("alpha", [0, 1, -0.1, 1.5, np.nan, "0.5"])
def test_alpha_is_a_share(alpha):
    with pytest.raises(ValueError, match="0 < alpha < 1"):
        of(alpha=alpha)


def test_pos_weight_needs_two_classes():
    for given in ({"pos_weight": 2}, {"alpha": 0.3}):
        with pytest.raises(ValueError, match="y has 3 classes"):
            of(np.ones(3), (0, 1, 2), None, **given)


# ---------------------------------------------------------------- strategies


def test_strategies_are_the_published_formulas():
    counts = np.array([900.0, 90.0, 10.0])
    n = counts.sum()
    expected = {
        "balanced": n / (3 * counts),
        "sqrt": np.sqrt(n / (3 * counts)),
        "log": np.log(1 + n / counts),
        "effective": (1 - (n - 1) / n) / (1 - ((n - 1) / n) ** counts),
        ("effective", 0.99): (1 - 0.99) / (1 - 0.99**counts),
        ("effective", 0): np.ones(3),
    }
    for strategy, reference in expected.items():
        result = of(counts, (0, 1, 2), None, class_weight=strategy)
        np.testing.assert_allclose(result / result[0], reference / reference[0], rtol=1e-9)
        assert result @ counts == pytest.approx(n)


@pytest.mark.parametrize("strategy", [*weights.STRATEGIES, ("effective", 0.9)])
def test_a_strategy_for_pos_weight_is_its_ratio(strategy):
    np.testing.assert_allclose(of(pos_weight=strategy), of(class_weight=strategy), rtol=1e-14)


def test_effective_weights_lie_between_none_and_balanced():
    nearly_one = of(class_weight=("effective", 1 - 1e-9))
    np.testing.assert_allclose(nearly_one, of(class_weight="balanced"), rtol=1e-6)
    np.testing.assert_allclose(of(class_weight=("effective", 1e-9)), 1, rtol=1e-6)


def test_effective_counts_rows():
    with pytest.raises(ValueError, match="sample weights add up to 1"):
        of(np.array([0.9, 0.1]), class_weight="effective")
    of(np.array([0.9, 0.1]), class_weight=("effective", 0.5))


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (("effective", 1.0), "0 <= beta < 1"),
        (("effective", "x"), "is not allowed"),
        (("balanced", 0.5), "only 'effective' takes a parameter"),
        (("efective", 0.5), "Did you mean 'effective'"),
        ("squared", "Known: .*sqrt"),
    ],
)
def test_strategies_that_are_none(strategy, message):
    with pytest.raises(ValueError, match=message):
        of(class_weight=strategy)


# ---------------------------------------------------------------- several labels

LABEL_COUNTS = np.array([[90.0, 10.0], [50.0, 50.0], [20.0, 80.0]])


def pairs(**given):
    return weights.label_weight_pairs(LABEL_COUNTS, **given)


@pytest.mark.parametrize(
    "given",
    [
        {"pos_weight": [9.0, 1.0, 0.25]},
        {"pos_weight": {0: 9.0, 2: 0.25}},
        {"pos_weight": "balanced"},
        {"class_weight": "balanced"},
        {"class_weight": [{0: 1, 1: 9}, {0: 1, 1: 1}, {0: 4, 1: 1}]},
        {"alpha": [0.9, 0.5, 0.2]},
    ],
)
def test_ways_to_weigh_labels(given):
    result = pairs(**given)
    np.testing.assert_allclose(result[:, 1] / result[:, 0], [9, 1, 0.25], rtol=1e-12)
    np.testing.assert_allclose((result * LABEL_COUNTS).sum(axis=1), 100, rtol=1e-12)


def test_one_value_is_for_all_labels():
    np.testing.assert_allclose(pairs(pos_weight=4), pairs(pos_weight=[4, 4, 4]))
    np.testing.assert_allclose(pairs(), np.ones((3, 2)))
    np.testing.assert_allclose(
        pairs(class_weight=("effective", 0.9)), pairs(class_weight=[("effective", 0.9)] * 3)
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pos_weight": [1, 2]}, "has 2 values, but y has 3 labels"),
        ({"pos_weight": {5: 2}}, r"labels that y does not have: \[5\]"),
        ({"pos_weight": [1, 2, -1]}, "pos_weight=-1"),
        ({"class_weight": {0: 1, 2: 3}}, "names labels that y does not have"),
        ({"pos_weight": 2, "alpha": 0.3}, "three ways to say one thing"),
    ],
)
def test_weights_of_labels_that_are_wrong(given, message):
    with pytest.raises(ValueError, match=message):
        pairs(**given)


def test_a_strategy_needs_rows_with_and_without_each_label():
    with pytest.raises(ValueError, match="label 1 has 0 rows with and 100 without"):
        weights.label_weight_pairs(np.array([[90, 10.0], [100, 0]]), pos_weight="sqrt")


def test_counts_of_labels_are_of_the_weighted_population():
    y = np.array([[0, 1], [1, 1], [0, 0]])
    result = weights.label_counts(y, np.array([1.0, 2.0, 4.0]))
    np.testing.assert_array_equal(result, [[5, 2], [4, 3]])


def test_strategies_need_all_rows():
    assert weights.needs_all_rows("sqrt", None) == "class_weight='sqrt'"
    assert "effective" in weights.needs_all_rows(None, ("effective", 0.9))
    assert weights.needs_all_rows(None, [1, "log"]) == "pos_weight=[1, 'log']"
    assert weights.needs_all_rows({0: 1, 1: 2}, None) is None
    assert weights.needs_all_rows(None, [1, 2]) is None
