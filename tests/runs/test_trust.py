"""What the refusal of a class advises: only a package that may be the user's own is worth trust=PACKAGE."""

import pytest

from gan.core.errors import UserError
from gan.runs.trust import check_target


def refusal(key, target, trust=()):
    with pytest.raises(UserError) as error:
        check_target(key, target, "FILE", trust)
    return str(error.value)


@pytest.mark.parametrize("key", ["loss", "penalty.drift", "data.root"])
def test_class_of_another_package_asks_for_trust(key):
    assert refusal(key, "my_gan.losses.Exponential") == (
        f"FILE: {key}=my_gan.losses.Exponential is not a class of this repository, so it is not built; if you trust "
        "this code, add trust=my_gan."
    )


@pytest.mark.parametrize("target", ["os.system", "torch.hub.load", "gan.losses.penalties.R1"])
def test_function_of_a_library_or_class_of_another_role_does_not(target):
    assert (
        refusal("loss", target) == f"FILE: loss={target} is no Loss of gan, so it is not built; do not use this file."
    )


def test_advice_is_followed_by_the_next_answer():
    """With the trust that the message asks for, the class is looked for; there is none here."""
    message = refusal("loss", "my_gan.losses.Exponential", trust=["my_gan"])
    assert "is no Loss of my_gan, so it is not built; Python must find it" in message
    check_target("loss", "gan.losses.adversarial.NonSaturating", "FILE")
