"""Every bad input gets an error that says what to do, and leaves the estimator as it was."""

import keras
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError

from wbce import WeightedKerasClassifier

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 3))
Y = (np.arange(120) % 6 == 0).astype(int)


def clf(**parameters):
    return WeightedKerasClassifier(**{"model": "mlp", "epochs": 1, "random_state": 0, **parameters})


def with_value(value):
    bad = X.copy()
    bad[3, 1] = value
    return bad


def network(units=1, activation=None, **compile_arguments):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units, activation)])
    if compile_arguments:
        model.compile(**compile_arguments)
    return model


TEXT = np.array([["a", "b", "c"]] * 120, dtype=object)

DATA = {
    "infinity in X": (with_value(np.inf), Y, ValueError, "infinity"),
    "too large for float32": (with_value(1e39), Y, ValueError, r"1e\+39.*Rescale"),
    "one class": (X, np.zeros(120), ValueError, "one class, 0.0"),
    "one sample": (X[:1], Y[:1], ValueError, "one class"),
    "no samples": (X[:0], Y[:0], ValueError, "0 sample"),
    "no columns": (X[:, :0], Y, ValueError, "0 feature"),
    "one dimension": (X[:, 0], Y, ValueError, "Reshape your data"),
    "complex X": (X + 1j, Y, ValueError, "Complex data not supported"),
    "sparse X": (csr_array(X), Y, TypeError, r"Sparse.*toarray\(\)"),
    "text in X": (TEXT, Y, ValueError, "OneHotEncoder"),
    "strings in X": (TEXT.astype(str), Y, ValueError, "OneHotEncoder"),
    "lengths that differ": (X, Y[:-1], ValueError, "inconsistent numbers of samples"),
    "continuous y": (X, X[:, 0], ValueError, "Unknown label type"),
    "NaN in y": (X, np.where(Y == 1, np.nan, 0.0), ValueError, "y contains NaN"),
    "no y": (X, None, ValueError, "requires y to be passed, but the target y is None"),
}


@pytest.mark.parametrize("case", DATA)
def test_data(case):
    bad_X, bad_y, error, message = DATA[case]
    model = clf()
    with pytest.raises(error, match=message):
        model.fit(bad_X, bad_y)
    assert not hasattr(model, "model_")


