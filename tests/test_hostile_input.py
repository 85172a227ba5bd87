"""Odd input of every kind ends in a correct result or in an error that a person understands.

The inputs and the rules are in ``tests/hostile``. ``WBCE_EXAMPLES=1000`` tries more of each kind.
"""

import os

import pytest
from hypothesis import HealthCheck, given, settings

from hostile.kinds import KINDS
from hostile.of_parameters import LIKELY
from wbce import WeightedKerasClassifier

N_EXAMPLES = int(os.environ.get("WBCE_EXAMPLES", "25"))

few = settings(
    max_examples=N_EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.filterwarnings("ignore")  # the rules have filters of their own
@pytest.mark.parametrize("kind", KINDS)
def test_it_ends_well(kind):
    strategies, check = KINDS[kind]

    @few
    @given(**strategies)
    def every_input(**inputs):
        check(**inputs)

    every_input()


def test_every_parameter_is_tried():
    assert set(LIKELY) == set(WeightedKerasClassifier().get_params())
