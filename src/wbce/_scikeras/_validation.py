"""X and y as scikit-learn wants them checked, with messages that say what to do."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.exceptions import DataConversionWarning
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from wbce._backend import ClassifierLabelEncoder, KerasClassifier, keras
from wbce._rows import as_labels
from wbce._sparse import canonical
from wbce.columns import FrameColumns, has_objects, is_frame
from wbce.streams import Survey

_LARGEST = float(np.finfo(np.float32).max)


class Validation(KerasClassifier):
    """Checks of rows and labels, and the encoders learnt from them."""

    X_shape_: tuple[int, ...]
    X_dtype_: np.dtype[Any]
    _frame_columns: FrameColumns | None  # of the built-in networks
    _sparse_rows = False  # at the fit
    _told_categories: list[int] | None = None  # where X is what such a frame was turned into
    _survey: Survey | None = None  # of a stream, while X is some of its rows
    _built_in: Callable[[], str | None]

    def _validate_data(
        self,
        X: Any = None,
        y: Any = None,
        reset: bool = False,
        y_numeric: bool = False,
        same_dtype: bool = False,
    ) -> tuple[Any, Any]:
        """Check rows and labels; with ``reset`` remember their shapes and types."""
        if X is None and y is None:
            raise ValueError("X is None: pass rows, one or more.")
        if X is not None:
            X = self._validate_X(X, reset=reset, same_dtype=same_dtype)
        if y is not None:
            y = self._validate_y(y, reset=reset, same_dtype=same_dtype)
        if X is not None and y is not None:
            check_consistent_length(X, y)
        return X, y

    def _validate_X(self, X: Any, *, reset: bool, same_dtype: bool) -> NDArray[Any]:
        if not reset and self._is_valid_at_first_sight(X):
            return X
        name = type(self).__name__
        _refuse_what_is_no_table(X, name)
        n_dimensions = getattr(X, "ndim", 2)
        if not reset and n_dimensions > 1 and n_dimensions != len(self.X_shape_):
            raise ValueError(
                f"X has {n_dimensions} dimensions, but this {name} is expecting "
                f"{len(self.X_shape_)} dimensions in X."
            )
        numeric = getattr(getattr(X, "dtype", None), "kind", "f") not in "OUS"
        if reset:
            self._sparse_rows = issparse(X)
            self._refuse_ensemble_of_sparse_rows()
        built_in = self._built_in() is not None
        if built_in and not issparse(X):
            X = self._without_categories(X, reset)
        may_miss = built_in and not self._sparse_rows
        finite = "allow-nan" if may_miss else not issparse(X)  # which are checked below
        try:
            with np.errstate(invalid="ignore"):  # the sum of infinities of both signs
                X = validate_data(
                    self,
                    X,
                    reset=reset,
                    dtype="numeric",
                    accept_sparse="csr",
                    allow_nd=True,
                    ensure_all_finite=finite,
                )
                if X.dtype.kind == "O":  # a frame with a categorical column
                    X = X.astype(np.float64)
                    X = check_array(X, allow_nd=True, ensure_all_finite=finite, input_name="X")
        except (ValueError, TypeError, OverflowError) as error:
            raise _about_X(error) from error
        if 0 in X.shape[1:]:
            raise ValueError(f"Found array with 0 feature(s): X has the shape {X.shape}.")
        if issparse(X):
            X = canonical(X)
        numbers = X.data if issparse(X) else X
        if X.dtype.kind == "f" and X.dtype.itemsize > 4 and numbers.size:
            largest = float(np.fmax.reduce(np.abs(numbers), axis=None))
            if largest > float(np.finfo(keras.backend.floatx()).max):
                raise ValueError(
                    f"X contains {largest:g}, a value too large for {keras.backend.floatx()}. "
                    "Rescale or clip that column, or take its logarithm."
                )
        if X.dtype.kind not in "biuf":
            raise ValueError(
                f"X has the type {X.dtype}, which is not a number. Turn dates and durations into "
                "numbers first, such as days since a day."
            )
        if X.dtype.kind == "f" and X.dtype.itemsize > 8:
            X = X.astype(np.float64)
        if not numeric:
            X = X.astype(keras.backend.floatx())
        if reset:
            self.X_dtype_, self.X_shape_ = X.dtype, X.shape
            self.n_features_in_ = X.shape[1]
            if built_in and not self._sparse_rows:
                self._input_columns = self._columns_of(X)
        elif X.shape[1:] != self.X_shape_[1:]:
            raise ValueError(
                f"X has shape {X.shape[1:]}, but this {name} is expecting X of shape "
                f"{self.X_shape_[1:]}"
            )
        elif same_dtype and not np.can_cast(X.dtype, self.X_dtype_, "same_kind"):
            raise ValueError(
                f"Got X with dtype {X.dtype}, but this {name} expected {self.X_dtype_} and "
                f"casting from {X.dtype} to {self.X_dtype_} is not safe!"
            )
        return X

    def _refuse_ensemble_of_sparse_rows(self) -> None:
        if self._sparse_rows and self._built_in() == "ensemble":
            raise ValueError(
                'X is sparse, and model="ensemble" is for dense rows: it ranks every number among '
                'those of its column. Pass model="linear", which is None for sparse rows, or '
                '"mlp"; or X.toarray(), if that fits into memory.'
            )

    def _without_categories(self, X: Any, reset: bool) -> Any:
        """A frame whose categories are numbers; arrays as they are."""
        if reset:
            self._frame_columns = FrameColumns(X) if is_frame(X) else None
            if self._survey is not None:
                self._frame_columns = self._survey.columns
        columns = getattr(self, "_frame_columns", None)
        if columns is None or not (columns.categorical or has_objects(X)):
            return X
        if not is_frame(X):
            raise ValueError(
                f"This {type(self).__name__} was fitted on a frame with the categorical columns "
                f"{columns.categorical}: pass a frame with the same columns, not "
                f"{type(X).__name__}, whose columns have no names to find them by."
            )
        return columns.numbers(X)

    def _columns_of(self, X: NDArray[Any]) -> tuple[list[int], list[bool]]:
        """For every column of a built-in network how many categories, and if values are missing."""
        rows = X.reshape(len(X), -1)
        n_categories = self._told_categories or [0] * rows.shape[1]
        if self._frame_columns is not None:
            n_categories = self._frame_columns.n_categories
        if self._survey is not None:
            return n_categories, self._survey.has_missing(rows)
        return n_categories, np.isnan(rows).any(axis=0).tolist()

    def _is_valid_at_first_sight(self, X: Any) -> bool:
        """Whether X is what scikit-learn's checks, which take longer than a row, would return."""
        return (
            type(X) is np.ndarray
            and X.dtype in (np.float32, np.float64)
            and X.shape[1:] == self.X_shape_[1:]
            and len(X) > 0
            and not hasattr(self, "feature_names_in_")
            and getattr(self, "_frame_columns", None) is None
            and self.X_dtype_.kind == "f"
            and keras.config.floatx() == "float32"
            and X.min() >= -_LARGEST
            and X.max() <= _LARGEST
        )

    def _validate_y(self, y: Any, *, reset: bool, same_dtype: bool) -> NDArray[Any]:
        name = type(self).__name__
        y = as_labels(y)
        y = check_array(y, ensure_2d=False, allow_nd=False, dtype=None, input_name="y")
        if reset:
            with np.errstate(invalid="ignore"):  # of floats beyond all whole numbers
                check_classification_targets(y)
            self.target_type_ = self._type_of_target(y)
            self.y_dtype_, self.y_ndim_ = y.dtype, y.ndim
            if y.ndim == 2 and y.shape[1] == 1:
                warnings.warn(
                    "A column-vector y was passed when a 1d array was expected. Please change "
                    "the shape of y to (n_samples,), for example using ravel().",
                    DataConversionWarning,
                    stacklevel=4,
                )
            return y
        if same_dtype and not np.can_cast(y.dtype, self.y_dtype_, "same_kind"):
            raise ValueError(
                f"Got y with dtype {y.dtype}, but this {name} expected {self.y_dtype_} and "
                f"casting from {y.dtype} to {self.y_dtype_} is not safe!"
            )
        if not same_dtype and {y.ndim, self.y_ndim_} == {1, 2} and y.size == len(y):
            return y.reshape(-1) if self.y_ndim_ == 1 else y.reshape(-1, 1)
        if y.ndim != self.y_ndim_:
            raise ValueError(
                f"y has {y.ndim} dimensions, but this {name} is expecting {self.y_ndim_} "
                "dimensions in y."
            )
        return y

    def _check_labels_are_known(
        self, y: NDArray[Any], name: str = "y", of: str = "the fit"
    ) -> None:
        """Check that there are no labels but those of the fit, or those announced."""
        unknown = sorted(set(y.ravel().tolist()) - set(self.classes_.tolist()), key=str)
        if unknown:
            raise ValueError(
                f"{name} has labels that {of} did not have: {unknown}. The labels are "
                f"{self.classes_.tolist()}."
            )

    def _has_one_label_a_row(self) -> bool:
        """Whether the fitted target encoder gives each row one class, two classes or more."""
        encoder = self.target_encoder_
        return isinstance(encoder, ClassifierLabelEncoder) and getattr(
            encoder, "_target_type", None
        ) in ("binary", "multiclass")

    def _fit_encoders(self, X: Any, y: Any) -> None:
        if self.classes_ is not None and self.target_type_ in ("binary", "multiclass"):
            self._check_labels_are_known(y, of="classes")
        for encoder, values in (("target_encoder", y), ("feature_encoder", X)):
            fitted = getattr(self, encoder).fit(values)
            setattr(self, f"{encoder}_", fitted)
            self.__dict__.update(getattr(fitted, "get_metadata", dict)())

    def _encode(self, X: Any) -> Any:
        """Rows as the network takes them."""
        encoder = self.feature_encoder_
        if type(encoder) is FunctionTransformer and encoder.func is None:
            return X
        return encoder.transform(X)


