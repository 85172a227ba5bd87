"""The estimator: validate, weigh, split, train, map, decide."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from scipy.special import expit, log_expit, log_softmax
from sklearn.utils.validation import _num_samples, check_is_fitted

from wbce._parameters import check_count, check_parameters
from wbce._part_steps import PartSteps
from wbce._rows import Judged, check_sample_weight
from wbce._scikeras import DEFAULT_LOSS, check_keras_arguments
from wbce._sparse import dense_blocks
from wbce._warnings import warn_of_accuracy
from wbce.inference import LogitFunction, checked_chain
from wbce.losses._posterior import refuse_nan, two_columns
from wbce.prior import estimate_prior
from wbce.progress import is_live, rows_shown
from wbce.streams import stream_of
from wbce.training import ShownPredictions, batch_size_for, check_folder, replicas_of, seeded
from wbce.validation import check_validation_split


class WeightedKerasClassifier(PartSteps):
    """Keras network for imbalanced classes, with true probabilities and a tuned threshold.

    Fits a network with a weighted loss, maps its outputs back to the probabilities of the
    population, and decides at the threshold that the weights imply, that you name, or that is
    best on validation rows. A subclass of SciKeras' ``KerasClassifier``: parameter routing
    (``optimizer__learning_rate``, ``model__units``), callbacks and ``partial_fit`` are its.

    Parameters
    ----------
    model : None, str, callable or keras.Model, default=None
        The network. None is ``"ensemble"``: sixteen small ones in one graph, which judge rows for
        each other; ``"mlp"`` is one, with two hidden layers, ``"linear"`` a logistic regression,
        which None is for sparse rows.
        All three scale numbers and take categories and missing values as they come; their
        arguments by ``model__*``, such as ``model__hidden_layer_sizes``. A callable returns a
        Keras model; it may take ``meta`` (what is known of the data, such as
        ``meta["n_features_in_"]``), ``compile_kwargs``, ``params`` and routed arguments. A Keras
        model is copied at every fit and not changed, unless Keras cannot copy it. The output is
        one logit or sigmoid for two classes, one logit a class, with or without softmax, or one
        logit or sigmoid a label. A model that arrives compiled keeps its loss and optimizer.
    loss : str, class, instance or keras loss, default="weighted_bce"
        ``"weighted_bce"`` (cross-entropy), ``"focal"``, ``"poly1"``, ``"asymmetric"``,
        ``"logit_adjusted"``, ``"ldam"``, ``"cost_sensitive"``; for the metric itself
        ``"tversky"``, ``"soft_fbeta"``, ``"smooth_ap"``. A name holds for two classes, for more
        and for labels, where the loss has such a form; its arguments by ``loss__*``. Or a
        `wbce.losses` class or instance, or any Keras loss. None leaves the choice to a network
        that arrives compiled.
    class_weight : dict, strategy or None, default=None
        Weight by label, or by strategy for a class with n_k of the n rows: ``"balanced"``
        n / (n_classes * n_k), ``"sqrt"`` the square root of that, ``"log"`` log(1 + n / n_k),
        ``"effective"`` (1 - b) / (1 - b**n_k) with b = (n - 1) / n or as ``("effective", b)``.
        Normalised to mean one over the training rows. How the network is trained, nothing else:
        probabilities and curves do not change their meaning. For several labels a row a strategy
        or ``{0: weight, 1: weight}``, one for all or one for each.
    pos_weight : float, strategy or None, default=None
        Weight of a positive row in units of a negative row's. Not for three classes or more. For
        several labels a row, one for all, a sequence with one for each, or a dict by column.
    pos_label : label, default=None
        The positive class. None is the larger of {0, 1}, {-1, 1} and booleans, and the rarer
        of any other two labels.
    gamma : float or array-like, default=2.0
        The focal loss's parameter; 0 is cross-entropy. One for all, or one for every class or
        label.
    alpha : float in (0, 1), default=None
        The positives' share of the weight, a third way to say ``pos_weight``:
        ``alpha / (1 - alpha)``. For several labels a row, one for all or one for each.
    label_smoothing : float in [0, 1), default=0.0
        Share of a row's label spread evenly over the classes.
    cost_matrix : array-like of shape (n_classes, n_classes), default=None
        ``cost_matrix[i, j]`` is the cost of calling a row of class ``classes_[i]`` a
        ``classes_[j]``: ``[[TN, FP], [FN, TP]]`` where ``classes_[1]`` is the positive one.
        Decides by least expected cost on the posterior
        where ``threshold`` is None, and trains under ``loss="cost_sensitive"`` only.
    calibrate : bool, "sigmoid" or "isotonic", default=True
        Whether ``predict_proba`` is the posterior of the population. True takes it from the loss,
        at no cost in rows; a loss that has none (``"tversky"``, ``"soft_fbeta"``, ``"smooth_ap"``
        and some of Keras') is calibrated by a sigmoid on the validation rows. ``"sigmoid"`` and
        ``"isotonic"`` calibrate any loss there. False gives the network's raw sigmoid or softmax,
        distorted by weights and loss; ``predict`` is the same for True and False.
    prior : float, array-like of shape (n_classes,), dict by label or None, default=None
        The positive class's share in the population that the model will meet, or the share of
        every class, where the training rows have another: they were resampled on the way in, or
        collected so. Moves probabilities, and weights the rows that judge. Not for labels.
    threshold : float, array-like, "auto", "exact" or None, default=None
        None decides as the training weights imply, where the network's own output is one half:
        at 0.5 without weights, w0 / (w0 + w1) with, elsewhere for losses that favour a class by
        themselves; or as ``cost_matrix`` says. A number calls a row positive when its
        probability, as ``predict_proba`` gives it with ``calibrate=True``, is above it; for
        labels one for all or one for each; for three classes or more one for each, and the class
        with the largest ratio of probability to threshold is chosen. ``"auto"`` chooses what will
        be best for ``threshold_objective``, as the rows that judge say of it; ``"exact"`` what is
        best on those very rows, where few of them have the last word.
    threshold_objective : str, dict, callable or scorer, default="f1"
        What to choose for: ``"f1"``, any ``"f<beta>"``, ``"mcc"``, ``"balanced_accuracy"``,
        ``"youden"``, ``"g_mean"``, ``"cost"`` (with ``cost_matrix``); ``{"min_precision": p}``,
        ``{"min_recall": r}``, ``{"max_fpr": f}``, ``{"max_alarms": number, or share below 1}``
        (the number among the rows passed), ``{"max_alarms": number, "per": rows}``, or several of
        these at once; or a function of arrays tp, fp, fn, tn, one number for every cut, that
        returns what to maximise. Labels are tuned each for itself. For three classes or more:
        means over the classes, and also scikit-learn's scorers of decisions.
    threshold_cv : int, splitter, list of (train, test), False or None, default=None
        Chooses the threshold out of fold: a network for each fold judges the rows that it has not
        seen, and the one that is kept trains on all rows, for the median of their best epochs.
        None does so, with five folds, where the validation rows would have fewer than 30 of any
        class, the members of the built-in ensemble do not judge all rows anyway, and nothing
        stands against it (callbacks, ``warm_start``, time order or a splitter
        for the validation rows, a loss without a posterior of its own); False never does.
    empty_labels : {"error", "skip"}, default="error"
        What to do with labels that no training row has. Skipped ones are never predicted.
    validation_split : float in [0, 1), "last", ("last", float) or splitter, default=0.1
        Rows that stop training and choose the threshold: a share of them, at random and
        stratified, with ``groups`` in whole groups; the last ones in time order, a tenth or as
        said; or by a scikit-learn splitter, in the split that trains on most. They are held back,
        but a share by the built-in ensemble from a part of its members in turn, so that every row
        trains and every row judges. Unused where neither is wanted, or `X_val` is passed to
        ``fit``.
    early_stopping : bool or "auto", default="auto"
        Whether to stop when the validation log loss of the mapped probabilities no longer falls,
        and keep the weights where it was lowest; each member of the ensemble for itself.
        ``"auto"`` does so when every class can give five validation rows.
    n_iter_no_change : int, default=10
        Epochs without improvement after which training stops.
    optimizer : str, class or keras optimizer, default="auto"
        As in ``keras.Model.compile``; its arguments by ``optimizer__*``. ``"auto"`` is Adam, with
        a learning rate of 0.003 for the built-in ensemble and Keras' default for others; for
        built-in networks on sparse rows gradient descent with momentum.
    batch_size : int or "auto", default="auto"
        Rows a step. ``"auto"`` is the power of two nearest n / 64 within 32 and 1024; -1 is all.
    epochs : int, default=100
        Passes over the rows, at most.
    from_logits : bool, default=None
        What the network's output is, where its last layer does not show it.
    metrics, callbacks : default=None
        As in ``keras.Model.compile`` and ``fit``.
    shuffle : bool, default=True
        Whether to shuffle rows before every epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of the split, the network's initial weights and the shuffling; None draws one from
        NumPy's global generator, as scikit-learn does. No global generator is changed otherwise.
    verbose : {0, 1, 2, "auto"}, default=0
        What is shown. 0: nothing. 1 and ``"auto"``: where a person looks, a terminal or a
        notebook, one line that is rewritten: epoch, loss, ``val_average_precision`` (or
        ``val_log_loss``, where there is none), best epoch, time left; of a stream the rows of the
        pass before training and of the epoch, and of predictions that take longer than a second
        the rows done. When ``fit`` ends it says how: epochs, time, why it stopped, scores. In a
        log there is only that last line; in searches, cross-validation and other work that is
        divided, and from ``partial_fit``, nothing. It goes to standard error, as that of tqdm and
        not as Keras' bar: standard output belongs to results. 2 and more: Keras' plain lines for
        each epoch, on standard output. Results are the same for all. See ``docs/progress.md``.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the network of the last fit. With it, as after
        ``partial_fit``, a pickle keeps the optimizer's state, for Adam twice the weights' bytes;
        without, an unpickled estimator that is trained on starts with a fresh optimizer.
    checkpoint : str, path-like or None, default=None
        A folder in which ``fit`` writes, every few seconds, where it stands. The same fit (same
        parameters, rows and seed) in another process goes on from there and ends with the same
        result as without interruption; then the file is removed. A folder serves any number of
        fits side by side, those of a search too. Needs ``random_state``, and no callbacks or other
        things that only Keras' own ``fit`` can do. ``partial_fit`` does not use it.
    distribute : {"mirrored", "multi_worker"} or None, default=None
        Among what ``fit`` divides the rows of every step: the devices of this process, or the
        processes that the environment variable ``TF_CONFIG`` names, each of which calls the same
        ``fit`` with all rows and ends with the same estimator. `batch_size` is of all together.
        See docs/distributed.md for what cannot be divided.
    **routed
        Routed parameters (``model__``, ``optimizer__``, ``loss__``, ``metrics__``,
        ``callbacks__``, ``fit__``, ``predict__``), and arguments that `model`, a callable, names.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    pos_label_ : label
        The positive class; two classes only.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Where X has names.
    model_ : keras.Model
        The fitted network.
    class_weight_ : dict, or list of dict
        Weight of every class in training, mean one over the training rows; for several labels a
        row one dict for each.
    pos_weight_ : float, or ndarray of shape (n_labels,)
        Weight of a positive row in units of a negative row's; not for three classes or more.
    threshold_ : float, ndarray of shape (n_labels,) or (n_classes,), or None
        Probability of ``pos_label_``, or of each label, above which a row is called positive; for
        three classes or more what each class's probability is divided by, with sum one, and None
        where costs decide.
    threshold_curve_ : ThresholdCurve, or list of them
        Of a tuned threshold: counts, precision, recall, false-positive rate, alarms and the
        objective at every cut of the rows that judge, ``columns()`` as a table; for labels one
        each. Not for three classes or more.
    threshold_score_ : float, or ndarray of shape (n_labels,)
        The objective on the rows that judge, at the tuned threshold.
    threshold_interval_ : ThresholdInterval, or list of them
        Where 90 % of bootstrap samples put the threshold, and the objective at it.
    prior_ : ndarray of shape (n_classes,)
        Every class's share in the population that the probabilities speak of.
    history_ : dict of list
        Keras' history, with ``val_log_loss`` and ``val_average_precision`` where epochs were
        scored.
    n_iter_ : int
        Epochs run.
    stopped_by_ : None, "interrupt" or "divergence"
        What stopped the training before its time, by Ctrl-C or because the loss was no longer a
        number; None after a complete one.
    best_epoch_ : int
        The epoch, counted from 1, whose weights were kept; of the ensemble the middle of its
        members'.
    validation_score_ : float
        Log loss of the mapped probabilities on the validation rows; lower is better. Out of fold
        the mean over the folds; of the ensemble on all rows, each judged by the members that hold
        it out.

    Raises
    ------
    ValueError, TypeError
        By ``fit``, for parameters and data that are not allowed. The estimator is left as it was.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : scikit-learn's own, without class weights.

    Notes
    -----
    Under weights ``predict`` is not the argmax of ``predict_proba``: the probabilities are the
    population's, the decision is the one for which the weights are the costs. Whatever only
    averages probabilities, such as soft voting, ignores class weights.

    ``sample_weight`` is the opposite of ``class_weight``: it says which population the rows stand
    for, and so moves base rate, probabilities, curves and scores.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from wbce import WeightedKerasClassifier
    >>> X, y = make_classification(1000, weights=[0.9], random_state=0)
    >>> clf = WeightedKerasClassifier(class_weight="balanced", threshold="auto",
    ...                               validation_split=0.2, epochs=10, random_state=0)
    >>> clf.fit(X, y).predict(X[:5])
    array([0, 1, 0, 0, 0])
    >>> clf.predict_proba(X).shape
    (1000, 2)
    """

    def __init__(
        self,
        model: Any = None,
        *,
        loss: Any = DEFAULT_LOSS,
        class_weight: Any = None,
        pos_weight: Any = None,
        pos_label: Any = None,
        gamma: float = 2.0,
        alpha: float | None = None,
        label_smoothing: float = 0.0,
        cost_matrix: Any = None,
        calibrate: bool | str = True,
        prior: Any = None,
        threshold: Any = None,
        threshold_objective: Any = "f1",
        threshold_cv: Any = None,
        empty_labels: str = "error",
        validation_split: Any = 0.1,
        early_stopping: bool | str = "auto",
        n_iter_no_change: int = 10,
        optimizer: Any = "auto",
        batch_size: int | str = "auto",
        epochs: int = 100,
        from_logits: bool | None = None,
        metrics: Any = None,
        callbacks: Any = None,
        shuffle: bool = True,
        random_state: Any = None,
        verbose: int = 0,
        warm_start: bool = False,
        checkpoint: Any = None,
        distribute: str | None = None,
        **routed: Any,
    ) -> None:
        self.model = model
        self.loss = loss
        self.class_weight = class_weight
        self.pos_weight = pos_weight
        self.pos_label = pos_label
        self.gamma = gamma
        self.alpha = alpha
        self.label_smoothing = label_smoothing
        self.cost_matrix = cost_matrix
        self.calibrate = calibrate
        self.prior = prior
        self.threshold = threshold
        self.threshold_objective = threshold_objective
        self.threshold_cv = threshold_cv
        self.empty_labels = empty_labels
        self.validation_split = validation_split
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.epochs = epochs
        self.from_logits = from_logits
        self.metrics = metrics
        self.callbacks = callbacks
        self.shuffle = shuffle
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.distribute = distribute
        self._take_keywords(routed)

    # ------------------------------------------------------------------ fitting

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        **fit_arguments: Any,
    ) -> WeightedKerasClassifier:
        """Fit the network and choose the threshold.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features), or a stream
            Or an array of shape (n_samples, ...). Sparse rows stay sparse. For a built-in network
            columns of type category, string and boolean in a pandas or polars frame are
            categories, and NaN, None or NA are missing values. A stream is read in bounded memory
            (``docs/streams.md``): a memory map of 512 MiB or more, a path of Parquet files or a
            dataset of pyarrow, a Dask array or frame, a ``tf.data.Dataset``, a
            ``keras.utils.PyDataset``, or an iterator, an iterable or a callable that returns an
            iterator of batches (X, y) or (X, y, sample_weight).
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels; or zeros and ones, a column for every label. Of Parquet and Dask frames the
            name of the column; of batches, which have their own, None.
        sample_weight : array-like of shape (n_samples,), optional
            How many rows of the population each row stands for. Of Parquet and Dask frames the
            name of the column.
        X_val, y_val, sample_weight_val : optional
            Rows to stop training and choose the threshold with, in place of a share of X. In a
            Pipeline with metadata routing, ``transform_input=["X_val"]`` sends X_val through the
            steps before.
        groups : array-like of shape (n_samples,), optional
            Rows of one group (a patient, a customer) are not divided between training and judging.
        **fit_arguments
            Arguments for ``keras.Model.fit``, ``validation_data`` among them.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For parameters or data that are not allowed; the estimator is left as it was.
        BlockError
            For a block of a stream that cannot be used: a ValueError that names it.
        DivergenceError, KeyboardInterrupt
            If the loss is no longer a number, or at Ctrl-C: the estimator is fitted with its last
            good weights (``stopped_by_``), or left as it was, if there are none.

        Examples
        --------
        >>> from sklearn.datasets import make_classification
        >>> from wbce import WeightedKerasClassifier
        >>> X, y = make_classification(400, weights=[0.9], random_state=0)
        >>> clf = WeightedKerasClassifier("linear", class_weight="balanced", random_state=0)
        >>> clf.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:]).n_features_in_
        20
        """
        with self._as_it_was_on_error(), self._showing(fit_arguments):
            check_parameters(self)
            check_keras_arguments(fit_arguments)
            passed = self._passed_rows(X_val, y_val, sample_weight_val, fit_arguments)
            validation_split = check_validation_split(
                self._pop_fit_argument("validation_split", fit_arguments)
            )
            epochs = self._pop_fit_argument("epochs", fit_arguments)
            check_count("epochs", epochs)
            if self.checkpoint is not None:
                check_folder(self.checkpoint)
            replicas_of(self.distribute)  # who must meet before TensorFlow computes anything
            seed = self._draw_seed()
            going_on = self.warm_start and hasattr(self, "model_")
            for name in ("_weight_so_far", "_moved_prior"):
                self.__dict__.pop(name, None)
            if not going_on:
                self._forget()

            stream = stream_of(X, y, sample_weight)
            if stream is None:
                rows = self._fit_rows(X, y, sample_weight, groups, reset=not going_on)
            else:
                self._check_stream_suffices(validation_split, groups)
                rows = self._surveyed(stream, seed, reset=not going_on)
            self._find_positive(rows)
            self._check_decisions()
            self._skip_empty_labels(rows)
            train, judge, judged, last_epoch = self._divide(
                rows, passed, validation_split, seed, epochs, fit_arguments
            )
            class_weights = self._weigh(train)
            self._settle_prior(train)
            judge = judge and self._rebased(judge)
            with seeded(seed):
                if going_on:
                    self._follow_loss()
                else:
                    self._build(train)
                self._map_to_posterior(train, judge, class_weights, fit_arguments)
                if not going_on:
                    self._start(train)
            trained = self._train(
                train,
                judge,
                seed=seed,
                epochs=epochs,
                last_epoch=last_epoch,
                arguments=fit_arguments,
            )
            with trained.settling():
                held_back = self._judged(judge, among=rows if passed is None else judge)
                self._calibrate(held_back)
                self._choose_threshold(judged or held_back)
            self.__dict__.pop("_survey", None)
        trained.end()
        return self

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        **fit_arguments: Any,
    ) -> WeightedKerasClassifier:
        """Train one epoch on some rows, going on from the network as it is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,), optional
            All labels that will ever come; needed in the first call if its rows lack one.
        sample_weight : array-like of shape (n_samples,), optional
        **fit_arguments
            Arguments for ``keras.Model.fit``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the weights are a strategy or the threshold is "auto": both need all rows at once.

        Examples
        --------
        >>> from sklearn.datasets import make_classification
        >>> from wbce import WeightedKerasClassifier
        >>> X, y = make_classification(400, weights=[0.9], random_state=0)
        >>> clf = WeightedKerasClassifier("linear", pos_weight=9, random_state=0)
        >>> for rows in (slice(0, 200), slice(200, 400)):
        ...     clf = clf.partial_fit(X[rows], y[rows], classes=[0, 1])
        >>> clf.predict_proba(X).shape
        (400, 2)
        """
        with self._as_it_was_on_error(), self._showing(fit_arguments, in_parts=True):
            check_parameters(self)
            check_keras_arguments(fit_arguments)
            self._check_parts_suffice(fit_arguments)
            seed = self._draw_seed() + self.current_epoch
            first = not hasattr(self, "model_")
            if first:
                self._forget()
            self._remember_classes(classes, first)
            rows = self._fit_rows(X, y, sample_weight, reset=first)
            class_weights = self._weigh_part(rows)
            self._settle_prior(rows, before=0.0 if first else getattr(self, "_counts_so_far", 0.0))
            with seeded(seed):
                if first:
                    self._build(rows)
                else:
                    self._follow_loss()
                self._map_to_posterior(rows, None, class_weights, fit_arguments)
                if first:
                    self._start(rows)
            self._train(
                rows,
                None,
                seed=seed,
                epochs=1,
                initial_epoch=self.current_epoch,
                arguments=fit_arguments,
                in_parts=True,
            )
            if not hasattr(self, "_chosen_for"):  # one that was tuned stays
                self._choose_threshold(None)
        return self

    def initialize(self, X: ArrayLike, y: ArrayLike) -> WeightedKerasClassifier:
        """Build the network without training, to predict with one that is already trained.

        Its outputs are taken as they are: no weights are undone, and without a number as
        ``threshold`` the decision is at 0.5. A Keras model passed as `model` is used itself, and
        trained further by ``partial_fit``, not copied.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        y : array-like of shape (n_samples,)

        Returns
        -------
        self

        Examples
        --------
        >>> import keras
        >>> from sklearn.datasets import make_classification
        >>> from wbce import WeightedKerasClassifier
        >>> X, y = make_classification(400, weights=[0.9], random_state=0)
        >>> trained = keras.Sequential([keras.Input((20,)), keras.layers.Dense(1, "sigmoid")])
        >>> trained.compile(loss="binary_crossentropy")
        >>> clf = WeightedKerasClassifier(trained).initialize(X, y)
        >>> clf.model_ is trained
        True
        """
        with self._as_it_was_on_error():
            check_parameters(self)
            if self.prior is not None:
                raise ValueError(
                    f"prior={self.prior!r} needs the base rate of the training rows, which "
                    "initialize does not see. Leave it None."
                )
            seed = self._draw_seed()
            self._forget()
            rows = self._fit_rows(X, y, None, reset=True)
            unweighted = np.ones(0)
            if rows.codes is not None:
                several = self._has_several_labels()
                unweighted = np.ones((len(self.classes_), 2) if several else len(self.classes_))
                self._find_positive(rows)
                self._note_weights(unweighted)
            self._settle_prior(rows)
            with seeded(seed):
                self._build(rows, copied=False)
                self._map_to_posterior(rows, None, unweighted, {})
            self._choose_threshold(None)
        return self

    # ------------------------------------------------------------------ deciding anew

    def tune_threshold(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        objective: Any = None,
        sample_weight: ArrayLike | None = None,
        prior: Any = None,
    ) -> WeightedKerasClassifier:
        """Choose the threshold on new labelled rows; the network stays as it is.

        It holds until the next ``fit``; ``partial_fit`` leaves it alone.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Rows that the network was not trained on.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
        objective : str, dict, callable or scorer, optional
            What to choose for; None is the parameter ``threshold_objective``.
        sample_weight : array-like of shape (n_samples,), optional
        prior : float, array-like of shape (n_classes,) or dict by label, optional
            Base rate of the population to decide in, until the next ``fit``, if it is another
            than that of the last: probabilities move, and rows are weighted to have it.

        Returns
        -------
        self
            ``threshold_``, ``threshold_curve_``, ``threshold_score_`` and ``prior_`` change.

        Raises
        ------
        ValueError
            If the objective is unknown or cannot be met, or rows of a class are missing; the
            estimator is left as it was.

        Examples
        --------
        >>> from sklearn.datasets import make_classification
        >>> from wbce import WeightedKerasClassifier
        >>> X, y = make_classification(1000, weights=[0.9], random_state=0)
        >>> clf = WeightedKerasClassifier(epochs=10, random_state=0).fit(X[:700], y[:700])
        >>> clf.tune_threshold(X[700:], y[700:], objective={"max_alarms": 20})
        WeightedKerasClassifier(epochs=10, random_state=0)
        >>> int(clf.predict(X[700:]).sum())
        20
        """
        self._check_fitted()
        if self._posterior is None:
            raise ValueError(
                "A threshold is chosen for one label a row, two classes or more, and for labels "
                f"with a loss of this package; this {type(self).__name__} was fitted on targets of "
                f"type {self.target_type_!r}."
            )
        before = dict(self.__dict__)
        try:
            rows = self._validated((X, y, sample_weight), ("y", "sample_weight"))
            if prior is not None:
                self._move_prior(prior)
            rows = self._rebased(rows)
            z = self._logits_of(rows.X)
            said = self.threshold_objective if objective is None else objective
            self._tune(Judged(rows.codes, rows.sample_weight, len(rows), z), said)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    def estimate_prior(self, X: ArrayLike) -> Any:
        """Estimate the base rate of unlabelled rows, by EM (Saerens et al. 2002).

        It can be passed as ``prior`` to ``predict_proba``, ``predict`` and ``tune_threshold``. It
        holds if rows within a class are distributed as they were in training.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)

        Returns
        -------
        float, or ndarray of shape (n_classes,)
            Share of the positive class; for three classes or more every class's.

        See Also
        --------
        wbce.estimate_prior : the same from probabilities.

        Examples
        --------
        >>> from sklearn.datasets import make_classification
        >>> from wbce import WeightedKerasClassifier
        >>> X, y = make_classification(400, weights=[0.9], random_state=0)
        >>> clf = WeightedKerasClassifier("linear", epochs=3, random_state=0).fit(X, y)
        >>> with_more_positives = X[(y == 1) | (X[:, 0] > 0)]
        >>> bool(clf.estimate_prior(with_more_positives) > 0)
        True
        """
        self._check_fitted()
        if not hasattr(self, "prior_"):
            raise ValueError(
                "A base rate is estimated for classes that exclude each other; this "
                f"{type(self).__name__} was fitted on targets of type {self.target_type_!r}."
            )
        scores = self._log_scores(self._logits(X, {}))
        log_proba = two_columns(scores) if scores.ndim == 1 else scores
        shares = estimate_prior(np.exp(log_proba), self.prior_)
        return shares if self._positive is None else float(shares[self._positive])

    # ------------------------------------------------------------------ predicting

    def predict(
        self,
        X: ArrayLike,
        *,
        prior: Any = None,
        cost_matrix: ArrayLike | None = None,
        **predict_arguments: Any,
    ) -> NDArray[Any]:
        """Decide on a label for every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        prior : float, array-like of shape (n_classes,) or dict by label, optional
            Base rate of the population that these rows come from, if it is another than that of
            the fit (``prior_``). The threshold stays.
        cost_matrix : array-like, optional
            Costs of shape (n_classes, n_classes), or (n_samples, n_classes, n_classes) where they
            depend on the row, as with a transaction's amount: decides by least expected cost, in
            place of the threshold. ``[..., i, j]`` is the cost of calling a row of class i a j.
        **predict_arguments
            Arguments for ``keras.Model.predict``.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)

        Examples
        --------
        >>> from sklearn.datasets import make_classification
        >>> from wbce import WeightedKerasClassifier
        >>> X, y = make_classification(400, weights=[0.9], random_state=0)
        >>> clf = WeightedKerasClassifier("linear", epochs=3, random_state=0).fit(X, y)
        >>> clf.predict(X[:4]).shape
        (4,)
        >>> dear_misses = [[0, 1], [50, 0]]  # a false alarm costs 1, a miss 50
        >>> bool(clf.predict(X, cost_matrix=dear_misses).sum() >= clf.predict(X).sum())
        True
        """
        said = {"prior": prior, "cost_matrix": cost_matrix, **predict_arguments}
        of_blocks = self._said_of_blocks("predict", X, said)
        if of_blocks is not None:
            return of_blocks
        self._check_fitted()
        if self._posterior is None:
            outputs = self._keras_outputs(X, predict_arguments)
            return self.target_encoder_.inverse_transform(outputs)
        decision = self._decision(self._logits(X, predict_arguments), prior, cost_matrix)
        if self._has_several_labels():
            return (decision > 0).astype(self.y_dtype_)
        if decision.ndim == 1:
            return self.classes_[(decision > 0).astype(np.intp)]
        return self.classes_[np.argmax(decision, axis=1)]

    def predict_proba(
        self, X: ArrayLike, *, prior: Any = None, **predict_arguments: Any
    ) -> NDArray[np.floating]:
        """Give the probability of every class, or label, in the population.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        prior : float, array-like of shape (n_classes,) or dict by label, optional
            Base rate of the population that these rows come from, if it is another than that of
            the fit (``prior_``).
        **predict_arguments
            Arguments for ``keras.Model.predict``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; (n_samples, n_labels) for several labels a row. With
            ``calibrate=False`` the network's own output.

        Examples
        --------
        >>> from sklearn.datasets import make_classification
        >>> from wbce import WeightedKerasClassifier
        >>> X, y = make_classification(400, weights=[0.9], random_state=0)
        >>> clf = WeightedKerasClassifier("linear", epochs=3, random_state=0).fit(X, y)
        >>> p = clf.predict_proba(X)
        >>> bool((abs(p.sum(axis=1) - 1) < 1e-12).all())
        True
        >>> rarer = clf.predict_proba(X, prior=0.01)  # of a population with fewer positives
        >>> bool((rarer[:, 1] < p[:, 1]).all())
        True
        """
        of_blocks = self._said_of_blocks("predict_proba", X, {"prior": prior, **predict_arguments})
        if of_blocks is not None:
            return of_blocks
        self._check_fitted()
        if self._posterior is None:
            outputs = self._keras_outputs(X, predict_arguments)
            return self.target_encoder_.inverse_transform(outputs, return_proba=True)
        scores = self._shown_scores(self._logits(X, predict_arguments), prior)
        if self._has_several_labels():
            return expit(scores)
        if scores.ndim == 1:
            proba = np.empty((len(scores), 2))
            expit(-scores, out=proba[:, 0])
            expit(scores, out=proba[:, 1])
            return proba
        return np.exp(scores)

    def predict_log_proba(
        self, X: ArrayLike, *, prior: Any = None, **predict_arguments: Any
    ) -> NDArray[np.floating]:
        """Give the logarithm of ``predict_proba``, finite where a probability rounds to zero.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        prior : float, array-like of shape (n_classes,) or dict by label, optional
            Base rate of the population that these rows come from, if it is another than that of
            the fit (``prior_``).
        **predict_arguments
            Arguments for ``keras.Model.predict``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import make_classification
        >>> from wbce import WeightedKerasClassifier
        >>> X, y = make_classification(400, weights=[0.9], random_state=0)
        >>> clf = WeightedKerasClassifier("linear", epochs=3, random_state=0).fit(X, y)
        >>> bool(np.allclose(np.exp(clf.predict_log_proba(X)), clf.predict_proba(X)))
        True
        """
        of_blocks = self._said_of_blocks(
            "predict_log_proba", X, {"prior": prior, **predict_arguments}
        )
        if of_blocks is not None:
            return of_blocks
        self._check_fitted()
        if self._posterior is None:
            return np.log(self.predict_proba(X, **predict_arguments))
        scores = self._shown_scores(self._logits(X, predict_arguments), prior)
        if self._has_several_labels():
            return log_expit(scores)
        return two_columns(scores) if scores.ndim == 1 else scores

    def decision_function(
        self,
        X: ArrayLike,
        *,
        prior: Any = None,
        cost_matrix: ArrayLike | None = None,
        **predict_arguments: Any,
    ) -> NDArray[np.float64]:
        """Give the distance from the decision, in log-odds of the posterior.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        prior, cost_matrix : optional
            As in ``predict``.
        **predict_arguments
            Arguments for ``keras.Model.predict``.

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
            Two classes, and labels: above zero means ``classes_[1]``, or the label. More classes:
            the largest column is the decision; where ``cost_matrix`` decides, the columns are the
            expected costs, less than zero. With a ``cost_matrix`` passed here, and two classes,
            not log-odds, but what calling the row ``classes_[1]`` is expected to save.

        Examples
        --------
        >>> from sklearn.datasets import make_classification
        >>> from wbce import WeightedKerasClassifier
        >>> X, y = make_classification(400, weights=[0.9], random_state=0)
        >>> clf = WeightedKerasClassifier("linear", epochs=3, random_state=0).fit(X, y)
        >>> bool(((clf.decision_function(X) > 0) == (clf.predict(X) == 1)).all())
        True
        """
        said = {"prior": prior, "cost_matrix": cost_matrix, **predict_arguments}
        of_blocks = self._said_of_blocks("decision_function", X, said)
        if of_blocks is not None:
            return of_blocks
        self._check_fitted()
        if self._posterior is None:
            raise ValueError(
                "decision_function is defined for one label a row, two classes or more, and for "
                "labels with a loss of this package; this "
                f"{type(self).__name__} was fitted on targets of type {self.target_type_!r}."
            )
        return self._decision(self._logits(X, predict_arguments), prior, cost_matrix)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Give the accuracy of ``predict``; warn, once, where accuracy says little.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        float

        Examples
        --------
        >>> import warnings
        >>> from wbce import ImbalanceWarning
        >>> from sklearn.datasets import make_classification
        >>> from wbce import WeightedKerasClassifier
        >>> X, y = make_classification(400, weights=[0.9], random_state=0)
        >>> clf = WeightedKerasClassifier("linear", epochs=3, random_state=0).fit(X, y)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", ImbalanceWarning)  # accuracy is meant
        ...     0 <= clf.score(X, y) <= 1
        True
        """
        self._check_fitted()
        labels = self._validate_y(y, reset=False, same_dtype=False)
        predicted = self.predict(X)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, labels)
        if self._posterior is not None and not self._has_several_labels():
            labels = labels.ravel()
            warn_of_accuracy(labels, sample_weight)
        routed = {
            name.removeprefix("score__"): value
            for name, value in self.__dict__.items()
            if name.startswith("score__")
        }
        return self.scorer(labels, predicted, sample_weight=sample_weight, **routed)

    # ------------------------------------------------------------------ from logits to decisions

    def _check_fitted(self) -> None:
        if not self._has_network():
            check_is_fitted(self, "model_")

    def _logits(self, X: ArrayLike, arguments: dict[str, Any]) -> NDArray[np.float64]:
        """Logits of rows: one for two classes, one a class for more."""
        if self._wants_keras_predict(arguments):
            outputs = self._keras_outputs(X, arguments)
            function = self._traced_logits()
            if function.reads_outputs_exactly:
                return function.from_outputs(outputs)
        return self._logits_of(self._validate_data(X)[0])

    def _logits_of(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Logits of rows that are validated."""
        logits = self._traced_logits()
        with (
            rows_shown(self.verbose, _num_samples(X)) as saw,
            np.errstate(over="ignore", invalid="ignore"),  # what is not a number, is refused
        ):
            if issparse(X) and not self._sparse_rows:
                return np.concatenate([logits(self._encode(some), saw) for some in dense_blocks(X)])
            return logits(self._encode(X), saw)

    def _traced_logits(self) -> LogitFunction:
        function = self._logit_function
        if function is None:  # after unpickling: traced when first needed
            network = self._waiting().get("model_", {})
            if network.get("chain"):
                chain = checked_chain(network["chain"], network["variables"])
                function = LogitFunction.of_chain(chain, network["variables"], *self._output[1:])
            else:
                function = LogitFunction(self.model_, *self._output)
            self._logit_function = function
        return function

    def _keras_outputs(self, X: Any, arguments: dict[str, Any]) -> Any:
        check_keras_arguments(arguments)
        arguments = dict(arguments)
        size = arguments.get("batch_size", getattr(self, "predict__batch_size", self.batch_size))
        auto = isinstance(size, str) and size == "auto"
        n_rows = _num_samples(X)
        arguments["batch_size"] = 1024 if auto else batch_size_for(n_rows, size)
        if "verbose" in arguments or hasattr(self, "predict__verbose") or not is_live(self.verbose):
            return self._keras_predict(X, arguments, [])
        with rows_shown(self.verbose, n_rows) as saw:
            shown = ShownPredictions(saw, n_rows, arguments["batch_size"])
            return self._keras_predict(X, {**arguments, "verbose": 0}, [shown])

    def _shown_scores(self, z: NDArray[np.float64], prior: Any) -> NDArray[np.float64]:
        """Scores of the probabilities that are shown."""
        if self.calibrate:
            return refuse_nan(self._log_scores(z, prior))
        if prior is not None:
            raise ValueError(
                f"prior={prior!r} moves true probabilities, and calibrate=False shows the "
                "network's own output. Set calibrate=True."
            )
        refuse_nan(z)
        return z if z.ndim == 1 or self._has_several_labels() else log_softmax(z, axis=1)