PARAMETERS = {
    "unknown loss": ({"loss": "focall"}, r"Did you mean 'focal'.*Known here: .*'weighted_bce"),
    "unknown strategy": ({"class_weight": "balance"}, "Did you mean 'balanced'"),
    "unknown pos_weight": ({"pos_weight": "auto"}, r"Known: \['balanced', 'effective'"),
    "unknown threshold": ({"threshold": "Auto"}, "Did you mean 'auto'"),
    "unknown threshold, far": ({"threshold": "best"}, "Known: a number in"),
    "zero pos_weight": ({"pos_weight": 0}, "1 - w"),
    "negative pos_weight": ({"pos_weight": -3}, "1 - w"),
    "NaN pos_weight": ({"pos_weight": np.nan}, "1 - w"),
    "infinite pos_weight": ({"pos_weight": np.inf}, "1 - w"),
    "zero class weight": ({"class_weight": {0: 1, 1: 0}}, r"class_weight\[1\]=0.*1 - w"),
    "negative class weight": ({"class_weight": {0: -8, 1: 9}}, r"class_weight\[0\]=-8.*1 - w"),
    "NaN class weight": ({"class_weight": {0: 1, 1: np.nan}}, "1 - w"),
    "class missing": ({"class_weight": {0: 1}}, r"no weight to: \[1\]"),
    "class unknown": ({"class_weight": {0: 1, 1: 2, 2: 3}}, r"does not have: \[2\]"),
    "class_weight and pos_weight": ({"class_weight": "balanced", "pos_weight": 2}, "drop pos_w"),
    "pos_weight and alpha": ({"pos_weight": 2, "alpha": 0.5}, "drop alpha"),
    "gamma": ({"gamma": -1}, "gamma=-1.*gamma >= 0"),
    "gamma of focal": ({"loss": "focal", "gamma": -0.5}, "gamma=-0.5"),
    "alpha 0": ({"alpha": 0.0}, "0 < alpha < 1"),
    "alpha 1": ({"alpha": 1.0}, "0 < alpha < 1"),
    "label_smoothing 1": ({"label_smoothing": 1.0}, "0 <= label_smoothing < 1"),
    "label_smoothing < 0": ({"label_smoothing": -0.1}, "0 <= label_smoothing < 1"),
    "threshold > 1": ({"threshold": 1.2}, r"threshold=1.2.*\[0, 1\]"),
    "threshold < 0": ({"threshold": -0.1}, r"threshold=-0.1.*\[0, 1\]"),
    "threshold NaN": ({"threshold": np.nan}, r"\[0, 1\]"),
    "too few for auto": (
        {"threshold": "auto", "threshold_cv": False},
        "gives 2 of the 20 rows of class 1.*=0.225.*threshold_cv=5",
    ),
    "too few to stop": ({"early_stopping": True}, "early_stopping=True.*2 of the 20"),
    "no rows for auto": (
        {"threshold": "auto", "validation_split": 0.0, "threshold_cv": False},
        "gives 0 of the 20",
    ),
    "early_stopping": ({"early_stopping": "yes"}, "True, False or 'auto'"),
    "pos_label": ({"pos_label": "fraud"}, r"not a label of y; those are \[0, 1\]"),
    "calibrate": ({"calibrate": "platt"}, "calibrate='platt' is not allowed: .*'sigmoid' or 'isot"),
    "calibrate on too few": ({"calibrate": "isotonic"}, "needs validation rows, at least 5"),
    "epochs": ({"epochs": 0}, "whole number, at least 1"),
    "n_iter_no_change": ({"n_iter_no_change": 0}, "whole number"),
    "batch_size": ({"batch_size": 0}, "'auto', a positive whole number, or -1"),
    "batch_size auto": ({"batch_size": "Auto"}, "'auto', a positive"),
    "validation_split": ({"validation_split": 1.5}, "0 <= fraction < 1"),
    "from_logits": ({"from_logits": 3}, "from_logits=3"),
    "too many outputs": ({"model": network(3)}, r"output has shape \(None, 3\).*2 classes"),
    "two sigmoids": ({"model": network(2, "sigmoid")}, r"\(None, 2\) and ends in sigmoid"),
    "one softmax": ({"model": network(1, "softmax")}, r"\(None, 1\) and ends in softmax"),
    "relu": ({"model": network(1, "relu")}, "not recognised.*from_logits"),
    "tanh": ({"model": network(1, "tanh")}, "not recognised.*from_logits"),
    "sigmoid as logits": ({"model": network(1, "sigmoid"), "from_logits": True}, "ends in sigmoid"),
    "logits as sigmoid": ({"model": network(1), "from_logits": False}, "ends in a linear layer"),
    "loss conflict": (
        {"model": network(1, loss="mse", optimizer="sgd"), "loss": "focal"},
        "arrived compiled with",
    ),
    "optimizer conflict": (
        {"model": network(1, loss="mse", optimizer="sgd"), "optimizer": "rmsprop"},
        "optimizer='rmsprop', but the model arrived compiled with SGD",
    ),
    "weights without a map": (
        {"model": network(1, "sigmoid"), "loss": "hinge", "pos_weight": 3},
        "no map of its own.*calibrate=False",
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning:keras.*")
@pytest.mark.parametrize("case", PARAMETERS)
def test_parameters(case):
    parameters, message = PARAMETERS[case]
    with pytest.raises(ValueError, match=message):
        clf(**parameters).fit(X, Y)


WEIGHTS = {
    "negative": (np.r_[np.ones(119), -1], "1 negative values"),
    "zero": (np.zeros(120), "only zeros were passed in sample_weight"),
    "short": (np.ones(119), "inconsistent numbers of samples"),
    "NaN": (np.r_[np.ones(119), np.nan], "sample_weight contains NaN"),
    "two columns": (np.ones((120, 2)), "1D array or scalar"),
    "text": (["a"] * 120, "must be numbers, one for each of the 120 rows"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_sample_weights(case):
    weight, message = WEIGHTS[case]
    with pytest.raises(ValueError, match=message):
        clf().fit(X, Y, sample_weight=weight)


VALIDATION_ROWS = {
    "other columns": ({"X_val": X[:, :2], "y_val": Y}, "2 features"),
    "other labels": (
        {"X_val": X, "y_val": Y + 1},
        r"y_val has labels that the fit did not have: \[2\]",
    ),
    "no labels": ({"X_val": X}, "y_val is missing"),
    "no rows": ({"y_val": Y}, "X_val is missing"),
    "lengths": ({"X_val": X, "y_val": Y[:5]}, "inconsistent numbers"),
    "no positive": ({"X_val": X[Y == 0], "y_val": Y[Y == 0]}, "without a positive row"),
    "only positive": ({"X_val": X[Y == 1], "y_val": Y[Y == 1]}, "without a negative row"),
    "twice": ({"X_val": X, "y_val": Y, "validation_data": (X, Y)}, "not both"),
    "not a pair": ({"validation_data": X}, "validation_data is"),
    "weights alone": ({"sample_weight_val": Y}, "without X_val"),
    "negative weights": (
        {"X_val": X, "y_val": Y, "sample_weight_val": -Y - 1},
        "sample_weight_val",
    ),
}


@pytest.mark.parametrize("case", VALIDATION_ROWS)
def test_validation_rows(case):
    arguments, message = VALIDATION_ROWS[case]
    with pytest.raises(ValueError, match=message):
        clf(threshold="auto").fit(X, Y, **arguments)


def test_unknown_keywords_name_the_nearest():
    with pytest.raises(TypeError, match=r"'treshold'.*Did you mean 'threshold'"):
        clf(treshold="auto")
    with pytest.raises(TypeError, match="'xyzzy'"):
        clf(xyzzy=1)
    with pytest.raises(TypeError, match="Did you mean 'pos_weight'"):
        clf(model=network(), posweight=1)
    with pytest.raises(TypeError, match="Did you mean 'pos_weight'"):
        clf(model=lambda units: network(), posweight=1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'depth'"):
        clf(model=lambda units: network(), depth=1).fit(X, Y)
    with pytest.raises(ValueError, match=r"Invalid parameter 'treshold'.*Did you mean 'threshold'"):
        clf().set_params(treshold="auto")
    assert clf(model=lambda units: network(units), units=1).fit(X, Y)


def test_what_more_than_two_classes_do_not_have():
    y = np.arange(120) % 3
    for parameters in ({"pos_weight": 3}, {"alpha": 0.3}, {"pos_label": 1}):
        with pytest.raises(ValueError, match=r"3( classes)?"):
            clf(**parameters).fit(X, y)


def test_several_labels_a_row_need_a_loss_of_their_own():
    y = np.stack([Y, 1 - Y, Y], axis=1)
    with pytest.raises(ValueError, match="class_weight='balanced' needs one label a row"):
        clf(model=network(3, "sigmoid"), loss="bce", class_weight="balanced").fit(X, y)


def test_a_fitted_estimator_is_left_as_it_was():
    names = [f"c{i}" for i in range(3)]
    import pandas as pd

    model = clf(epochs=2).fit(pd.DataFrame(X, columns=names), Y)
    before, p = dict(vars(model)), model.predict_proba(pd.DataFrame(X, columns=names))
    for bad_X, bad_y, error, _ in DATA.values():
        with pytest.raises(error):
            model.fit(bad_X, bad_y)
    with pytest.raises(ValueError, match="validation rows"):
        model.set_params(threshold="auto", threshold_cv=False).fit(X[:, :2], Y)
    model.set_params(threshold=None, threshold_cv=None)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items() if name[-1] == "_")
    np.testing.assert_array_equal(model.predict_proba(pd.DataFrame(X, columns=names)), p)


def test_other_columns_at_prediction():
    import pandas as pd

    model = clf().fit(pd.DataFrame(X, columns=list("abc")), Y)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(pd.DataFrame(X, columns=list("bac")))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    model = clf().fit(X, Y)
    with pytest.raises(ValueError, match="X has 2 features"):
        model.predict(X[:, :2])
    with pytest.raises(ValueError, match="dimensions in X"):
        model.predict(X[:, :, None])
    for bad in (with_value(np.inf), X + 1j):
        with pytest.raises(ValueError, match=r"NaN|infinity|Complex"):
            clf().fit(X, Y).predict(bad)


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_predicting_before_fitting(method):
    with pytest.raises(NotFittedError):
        getattr(clf(), method)(X)
    with pytest.raises(NotFittedError):
        clf().score(X, Y)


def test_a_loss_that_is_no_longer_a_number_names_the_epoch():
    model = clf(epochs=5, optimizer="sgd", optimizer__learning_rate=1e30, model=network())
    with pytest.raises(ValueError, match=r"became (nan|inf) in epoch \d.*learning_rate.*1e\+30"):
        model.fit(X * 1e6, Y)
    assert not hasattr(model, "model_")


def test_going_on_with_a_diverging_network_leaves_the_last_one():
    model = clf(optimizer="sgd", model=network()).fit(X, Y)
    before = model.predict_proba(X)
    model.model_.optimizer.learning_rate = 1e38
    with pytest.raises(ValueError, match="became"):
        model.partial_fit(X * 1e6, Y)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_what_is_no_network():
    with pytest.raises(TypeError, match="``model`` must be"):
        clf(model=3).fit(X, Y)
    with pytest.raises(TypeError, match="returned str"):
        clf(model=lambda: "network").fit(X, Y)
    two = keras.Model(
        *(lambda i: (i, [keras.layers.Dense(1)(i), keras.layers.Dense(1)(i)]))(keras.Input((3,)))
    )
    with pytest.raises(ValueError, match="2 outputs"):
        clf(model=two).fit(X, Y)


def test_input_is_never_changed():
    data, labels, weight = X.copy(), Y.copy(), np.arange(120.0)
    for array in (data, labels, weight):
        array.setflags(write=False)
    model = clf(class_weight="balanced").fit(data, labels, sample_weight=weight)
    model.predict(data)
    np.testing.assert_array_equal(data, X)