def _refuse_what_is_no_table(X: Any, name: str) -> None:
    """Refuse what scikit-learn would refuse without saying what to do, or read wrongly."""
    if is_frame(X) and not len(X.columns):
        raise ValueError(f"Found array with 0 feature(s): X has the shape {X.shape}.")
    if is_frame(X) and _is_sparse(X):
        raise TypeError(
            f"Sparse data was passed for X (a frame of sparse columns), but {name} needs a "
            "matrix or a dense frame. Use X.sparse.to_coo(), or X.sparse.to_dense()."
        )
    if np.ma.is_masked(X):
        raise ValueError(
            "X has masked values, which would count as what is under the mask. Fill them, for "
            "instance X.filled(np.nan) for the built-in networks, which take missing values."
        )


def _is_sparse(X: Any) -> bool:
    return all(str(dtype).startswith("Sparse") for dtype in X.dtypes)


def _about_X(error: Exception) -> Exception:
    """What scikit-learn and NumPy say of rows, for the person who passed them."""
    said = " ".join(str(error).split())[:300]
    if "could not convert string" in said or "bytes/strings" in said:
        return ValueError(
            f"X has values that are not numbers ({said}). The built-in networks take "
            "categories in the columns of a pandas or polars frame; else turn text "
            "and categories into numbers first, in a Pipeline: OneHotEncoder or "
            "OrdinalEncoder of scikit-learn, by a ColumnTransformer."
        )
    if "Complex data" in said:
        return ValueError(
            "Complex data not supported: X has complex numbers. Pass real ones, such as their "
            "real and imaginary parts in columns of their own."
        )
    if isinstance(error, OverflowError):
        return ValueError(f"X has a number that is too large ({said}).")
    if any(word in said for word in ("X ", "Found array", "Expected 2D", "eature names")):
        return error
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"X cannot be taken as a table of numbers ({said}).")
