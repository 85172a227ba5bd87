"""Every loss by name: what the estimator tells it, undoes and decides; and what goes wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit
from sklearn.base import clone
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV

from wbce import CalibrationWarning, WeightedKerasClassifier
from wbce.losses import LDAM, LOSSES, CalibratedPosterior, Focal, Tversky, WeightedCrossentropy

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 4))
Y = (X[:, 0] + RNG.normal(size=400) > 1.2).astype(int)
Y3 = np.digitize(X[:, 0] + 0.3 * RNG.normal(size=400), [0.5, 1.3])


def clf(model="mlp", **parameters):
    return WeightedKerasClassifier(
        model, **{"random_state": 0, "epochs": 5, "validation_split": 0.2, **parameters}
    )


def network(n, activation=None):
    def build():
        return keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(8, "relu"),
                keras.layers.Dense(n, activation),
            ]
        )

    return build


# ---------------------------------------------------------------- what a loss is told


@pytest.mark.parametrize(
    ("loss", "name"), [("logit_adjusted", "class_prior"), ("ldam", "class_counts")]
)
def test_class_shares_are_those_of_the_training_population(loss, name):
    w = np.where(Y == 1, 3.0, 1.0)
    shared = {"loss": loss, "validation_split": 0, "early_stopping": False}
    told = getattr(clf(**shared).fit(X, Y, sample_weight=w).model_.loss, name)
    np.testing.assert_allclose(told, [(Y == 0).sum(), 3 * (Y == 1).sum()])
    given = clf(**shared, **{f"loss__{name}": [7, 2]}).fit(X, Y)
    assert getattr(given.model_.loss, name) == [7, 2]
    with pytest.raises(ValueError, match=f"partial_fit sees a part. Pass loss__{name}"):
        clf(loss=loss).partial_fit(X, Y)
    clf(loss=loss, **{f"loss__{name}": [7, 2]}).partial_fit(X, Y)


def test_the_scale_of_costs_is_not_a_learning_rate():
    costs = np.array([[0, 1, 2], [5, 0, 1], [9, 3, 0]])
    shared = {"loss": "cost_sensitive", "optimizer": "sgd"}
    one = clf(cost_matrix=costs, **shared).fit(X, Y3)
    thousand = clf(cost_matrix=1000 * costs, **shared).fit(X, Y3)
    np.testing.assert_allclose(one.predict_proba(X), thousand.predict_proba(X), rtol=1e-5)
    np.testing.assert_array_equal(one.cost_matrix, costs)


@pytest.mark.parametrize("loss", list(LOSSES))
def test_a_search_over_every_loss(loss):
    costs = {"cost_matrix": [[0, 1], [9, 0]]} if loss == "cost_sensitive" else {}
    weights = [None] if costs else ["balanced", 20.0]
    search = GridSearchCV(
        clf(loss=loss, epochs=2, **costs),
        {"pos_weight": weights},
        scoring="average_precision",
        cv=2,
        error_score="raise",
    ).fit(X, Y)
    assert clone(search.best_estimator_).get_params() == search.best_estimator_.get_params()


@pytest.mark.parametrize(
    ("loss", "routed"),
    [
        ("asymmetric", {"gamma_neg": 2.0, "margin": 0.1}),
        ("logit_adjusted", {"tau": 0.5}),
        ("ldam", {"max_margin": 1.0, "scale": 2.0}),
        ("poly1", {"epsilon": 3.0}),
        ("tversky", {"alpha": 0.2, "beta": 0.8}),
        ("soft_fbeta", {"beta": 2.0}),
        ("smooth_ap", {"temperature": 0.5}),
        ("focal", {"gamma": [0.0, 3.0]}),
    ],
)
def test_arguments_by_route(loss, routed):
    given = {f"loss__{name}": value for name, value in routed.items()}
    model = clf(loss=loss, **given).fit(X, Y)
    config = model.model_.loss.get_config()
    assert {name: config[name] for name in routed} == routed


def test_a_gamma_for_each_class():
    model = clf(loss="focal", gamma=[0.0, 1.0, 4.0]).fit(X, Y3)
    assert model.model_.loss.gamma == [0.0, 1.0, 4.0]
    assert log_loss(Y3, model.predict_proba(X)) < 1.1


# ---------------------------------------------------------------- costs decide


def test_costs_set_the_threshold_of_two_classes():
    model = clf(cost_matrix=[[1, 3], [20, 2]]).fit(X, Y)
    assert model.threshold_ == pytest.approx(2 / (2 + 18))
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X)[:, 1] > 0.1)
    assert clf(cost_matrix=[[0, 1], [9, 0]], threshold=0.3).fit(X, Y).threshold_ == 0.3
    never = clf(cost_matrix=[[0, 0], [9, 0]]).fit(X, Y)  # an alarm costs nothing
    assert never.predict(X).all()


@pytest.mark.parametrize("loss", ["weighted_bce", "cost_sensitive"])
def test_classes_are_decided_by_least_expected_cost(loss):
    costs = np.array([[0, 1, 2], [5, 0, 1], [30, 3, 0]])
    model = clf(loss=loss, cost_matrix=costs).fit(X, Y3)
    expected = model.predict_proba(X) @ costs
    np.testing.assert_array_equal(model.predict(X), expected.argmin(axis=1))
    np.testing.assert_allclose(model.decision_function(X), -expected, rtol=1e-9)


def test_costs_are_by_label_whichever_is_positive():
    labels = np.where(Y == 1, "bad", "good")  # "bad" is the first class, and the positive one
    model = clf(cost_matrix=[[0, 9], [1, 0]]).fit(X, labels)
    assert model.pos_label_ == "bad"
    assert model.threshold_ == pytest.approx(0.1)
    np.testing.assert_array_equal(model.predict(X) == "bad", model.predict_proba(X)[:, 0] > 0.1)


# ---------------------------------------------------------------- probabilities


def test_what_the_asymmetric_loss_cannot_tell_is_no_certainty():
    """With a weight of 20 and a margin of 0.05 no finite logit stands for posteriors above 0.5."""
    x = RNG.integers(0, 2, (4000, 1)).astype(float)
    y = (RNG.random(4000) < np.where(x[:, 0] == 1, 0.7, 0.02)).astype(int)
    model = clf(loss="asymmetric", pos_weight=20.0, epochs=60, early_stopping=False).fit(x, y)
    low, high = model.predict_proba([[0.0], [1.0]])[:, 1]
    assert low == pytest.approx(0.02, abs=0.01)
    assert 0.45 < high < 0.8


@pytest.mark.parametrize(
    "loss", ["categorical_focal_crossentropy", "kl_divergence", "mse", "categorical_crossentropy"]
)
@pytest.mark.parametrize("y", [Y, Y3])
def test_keras_losses_that_compare_columns(loss, y):
    model = clf(network(int(y.max()) + 1, "softmax"), loss=loss, epochs=40).fit(X, y)
    assert roc_auc_score(y == y.max(), model.predict_proba(X)[:, -1]) > 0.8


def test_an_output_that_is_the_probability_itself():
    model = clf(network(1), loss="mse", epochs=40).fit(X, Y)
    assert model.threshold_ == pytest.approx(0.5, abs=0.02)
    own = model.model_.predict(X, verbose=0).ravel()
    assert ((own > 0.5) == model.predict(X)).mean() > 0.98


def test_a_loss_that_is_no_measure_of_probabilities_is_calibrated():
    model = clf(network(3, "softmax"), loss="hinge", epochs=40).fit(X, Y3)
    assert isinstance(model._posterior, CalibratedPosterior)


def test_without_validation_rows_a_loss_without_a_map_is_spoken_of():
    shared = {"loss": "dice", "early_stopping": False}
    with pytest.warns(CalibrationWarning, match="Pass X_val and y_val.*network's own output"):
        model = clf(**shared).fit(X, Y)
    assert clf(calibrate=False, **shared).fit(X, Y) is not None
    with pytest.raises(ValueError, match="no map of its own"):
        clf(pos_weight=2, **shared).fit(X, Y)
    judged = clf(**shared).fit(X, Y, X_val=X, y_val=Y)
    assert isinstance(judged._posterior, CalibratedPosterior)
    assert not isinstance(model._posterior, CalibratedPosterior)


@pytest.mark.parametrize(
    "parameters",
    [
        {"loss": "tversky"},
        {"loss": "tversky", "early_stopping": False, "pos_weight": 3},
        {"loss": "focal", "pos_weight": 9},
        {"loss": "asymmetric", "early_stopping": False},
        {"loss": "smooth_ap", "threshold": 0.3},
        {"loss": "ldam", "class_weight": "effective"},
    ],
)
@pytest.mark.parametrize("y", [Y, Y3])
def test_decisions_are_the_same_whatever_probabilities_are_shown(parameters, y):
    if y is Y3 and ({"pos_weight", "threshold"} & {*parameters} or "asymm" in parameters["loss"]):
        pytest.skip("for two classes")
    shown = clf(**parameters).fit(X, y)
    raw = clf(calibrate=False, **parameters).fit(X, y)
    np.testing.assert_array_equal(shown.predict(X), raw.predict(X))
    np.testing.assert_array_equal(shown.decision_function(X), raw.decision_function(X))


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration_of_a_loss_that_has_a_map_trains_the_same_network(method):
    mapped = clf(loss="focal", pos_weight=9).fit(X, Y)
    calibrated = clf(loss="focal", pos_weight=9, calibrate=method).fit(X, Y)
    for one, other in zip(
        mapped.model_.get_weights(), calibrated.model_.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(mapped.predict(X), calibrated.predict(X))
    assert isinstance(calibrated._posterior, CalibratedPosterior)


def test_raw_output_is_the_networks():
    for loss in ("focal", "tversky"):
        model = clf(loss=loss, calibrate=False).fit(X, Y)
        own = model.model_.predict(X, verbose=0).ravel()
        np.testing.assert_allclose(model.predict_proba(X)[:, 1], own, rtol=1e-5)


# ---------------------------------------------------------------- deferred weights


def test_weights_are_deferred():
    shared = {"loss": "ldam", "epochs": 10, "validation_split": 0, "early_stopping": False}
    first = clf(**shared).fit(X, Y)
    deferred = clf(pos_weight=9, loss__deferral=0.5, **shared).fit(X, Y)
    at_once = clf(pos_weight=9, **shared).fit(X, Y)
    np.testing.assert_allclose(deferred.history_["loss"][:5], first.history_["loss"][:5], rtol=1e-5)
    assert deferred.history_["loss"][5] != pytest.approx(first.history_["loss"][5], rel=1e-2)
    assert deferred.pos_weight_ == pytest.approx(9)
    assert deferred.threshold_ == pytest.approx(at_once.threshold_)
    judged = clf(pos_weight=9, loss__deferral=0.5, **{**shared, "validation_split": 0.2})
    judged.set_params(early_stopping=True).fit(X, Y)
    assert judged.best_epoch_ > 5  # before, the weights to undo are others
    assert len(judged.history_["val_log_loss"]) == judged.n_iter_ - 5


def test_keras_own_fit_defers_them_too():
    shared = {
        "loss": "ldam", "epochs": 6, "validation_split": 0, "early_stopping": False,
        "pos_weight": 9, "loss__deferral": 0.5, "shuffle": False, "optimizer": "sgd",
    }  # fmt: skip
    compiled = clf(**shared).fit(X, Y)
    by_keras = clf(metrics=["accuracy"], **shared).fit(X, Y)
    np.testing.assert_allclose(by_keras.history_["loss"], compiled.history_["loss"], rtol=1e-4)


def test_an_instance_with_weights_of_its_own_defers_them():
    losses = [LDAM(class_weight=(1, 9), deferral=d) for d in (0.0, 0.8)]
    shared = {"epochs": 5, "validation_split": 0, "early_stopping": False}
    at_once, deferred = (clf(loss=loss, **shared).fit(X, Y) for loss in losses)
    assert at_once.history_["loss"][0] != pytest.approx(deferred.history_["loss"][0], rel=1e-2)
    assert losses[1].weighting == 1.0


# ---------------------------------------------------------------- going on


def test_going_on_follows_the_parameters():
    model = clf(loss="focal", warm_start=True).fit(X, Y)
    optimizer = model.model_.optimizer
    iterations = int(optimizer.iterations)
    model.set_params(gamma=0.5, label_smoothing=0.1).fit(X, Y)
    assert (model.model_.loss.gamma, model.model_.loss.label_smoothing) == (0.5, 0.1)
    assert model._posterior.loss.gamma == 0.5
    assert model.model_.optimizer is optimizer
    assert int(optimizer.iterations) > iterations
    model.set_params(loss="tversky", label_smoothing=0.0).fit(X, Y)
    assert type(model.model_.loss) is Tversky
    model.set_params(loss="cost_sensitive", cost_matrix=[[0, 1], [9, 0]]).fit(X, Y)
    model.set_params(cost_matrix=[[0, 9], [1, 0]]).fit(X, Y)
    ratio = np.array(model.model_.loss.cost_matrix)
    assert ratio[0, 1] / ratio[1, 0] == pytest.approx(9)
    model.partial_fit(X, Y)
    with pytest.raises(ValueError, match="warm_start=False"):
        clf(loss="mse", warm_start=True).fit(X, Y).set_params(loss="focal").fit(X, Y)


@pytest.mark.parametrize("loss", ["logit_adjusted", "ldam", "cost_sensitive"])
def test_a_fit_that_fails_leaves_the_loss_and_its_posterior(loss):
    costs = {"cost_matrix": [[0, 1], [9, 0]]} if loss == "cost_sensitive" else {}

    class Fails(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("enough")

    model = clf(loss=loss, warm_start=True, **costs).fit(X, Y)
    before, told = model.predict_proba(X), model.model_.loss.get_config()
    if costs:
        model.set_params(cost_matrix=[[0, 1], [2, 0]])
    more = np.concatenate([np.arange(400), np.flatnonzero(Y == 1)])
    with pytest.raises(RuntimeError, match="enough"):
        model.fit(X[more], Y[more], callbacks=[Fails()])
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert model.model_.loss.get_config() == told


def test_one_estimator_for_labels_and_then_for_classes():
    model = clf(epochs=2).fit(X, np.column_stack([Y, 1 - Y, Y]))
    model.set_params(loss="cost_sensitive", cost_matrix=[[0, 1], [9, 0]]).fit(X, Y)
    assert model.threshold_ == pytest.approx(0.1)


def test_one_label_in_every_row_is_still_a_label():
    model = clf(epochs=2).fit(X, np.eye(3, dtype=int)[Y3])
    assert model.predict_proba(X).shape == (400, 3)
    assert model.model_.loss.multi_label


@pytest.mark.parametrize(
    "routed",
    [
        {"loss__pos_weight": [2, 3, 4]},
        {"loss__gamma": [[1, 3], [0, 2], [1, 1]]},
        {"loss__class_weight": [[1, 2], [1, 3], [1, 4]]},
        {"gamma": [0.0, 1, 2]},
    ],
)
def test_arguments_of_labels_by_route(routed):
    y = np.column_stack([Y, 1 - Y, Y3 == 0]).astype(int)
    model = clf(loss="focal", epochs=2, **routed).fit(X, y)
    assert model.predict_proba(X).shape == (400, 3)


# ---------------------------------------------------------------- going wrong

WRONG = {
    "no costs": ({"loss": "cost_sensitive"}, Y, "needs cost_matrix"),
    "costs of another size": (
        {"cost_matrix": [[0, 1], [1, 0]]},
        Y3,
        r"\(2, 2\), but y has 3 classes, \[0, 1, 2\]",
    ),
    "costs of nothing": ({"cost_matrix": [[0, 0], [0, 0]]}, Y, "all decisions are as good"),
    "costs and weights": (
        {"loss": "cost_sensitive", "cost_matrix": [[0, 1], [9, 0]], "class_weight": "balanced"},
        Y,
        "The loss has a cost matrix, and the estimator has class weights",
    ),
    "weights twice": (
        {"loss": WeightedCrossentropy(pos_weight=3), "pos_weight": 2},
        Y,
        "class weights of its own",
    ),
    "no softmax form": ({"loss": "asymmetric"}, Y3, "Asymmetric has no form for one logit a class"),
    "nothing to defer": ({"loss": "ldam", "loss__deferral": 0.5}, Y, "there are none"),
    "smoothing of a batch loss": (
        {"loss": "tversky", "label_smoothing": 0.1},
        Y,
        "would be ignored by loss='tversky'",
    ),
    "too few rows to calibrate on": (
        {"loss": "tversky", "validation_split": 0.01},
        Y,
        "no posterior of its own, needs validation rows, at least 5",
    ),
    "what a loss is": ({"from_logits": 1}, Y, "from_logits=1 is not allowed"),
    "too wide a margin": (
        {"loss": "ldam", "loss__scale": 100.0},
        Y,
        "flat between such margins",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_refused(case):
    parameters, y, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        clf(**parameters).fit(X, y)


def test_parts_of_a_stream_have_no_rows_to_calibrate_on():
    with pytest.raises(ValueError, match="calibrate=True with loss='tversky' needs validation"):
        clf(loss="tversky").partial_fit(X, Y)
    with pytest.raises(ValueError, match="deferral is a share of the epochs"):
        clf(loss="ldam", loss__deferral=0.5, pos_weight=2).partial_fit(X, Y)
    clf(loss="tversky", calibrate=False).partial_fit(X, Y)


def test_a_label_that_no_validation_row_has():
    y = np.column_stack([Y, np.arange(400) < 2]).astype(int)
    with pytest.raises(ValueError, match="with and without label 1, and have 0 with it"):
        clf(loss="tversky").fit(X, y, X_val=X[2:], y_val=y[2:])


def test_outputs_that_are_no_probabilities():
    def build():
        return keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(1), keras.layers.BatchNormalization()]
        )

    with pytest.raises(tf.errors.InvalidArgumentError, match="probabilities are within"):
        clf(build, from_logits=False).fit(X, Y)


def test_rows_that_do_not_match():
    with pytest.raises(ValueError, match="1 labels were passed for 64 rows"):
        Focal(from_logits=True)(Y[:1], np.zeros((64, 1)))
    with pytest.raises(ValueError, match="3 weights were passed for 64 rows"):
        Tversky(from_logits=True)(Y[:64], np.zeros((64, 1)), sample_weight=np.ones(3))
    with pytest.raises(ValueError, match="count no mistake at all"):
        Tversky(0, 0)


def test_the_tie_is_where_the_network_is_undecided():
    model = clf(loss="poly1", pos_weight=9).fit(X, Y)
    z = model._logit_function(model._encode(X))
    np.testing.assert_array_equal(model.predict(X), z > 0)
    assert model.threshold_ == pytest.approx(
        float(expit(model._posterior.log_odds(np.zeros(1)))[0])
    )
