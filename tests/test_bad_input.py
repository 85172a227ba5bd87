"""Every bad input gets an error that says what to do, and leaves the estimator as it was."""

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.exceptions import NotFittedError

from wbce import (
    WeightedKerasClassifier,
    estimate_prior,
    print_imbalance,
    set_trace_cache_size,
)
from wbce.losses import Focal, Tversky, WeightedCrossentropy

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


def with_object(value):
    bad = X.astype(object)
    bad[3, 1] = value
    return bad


def labels_with(value):
    return np.array([value, "a", "b"] * 40, dtype=object)


def masked(array):
    return np.ma.masked_array(array, np.arange(array.size).reshape(array.shape) % 7 == 0)


HUGE = 10**400  # beyond all floats

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
    "text in X": (TEXT, Y, ValueError, "OneHotEncoder"),
    "strings in X": (TEXT.astype(str), Y, ValueError, "OneHotEncoder"),
    "lengths that differ": (X, Y[:-1], ValueError, "inconsistent numbers of samples"),
    "continuous y": (X, X[:, 0], ValueError, "Unknown label type"),
    "NaN in y": (X, np.where(Y == 1, np.nan, 0.0), ValueError, "y contains NaN"),
    "no y": (X, None, ValueError, "requires y to be passed, but the target y is None"),
    "no X": (None, Y, ValueError, "X is None"),
    "empty images": (np.zeros((120, 0, 2, 2)), Y, ValueError, r"0 feature.*\(120, 0, 2, 2\)"),
    "masked X": (masked(X), Y, ValueError, r"X has masked values.*X.filled\(np.nan\)"),
    "number too large for floats": (with_object(HUGE), Y, ValueError, "X has a number.*too large"),
    "object in X": (with_object(object()), Y, TypeError, "X cannot be taken as a table.*float"),
    "complex numbers in X": (
        with_object(1j),
        Y,
        (TypeError, ValueError),
        "X cannot be taken|X has complex",
    ),
    "bytes in X": (with_object(b"\xf7"), Y, ValueError, "X (has values that|cannot be taken)"),
    "infinities of both signs": (
        np.where(X < 0, -np.inf, np.inf),
        Y,
        ValueError,
        "X contains infinity",
    ),
    "masked y": (X, masked(Y), ValueError, "y has masked values"),
    "complex y": (X, Y * 1j, ValueError, "y has the type complex128"),
    "records as y": (X, np.zeros(120, dtype=[("a", int)]), ValueError, "y has the type"),
    "a number as y": (X, 3, ValueError, "y is 3: pass an array"),
    "ragged y": (X, [[0, 1]] * 119 + [[1]], ValueError, r"y is \[.*no array of one value a row"),
    "sets as y": (X, [{0}, {1}] * 60, ValueError, r"y has values of the types \['set'\]"),
    "text and numbers as y": (X, labels_with(1), ValueError, r"types \['int', 'str'\].*all str"),
    "None in y": (X, labels_with(None), ValueError, "y contains NaN, None or NA: 40"),
    "NaN among text": (X, labels_with(np.nan), ValueError, "y contains NaN, None or NA: 40"),
}


FRAMES = {
    "sparse columns": (lambda: pd.DataFrame(X).astype("Sparse[float]"), r"sparse.to_dense\(\)"),
    "sparse, of NaN": (lambda: pd.DataFrame(X).astype("Sparse[float]").replace(0, np.nan), "dense"),
    "a number beyond all floats": (lambda: pd.DataFrame(with_object(HUGE)), "too large"),
    "no columns": (lambda: pl.DataFrame(), r"0 feature\(s\): X has the shape \(0, 0\)"),
    "no columns, but rows": (lambda: pd.DataFrame(index=range(120)), r"0 feature\(s\).*\(120, 0\)"),
    "intervals": (lambda: pd.DataFrame({"a": pd.interval_range(0, 120, periods=120)}), "X"),
    "complex numbers": (lambda: pd.DataFrame(X + 1j), "Complex data not supported: X"),
}


