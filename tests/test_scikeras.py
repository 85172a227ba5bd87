"""SciKeras' contract: the patterns of its documentation, with the class replaced."""

import keras
import numpy as np
import pytest
from scikeras.wrappers import KerasClassifier
from sklearn.datasets import load_digits, make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import FunctionTransformer

from wbce import WeightedKerasClassifier

X, Y = make_classification(200, 8, n_informative=4, weights=[0.7], random_state=0)
X = X.astype("float32")


def build(hidden=8, activation="sigmoid", meta=None):
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(hidden, "relu"),
            keras.layers.Dense(1, activation),
        ]
    )


def compiled(meta, compile_kwargs):
    model = build(meta=meta)
    model.compile(loss="binary_crossentropy", optimizer=compile_kwargs["optimizer"])
    return model


def clf(model=build, **parameters):
    return WeightedKerasClassifier(model, **{"epochs": 2, "random_state": 0, **parameters})


def test_it_is_a_keras_classifier():
    assert isinstance(clf(), KerasClassifier)


@pytest.mark.parametrize("loss", ["binary_crossentropy", keras.losses.BinaryCrossentropy, "bce"])
def test_keras_losses_by_name_class_and_shorthand(loss):
    model = clf(loss=loss).fit(X, Y)
    assert model.predict_proba(X).shape == (200, 2)
    assert len(model.history_["loss"]) == 2


def test_a_kerass_crossentropy_learns_what_ours_learns():
    ours = clf(epochs=5, early_stopping=False, pos_weight=3).fit(X, Y)
    theirs = clf(epochs=5, early_stopping=False, pos_weight=3, loss="binary_crossentropy").fit(X, Y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-3, atol=1e-5)


def test_routing_to_the_network_and_the_optimizer():
    model = clf(model__hidden=5, optimizer="sgd", optimizer__learning_rate=0.3).fit(X, Y)
    assert model.model_.layers[0].units == 5
    assert type(model.model_.optimizer) is keras.optimizers.SGD
    assert float(model.model_.optimizer.learning_rate) == pytest.approx(0.3)
    assert clf(hidden=6).fit(X, Y).model_.layers[0].units == 6


def test_routing_to_losses_metrics_fit_and_predict():
    model = clf(
        loss=keras.losses.BinaryCrossentropy,
        loss__label_smoothing=0.1,
        metrics=[keras.metrics.AUC],
        metrics__0__name="area",
        fit__batch_size=50,
        fit__epochs=3,
        predict__batch_size=20,
    ).fit(X, Y)
    assert model.model_.loss.label_smoothing == 0.1
    assert len(model.history_["area"]) == len(model.history_["val_area"]) == 3
    direct = model.model_.predict(X, verbose=0).ravel()
    np.testing.assert_allclose(
        model.set_params(calibrate=False).predict_proba(X)[:, 1], direct, rtol=1e-4
    )


def test_a_smoothed_keras_loss_is_unsmoothed():
    model = clf(loss=keras.losses.BinaryCrossentropy(label_smoothing=0.2), epochs=5).fit(X, Y)
    mapped = model.predict_proba(X)[:, 1]
    raw = model.set_params(calibrate=False).predict_proba(X)[:, 1]
    inside = (raw > 0.15) & (raw < 0.85)
    np.testing.assert_allclose(mapped[inside], (raw[inside] - 0.1) / 0.8, rtol=1e-6)


def test_callbacks_by_class_instance_and_routed():
    heard = []

    class Listener(keras.callbacks.Callback):
        def __init__(self, name="default"):
            super().__init__()
            self.name = name

        def on_epoch_end(self, epoch, logs=None):
            heard.append((self.name, epoch, sorted(logs)))

        def on_predict_begin(self, logs=None):
            heard.append((self.name, "predict", []))

    model = clf(callbacks=[Listener], callbacks__0__name="routed").fit(X, Y)
    assert [h[:2] for h in heard] == [("routed", 0), ("routed", 1)]
    assert {"loss", "val_loss", "val_log_loss"} <= set(heard[0][2])
    model.predict(X)
    assert heard[-1][:2] == ("routed", "predict")
    clf(fit__callbacks=Listener("instance")).fit(X, Y)
    assert heard[-1][:2] == ("instance", 1)


def test_kerass_early_stopping_hears_the_validation_rows():
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=1, min_delta=10)
    assert clf(epochs=9, callbacks=stop).fit(X, Y).n_iter_ == 2


def test_compile_kwargs_carry_our_loss_into_the_function():
    def builds(meta, compile_kwargs):
        model = build(meta=meta)
        model.compile(**compile_kwargs)
        return model

    own = clf(builds, loss="focal", gamma=1.5, metrics=["accuracy"]).fit(X, Y)
    plain = clf(loss="focal", gamma=1.5, metrics=["accuracy"]).fit(X, Y)
    np.testing.assert_array_equal(own.predict_proba(X), plain.predict_proba(X))
    assert own.model_.loss.gamma == 1.5
    assert "accuracy" in own.history_


def test_a_compiled_network_keeps_its_loss():
    model = clf(compiled, class_weight={0: 1, 1: 4}).fit(X, Y)
    assert model.model_.loss == "binary_crossentropy"
    assert model.threshold_ == pytest.approx(0.2)


