"""Optimizer steps by TensorFlow's fused kernels, one pass over a variable instead of ten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wbce._backend import keras, tf

optimizers = keras.optimizers
raw = tf.raw_ops

Step = Callable[[list[Any], list[Any], Any], None]


def apply_gradients(
    optimizer: Any, gradients: list[Any], variables: list[Any], extra: list[Any]
) -> None:
    """Take one step, by a fused kernel if there is one for the optimizer, while tracing.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        Built.
    gradients : list of tensor, IndexedSlices or None
    variables : list of keras.Variable
    extra : list of tf.Variable
        One a variable if the kernel wants more than Keras has, see :func:`wants_extra_slot`.
    """
    step = _fused_step(optimizer, extra)
    dense = all(isinstance(gradient, tf.Tensor) for gradient in gradients)
    if step is None or not dense or optimizer.use_ema or optimizer.gradient_accumulation_steps:
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return
    gradients = optimizer._clip_gradients(gradients)
    optimizer._apply_weight_decay(variables)
    step(gradients, variables, optimizer._get_current_learning_rate())
    for variable in variables:
        if variable.constraint is not None:
            variable.assign(variable.constraint(variable))
    optimizer.iterations.assign_add(1)


def wants_extra_slot(optimizer: Any) -> bool:
    """Whether the kernel writes a zero variable for every trained one that Keras does not have."""
    return type(optimizer) is optimizers.RMSprop and optimizer.momentum == 0


def _fused_step(optimizer: Any, extra: list[Any]) -> Step | None:
    kind = type(optimizer)
    if kind in (optimizers.Adam, optimizers.AdamW) and not optimizer.amsgrad:
        return lambda *step: _adam(optimizer, *step)
    if kind is optimizers.SGD:
        return lambda *step: _sgd(optimizer, *step)
    if kind is optimizers.RMSprop:
        return lambda *step: _rmsprop(optimizer, extra, *step)
    return None


def _adam(optimizer: Any, gradients: list[Any], variables: list[Any], learning_rate: Any) -> None:
    powers: dict[Any, Any] = {}  # the same for all variables of a type
    for gradient, variable in zip(gradients, variables, strict=True):
        index, dtype = optimizer._get_variable_index(variable), variable.dtype
        if dtype not in powers:
            count = keras.ops.cast(optimizer.iterations + 1, dtype)
            powers[dtype] = [tf.pow(tf.cast(b, dtype), count) for b in _betas(optimizer)]
        beta_1, beta_2 = (tf.cast(b, dtype) for b in _betas(optimizer))
        raw.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(optimizer._momentums[index]),
            v=_handle(optimizer._velocities[index]),
            beta1_power=powers[dtype][0],
            beta2_power=powers[dtype][1],
            lr=tf.cast(learning_rate, dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.cast(optimizer.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )


def _sgd(optimizer: Any, gradients: list[Any], variables: list[Any], learning_rate: Any) -> None:
    for gradient, variable in zip(gradients, variables, strict=True):
        dtype = variable.dtype
        rate, gradient = tf.cast(learning_rate, dtype), tf.cast(gradient, dtype)
        if optimizer.momentum == 0:
            raw.ResourceApplyGradientDescent(var=_handle(variable), alpha=rate, delta=gradient)
            continue
        raw.ResourceApplyKerasMomentum(
            var=_handle(variable),
            accum=_handle(optimizer.momentums[optimizer._get_variable_index(variable)]),
            lr=rate,
            grad=gradient,
            momentum=tf.cast(optimizer.momentum, dtype),
            use_nesterov=optimizer.nesterov,
        )


def _rmsprop(
    optimizer: Any,
    extra: list[Any],
    gradients: list[Any],
    variables: list[Any],
    learning_rate: Any,
) -> None:
    for gradient, variable in zip(gradients, variables, strict=True):
        index, dtype = optimizer._get_variable_index(variable), variable.dtype
        arguments = {
            "var": _handle(variable),
            "ms": _handle(optimizer._velocities[index]),
            "mom": _handle((extra or optimizer._momentums)[index]),
            "lr": tf.cast(learning_rate, dtype),
            "rho": tf.cast(optimizer.rho, dtype),
            "momentum": tf.cast(optimizer.momentum, dtype),
            "epsilon": tf.cast(optimizer.epsilon, dtype),
            "grad": tf.cast(gradient, dtype),
        }
        if optimizer.centered:
            average = _handle(optimizer._average_gradients[index])
            raw.ResourceApplyCenteredRMSProp(mg=average, **arguments)
        else:
            raw.ResourceApplyRMSProp(**arguments)


def _betas(optimizer: Any) -> tuple[float, float]:
    return optimizer.beta_1, optimizer.beta_2


def _handle(variable: Any) -> Any:
    return getattr(variable, "_value", variable).handle
