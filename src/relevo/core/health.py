"""The noun that failures and the health of targets share: what a failure says of the target."""

from enum import StrEnum


class Harm(StrEnum):
    """What a failed call says of its target, and so for how long others stay away from it."""

    NONE = "none"
    """Nothing: the request was to blame, or a bug of ours."""
    FAILURE = "failure"
    """It could not answer: unreachable, silent, cut off, a server error, overloaded. A few of these open it."""
    COOLDOWN = "cooldown"
    """It answered "later" (429): it is well, but to be left alone until then."""
    ROUTE = "route"
    """This model is not there: other models behind the same key may be."""
    KEY = "key"
    """Our key is refused, or its account is empty: nothing behind this key can answer."""