def test_what_the_function_is_told_of_the_data():
    told = {}

    def remembers(meta):
        told.update(meta)
        return build(meta=meta)

    names = np.array(["legit", "fraud"])
    clf(remembers, class_weight="balanced").fit(X, names[Y])
    assert told["n_features_in_"] == 8
    assert told["X_shape_"] == (200, 8)
    assert told["target_type_"] == "binary"
    assert told["n_classes_"] == 2
    assert told["classes_"].tolist() == ["fraud", "legit"]
    assert not {"pos_label_", "class_weight_", "pos_weight_", "model_"} & set(told)


def test_subclasses_that_build_their_own_network():
    class MLP(WeightedKerasClassifier):
        def __init__(self, hidden=4, epochs=1, **kwargs):
            super().__init__(epochs=epochs, **kwargs)
            self.hidden = hidden

        def _keras_build_fn(self, meta):
            return build(self.hidden, meta=meta)

    search = GridSearchCV(MLP(class_weight="balanced"), {"hidden": [3, 5]}, cv=2).fit(X, Y)
    assert search.best_estimator_.model_.layers[0].units == search.best_params_["hidden"]


@pytest.mark.filterwarnings("ignore::UserWarning:keras.*")  # Keras 3.6, of lists and tuples
def test_several_inputs_by_a_feature_encoder():
    class TwoInputs(WeightedKerasClassifier):
        @property
        def feature_encoder(self):
            return FunctionTransformer(lambda X: [X[:, :3], X[:, 3:]])

        def _keras_build_fn(self, meta):
            a, b = keras.Input((3,)), keras.Input((5,))
            both = keras.layers.Concatenate()([keras.layers.Dense(4)(a), keras.layers.Dense(4)(b)])
            return keras.Model([a, b], keras.layers.Dense(1, "sigmoid")(both))

    model = TwoInputs(epochs=3, random_state=0, threshold="auto", class_weight="balanced")
    model.fit(X, Y)
    assert model.predict_proba(X).shape == (200, 2)
    assert model.validation_score_ > 0
    np.testing.assert_array_equal(model.predict(X[:1]), model.predict(X)[:1])


def test_images():
    digits = load_digits()
    images, y = digits.images[..., None], digits.target == 8

    def conv(meta):
        return keras.Sequential(
            [
                keras.Input(meta["X_shape_"][1:]),
                keras.layers.Conv2D(4, 3, activation="relu"),
                keras.layers.Flatten(),
                keras.layers.Dense(1),
            ]
        )

    model = clf(conv, pos_weight="balanced", threshold="auto").fit(images, y)
    assert model.predict(images).shape == y.shape
    assert clf(None, epochs=1).fit(images, y).predict_proba(images).shape == (1797, 2)


def test_several_labels_a_row():
    y = np.stack([Y, X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(int)

    def labels(meta):
        model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3, "sigmoid")])
        model.compile("adam", "binary_crossentropy")
        return model

    model = clf(labels).fit(X, y)
    assert model.predict(X).shape == y.shape
    expected = model.model_.predict(X, verbose=0)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="one label a row"):
        model.decision_function(X)


def test_several_outputs():
    from scikeras.utils.transformers import ClassifierLabelEncoder

    class Split(ClassifierLabelEncoder):
        def fit(self, y):
            self.n_outputs_ = self.n_outputs_expected_ = y.shape[1]
            self.classes_ = [np.array([0, 1])] * y.shape[1]
            self.n_classes_ = [2] * y.shape[1]
            return self

        def transform(self, y):
            return [column[:, None].astype("float32") for column in y.T]

        def inverse_transform(self, y, return_proba=False):
            joined = np.column_stack(y)
            return joined if return_proba else (joined > 0.5).astype(int)

    class TwoOutputs(WeightedKerasClassifier):
        @property
        def target_encoder(self):
            return Split()

    def outputs(meta):
        i = keras.Input((8,))
        model = keras.Model(
            i, [keras.layers.Dense(1, "sigmoid")(i), keras.layers.Dense(1, "sigmoid")(i)]
        )
        model.compile("adam", ["binary_crossentropy", "binary_crossentropy"])
        return model

    y = np.stack([Y, (X[:, 0] > 0).astype(int)], axis=1)
    model = TwoOutputs(outputs, epochs=2, random_state=0).fit(X, y)
    assert model.predict(X).shape == y.shape
    assert model.predict_proba(X).shape == (200, 2)


def test_fit_arguments_as_keywords():
    model = clf().fit(X, Y, epochs=4, batch_size=20)
    assert len(model.history_["loss"]) == 4
    assert model.epochs == 2
    with pytest.raises(TypeError, match="Invalid argument `epochs` to `partial_fit`"):
        model.partial_fit(X, Y, epochs=3)


def test_a_model_parameter_may_be_any_callable():
    class Builder:
        def __call__(self, meta):
            return build(meta=meta)

    assert clf(Builder()).fit(X, Y).predict(X).shape == (200,)


def test_batch_of_all_rows_and_scikeras_own_arguments():
    model = clf(batch_size=-1, run_eagerly=False, validation_batch_size=16).fit(X, Y)
    assert model.n_iter_ == 2
    with pytest.warns(UserWarning, match="build_fn"):
        WeightedKerasClassifier(build_fn=build, epochs=1).fit(X, Y)


def test_eager_training():
    eager = clf(run_eagerly=True, shuffle=False).fit(X, Y)
    graph = clf(shuffle=False).fit(X, Y)
    np.testing.assert_allclose(eager.predict_proba(X), graph.predict_proba(X), rtol=1e-5)