@pytest.mark.parametrize("case", FRAMES)
def test_frames(case):
    make, message = FRAMES[case]
    with pytest.raises((TypeError, ValueError), match=message):
        clf().fit(make(), Y)


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
    "huge pos_weight": ({"pos_weight": HUGE}, "pos_weight=1000.*1 - w"),
    "pos_weight beyond float32": ({"pos_weight": 1e308}, r"more than 1e\+30 times others'"),
    "classes all but uncounted": ({"class_weight": {0: 1e-200, 1: 1}}, "count nothing in float32"),
    "huge gamma": ({"loss": "focal", "gamma": HUGE}, "gamma=1000.*finite number"),
    "gamma beyond float32": ({"loss": "focal", "gamma": 1e39}, r"gamma=1e\+39.*float32"),
    "huge threshold": ({"threshold": HUGE}, r"threshold=1000.*\[0, 1\]"),
    "huge prior": ({"prior": [HUGE, 0.5]}, "prior=.*between 0 and 1"),
    "text as prior": ({"prior": "0.5"}, "prior='0.5' is not allowed"),
    "huge cost": ({"cost_matrix": [[0, HUGE], [1, 0]]}, "cost_matrix=.*not of numbers"),
    "cost beyond float32": ({"cost_matrix": [[0, 1e39], [1, 0]]}, r"beyond 1e\+30"),
    "complex costs": ({"cost_matrix": np.array([[0, 1j], [1, 0]])}, "(?s)cost_matrix=.*not of"),
    "huge recall": ({"threshold_objective": {"min_recall": HUGE}}, "recall is a share"),
    "complex label_smoothing": ({"label_smoothing": np.complex64(0)}, "label_smoothing=.*< 1"),
    "a duration as a number": (
        {"n_iter_no_change": np.timedelta64(3, "D")},
        "n_iter_no_change=.*a whole number",
    ),
    "more folds than rows": (
        {"threshold": "auto", "threshold_cv": 2**64},
        "more than the 120 rows",
    ),
    "folds without a row": (
        {"threshold": "auto", "threshold_cv": 60},
        "pass a smaller threshold_cv",
    ),
    "empty_labels": ({"empty_labels": np.void(b"12")}, "empty_labels=.*'error' or 'skip'"),
    "optimizer's long double": ({"optimizer__beta_1": np.longdouble("0.5")}, "optimizer__beta_1="),
    "compilation": ({"compile__jit_compile": {"a": []}}, "compile__jit_compile=.*True, False or"),
    "optimizer's dict": ({"optimizer__beta_1": {"a": 1}}, "optimizer__beta_1=.*finite number"),
    "loss of numbers": ({"loss": np.ones(2)}, "loss=array.*by name, class or instance"),
    "optimizer of a frame": ({"optimizer": pl.DataFrame({"a": [1]})}, "(?s)optimizer=.*by name"),
    "random_state": ({"random_state": -1}, r"random_state=-1.*0 to 2\*\*32 - 1"),
    "random_state of text": ({"random_state": "0"}, "random_state='0' is not allowed"),
    "warm_start": ({"warm_start": "yes"}, "warm_start='yes'.*True or False"),
    "shuffle": ({"shuffle": np.ones(2)}, "shuffle=.*True or False"),
    "verbose": ({"verbose": np.ones(2)}, "verbose=.*0, 1, 2 or 'auto'"),
    "callbacks": ({"callbacks": 3}, "callbacks=3.*keras.callbacks.Callback"),
    "callbacks of fit": ({"fit__callbacks": [3]}, "fit__callbacks=.*keras.callbacks.Callback"),
    "steps": ({"fit__steps_per_epoch": "3"}, "fit__steps_per_epoch='3'.*whole number"),
    "optimizer's text": ({"optimizer__clipnorm": "1"}, "optimizer__clipnorm='1'.*finite number"),
    "optimizer's None": ({"optimizer__beta_1": None}, "optimizer__beta_1=None.*finite number"),
    "optimizer's huge number": ({"optimizer__weight_decay": HUGE}, "optimizer__weight_decay=1000"),
    "optimizer's whole number": ({"optimizer__weight_decay": 2**64}, r"whole one below 2\*\*31"),
    "losses a row": ({"loss": "focal", "loss__reduction": None}, "reduction=None.*one number"),
    "layers": ({"model__hidden_layer_sizes": 3}, "model__hidden_layer_sizes=3: pass a list"),
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
    "complex": (np.ones(120) * 1j, "sample_weight must be numbers"),
    "masked": (masked(np.ones(120)), "sample_weight must be numbers.*none missing"),
    "nothing": ([], "sample_weight and X have inconsistent numbers of samples: 0 and 120"),
    "huge": (np.full(120, 1e300), r"1e\+300 as its largest value.*Scale"),
    "denormal": (np.full(120, 5e-324), "as its largest value.*Scale"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_sample_weights(case):
    weight, message = WEIGHTS[case]
    with pytest.raises(ValueError, match=message):
        clf().fit(X, Y, sample_weight=weight)


GROUPS = {
    "ragged": [(1, 2), (2,)] * 60,
    "masked": masked(np.arange(120)),
    "mixed": [1, None] * 60,
    "of another length": np.arange(119),
    "sets": np.array([{1}, {2}] * 60),
}


@pytest.mark.parametrize("case", GROUPS)
def test_groups(case):
    with pytest.raises(ValueError, match="groups"):
        clf().fit(X, Y, groups=GROUPS[case])


CLASSES = {
    "text": ("none", r"classes is 'none': pass an array"),
    "one": ([0], r"classes=\[0\].*two or more"),
    "missing": ([0, None], "classes contains NaN, None or NA"),
    "ragged": ([0, [1]], "classes is .*no array"),
    "others": (["a", "b"], r"y has labels that classes did not have: \[0, 1\]"),
}


@pytest.mark.parametrize("case", CLASSES)
def test_classes_of_a_stream(case):
    classes, message = CLASSES[case]
    with pytest.raises(ValueError, match=message):
        clf().partial_fit(X, Y, classes=classes)


def test_a_stream_has_no_validation_rows():
    for model, arguments in (
        (clf(), {"validation_data": (X, Y)}),
        (clf(fit__validation_data=3), {}),
    ):
        with pytest.raises(TypeError, match="`validation_data` to `partial_fit`"):
            model.partial_fit(X, Y, **arguments)


ARGUMENTS = {
    "class_weight": (3, "class_weight=3.*by|class_weight=3.*a dict"),
    "callbacks": ([keras.callbacks.EarlyStopping], "callbacks=.*Callback"),
    "initial_epoch": (None, "initial_epoch=None.*whole number, 0 or more"),
    "steps_per_epoch": ("3", "steps_per_epoch='3'.*whole number"),
    "validation_freq": (np.ones((2, 2)), "(?s)validation_freq=.*whole number"),
    "validation_data": ((X[:, 0], Y), "X_val and y_val: .*2D array"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_of_keras(name):
    value, message = ARGUMENTS[name]
    with pytest.raises(ValueError, match=message):
        clf().fit(X, Y, **{name: value})


def test_arguments_of_keras_in_predict():
    model = clf().fit(X, Y)
    for name, value in (("steps", "3"), ("callbacks", 3), ("verbose", [1]), ("batch_size", "3")):
        with pytest.raises(ValueError, match=f"{name}="):
            model.predict_proba(X, **{name: value})


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


def test_costs_and_base_rates_at_prediction():
    model = clf().fit(X, Y)
    for costs in ([[0, HUGE], [1, 0]], np.full((120, 2, 2), 1j), "costs"):
        with pytest.raises(ValueError, match=r"(?s)cost_matrix=.*not of numbers"):
            model.predict(X, cost_matrix=costs)
    with pytest.raises(ValueError, match=r"beyond 1e\+30"):
        model.predict(X, cost_matrix=np.full((120, 2, 2), 1e308))
    for prior in (HUGE, [HUGE, 1], "text", [[0.5, 0.5]]):
        with pytest.raises(ValueError, match="prior="):
            model.predict_proba(X, prior=prior)


def test_labels_at_scoring():
    model = clf().fit(X, Y)
    for y in (None, masked(Y), [object()] * 120, [{1}] * 120):
        with pytest.raises(ValueError, match="y "):
            model.score(X, y)


def test_a_network_that_overflows_says_so():
    layer = keras.layers.Dense(3, kernel_initializer=keras.initializers.Constant(2.0))
    model = clf(model=keras.Sequential([keras.Input((3,)), layer])).fit(X, np.arange(120) % 3)
    rows = np.where(np.arange(3) > 0, -3.4e38, X)
    for method in (model.predict_proba, model.predict, model.decision_function):
        with pytest.raises(ValueError, match=r"is no number \(NaN\).*Rescale or clip"):
            method(rows)


def test_an_objective_that_returns_no_numbers():
    for y in (Y, np.arange(120) % 3):
        model = clf().fit(X, y)
        for returned in (lambda tp, fp, fn, tn: tp * 1j, lambda tp, fp, fn, tn: tp.astype(str)):
            with pytest.raises(ValueError, match="returned no numbers"):
                model.tune_threshold(X, y, objective=returned)


@pytest.mark.parametrize("call", ["fit", "partial_fit", "initialize"])
def test_gamma_for_more_or_fewer_classes_than_there_are(call):
    for gamma, y in (
        ([1.0, 2.0], np.arange(120) % 3),
        ([1.0, 2.0, 3.0], Y),
        ([1.0], Y),
        ([1.0, 2.0, 3.0], np.stack([Y, 1 - Y], axis=1)),
    ):
        with pytest.raises(ValueError, match="gamma"):
            getattr(clf(loss="focal", gamma=gamma), call)(X, y)


def test_functions():
    for proba, prior, message in (
        ("text", [0.5, 0.5], "proba is not an array of numbers; got 'text'"),
        ([[0.5, 0.5]], object(), "prior is not an array of numbers"),
        ([[0.5, HUGE]], [0.5, 0.5], "proba is not an array"),
    ):
        with pytest.raises(ValueError, match=message):
            estimate_prior(proba, prior)
    for y in (None, 3, [object(), object()], [1, "a"], [[1], [1, 2]]):
        with pytest.raises(ValueError, match=r"y (is|has)"):
            print_imbalance(y if not isinstance(y, list) else np.array(y, dtype=object))
    for size in (True, -1, 2.0, "64"):
        with pytest.raises(ValueError, match="size="):
            set_trace_cache_size(size)


def test_losses_name_what_they_were_given():
    for cls, arguments, message in (
        (Focal, {"gamma": HUGE}, "gamma=1000"),
        (Focal, {"reduction": []}, r"reduction=\[\]"),
        (Tversky, {"name": np.ones(2)}, "name="),
        (Tversky, {"dtype": {}}, "dtype="),
        (Tversky, {"alpha": 1e39}, r"alpha=1e\+39.*float32"),
        (WeightedCrossentropy, {"pos_weight": 1j}, "pos_weight=1j"),
    ):
        with pytest.raises(ValueError, match=message):
            cls(**arguments)
