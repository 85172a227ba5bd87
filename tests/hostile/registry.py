"""All kinds of hostile input, by name."""

KINDS = {}


def kind(**strategies):
    """Register a property: a function of a value from each strategy, which gives its ending."""

    def register(check):
        KINDS[check.__name__.replace("_", " ")] = strategies, check
        return check

    return register
