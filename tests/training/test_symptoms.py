"""Each symptom just inside and just outside its thresholds, on handmade histories."""

import math

import pytest

from gan.training.symptoms import (
    BlowUp,
    DiscriminatorWon,
    GeneratorAhead,
    History,
    MarginReached,
    ModeCollapse,
    Observation,
    OrderReversed,
    Oscillation,
    least_loss,
    swings,
)


def outputs(*pairs):
    """Checks every 50 batches with the mean outputs (D(x), D(G(z)))."""
    return History(
        [], [Observation(150 + 50 * i, {"D(x)": x, "D(G(z))": g}, [g] * 50) for i, (x, g) in enumerate(pairs)]
    )


@pytest.mark.parametrize(
    ("pairs", "alarm"),
    [
        ([(0.981, 0.019)] * 3, True),
        ([(0.981, 0.019)] * 2, False),  # not long enough
        ([(0.979, 0.019)] * 3, False),
        ([(0.981, 0.021)] * 3, False),
        ([(0.981, 0.019), (0.9, 0.1), (0.981, 0.019)], False),
        ([(0.9, 0.1), (0.981, 0.019), (0.981, 0.019), (0.981, 0.019)], True),  # only the latest count
        ([(0.975, 0.035)] * 3, False),  # the lead of D that the authors' optimizer recovers from on MNIST
    ],
)
def test_discriminator_won_thresholds(pairs, alarm):
    assert (DiscriminatorWon()(outputs(*pairs)) is not None) is alarm


def test_message_has_the_values_and_the_first_iteration():
    history = outputs(*[(0.99, 0.005)] * 4)
    history.latest[-1].values.update({"loss/generator": -0.0123, "gradient_norm/generator": 3e-5})
    said = DiscriminatorWon()(history)
    assert said == (
        "D(x) 0.99, D(G(z)) 0.005, loss/generator -0.0123, gradient_norm/generator 3e-05 since iteration 150"
    )


def test_first_iteration_needs_no_course_of_d():
    """A loss without a probability has no D(G(z)) of each batch."""
    history = History(latest=[Observation(50 * n, {"rate/separated": 0.99}) for n in range(3, 7)])
    assert MarginReached()(history) == "rate/separated 0.99 since iteration 150"


@pytest.mark.parametrize(
    ("pairs", "alarm"),
    [
        ([(0.5, 0.5)] * 9, False),  # the equilibrium, and a D that has learnt nothing
        ([(0.65, 0.583)] * 3, False),  # the start of a healthy run on MNIST
        ([(0.8, 0.25)] * 3, False),
        ([(0.7, 0.7)] * 3, True),  # takes nearly everything for real: -log .21
        ([(0.3, 0.3)] * 3, True),  # takes nearly everything for generated
        ([(0.45, 0.6)] * 3, True),
        ([(0.48, 0.52)] * 3, False),  # a bound of 1.468: within the margin
        ([(0.45, 0.6), (0.5, 0.5), (0.45, 0.6)], False),
    ],
)
def test_generator_ahead_thresholds(pairs, alarm):
    assert (GeneratorAhead()(outputs(*pairs)) is not None) is alarm


@pytest.mark.parametrize(("excess", "alarm"), [(0.099, False), (0.101, True)])
def test_generator_ahead_margin(excess, alarm):
    half = math.exp(-(math.log(4) + excess) / 2)  # D(x) = 1 - D(G(z)) with the required bound
    assert least_loss(half, 1 - half) == pytest.approx(math.log(4) + excess)
    assert (GeneratorAhead(margin=0.1)(outputs(*[(half, 1 - half)] * 3)) is not None) is alarm


def test_least_loss_bounds_the_mean_loss():
    """The mean loss is at least the loss of the mean outputs; the bound is finite for outputs of 0 and 1."""
    real, fake = [0.2, 0.9, 0.99], [0.4, 0.01, 0.7]
    mean = sum(-math.log(x) for x in real) / 3 + sum(-math.log(1 - g) for g in fake) / 3
    assert least_loss(sum(real) / 3, sum(fake) / 3) < mean
    assert math.isfinite(least_loss(0.0, 1.0))


def variety(*measured, real=20.0, every=10):
    """Checks of which every tenth, including the last, has measured the variety of samples."""
    checks = []
    for i, drawn in enumerate(measured):
        checks += [Observation(500 * i + 50 * j, {}) for j in range(1, every)]
        checks.append(Observation(500 * (i + 1), {"variety/samples": drawn, "variety/real": real}))
    return History([], checks)


@pytest.mark.parametrize(
    ("measured", "alarm"),
    [
        ([2.0, 2.0, 2.4], True),
        ([2.0, 2.0, 2.6], False),  # it grows by more than a quarter
        ([2.0, 3.1, 2.0], False),  # 3.1 is above .15 · 20
        ([2.9, 2.9, 2.9], True),
        ([3.1, 3.1, 3.1], False),
        ([10.0, 4.9, 4.9], True),  # fallen below half
        ([10.0, 4.9, 5.1], False),
        ([10.0, 5.1, 4.9], False),
        ([2.0, 2.0], False),  # fewer checks than required
        ([2.0, 2.0, 14.0, 6.9, 6.9], True),
        ([14.0, 7.1, 7.1, 7.1], False),  # older measurements do not count
        ([41.0, 20.0, 10.1], False),  # scattered samples come near the real ones, 20
        ([41.0, 10.1, 10.1], False),
        ([41.0, 9.9, 9.9], True),
        # Observed on MNIST: tutorial_mlp, shallow, paper_mnist_2014, mlp_bn.
        ([0.13 * 20, 0.18 * 20, 0.18 * 20, 0.19 * 20, 0.18 * 20], False),
        ([0.06 * 20, 0.09 * 20, 0.14 * 20], False),
        ([0.05 * 20, 0.12 * 20, 0.14 * 20], False),
        ([0.10 * 20, 0.17 * 20, 0.31 * 20], False),
        # … and paper_mnist_2014 with alternating updates, after D had won.
        ([0.18 * 20, 0.07 * 20, 0.05 * 20], True),
    ],
)
def test_mode_collapse_thresholds(measured, alarm):
    assert (ModeCollapse()(variety(*measured)) is not None) is alarm


@pytest.mark.parametrize(("drawn", "alarm"), [(1.0, True), (1.19, True), (1.21, False), (5.0, False)])
def test_mode_collapse_to_one_example_is_found_where_real_ones_are_few(drawn, alarm):
    """A ring of eight modes: .15 of its 5.6 is below 1, the score of samples that are all the same."""
    assert (ModeCollapse()(variety(drawn, drawn, drawn, real=5.63)) is not None) is alarm


def test_mode_collapse_uses_only_checks_with_a_variety():
    one = History([], [Observation(50 * i, {}) for i in range(29)] + variety(1.0, every=1).latest)
    assert ModeCollapse()(one) is None
    assert "as varied as 2 different images, real ones as 20" in ModeCollapse()(variety(2.0, 2.0, 2.0))


def history_of(values, checks=20):
    """A history with the same number of values in each observation."""
    size = len(values) // checks
    return History([], [Observation(0, {}, values[i * size : (i + 1) * size]) for i in range(checks)])


def test_swings_count_crossings_between_both_thresholds():
    assert swings([0.1, 0.9, 0.1, 0.9], 0.2, 0.8) == 3
    assert swings([0.1, 0.5, 0.1, 0.79, 0.21, 0.1], 0.2, 0.8) == 0
    assert swings([0.1, 0.4, 0.6, 0.9, 0.6, 0.85], 0.2, 0.8) == 1  # crossings may take several batches
    assert swings([], 0.2, 0.8) == 0


@pytest.mark.parametrize(
    ("period", "amplitude", "alarm"),
    [(32, 0.4, True), (40, 0.4, False), (32, 0.29, False), (20, 0.31, True)],
)
def test_oscillation_thresholds(period, amplitude, alarm):
    """1,000 batches of a sine around ½: two swings per period, and sixty are required."""
    values = [0.5 + amplitude * math.sin(2 * math.pi * i / period) for i in range(1000)]
    assert (Oscillation()(history_of(values)) is not None) is alarm


def test_noise_or_a_single_change_is_no_oscillation():
    assert Oscillation()(history_of([0.3 + 0.4 * (i % 2) for i in range(1000)])) is None
    assert Oscillation()(history_of([0.1 if i < 500 else 0.9 for i in range(1000)])) is None


def growing(name, before, *after):
    return History(
        [Observation(0, {name: before}), Observation(50, {name: before})],
        [Observation(100, {name: v}, [0.5] * 50) for v in after],
    )


@pytest.mark.parametrize("name", ["loss/discriminator", "gradient_norm/generator", "weight_norm/generator"])
@pytest.mark.parametrize(
    ("before", "after", "alarm"),
    [
        (2.0, (201, 201), True),
        (2.0, (199, 201), False),
        (2.0, (201, 199), False),
        (2.0, (-201, 201), True),
        (0.001, (99, 99), False),  # a level below 1 counts as 1
        (0.001, (101, 101), True),
        (2.0, (math.nan, math.nan), False),  # left to the guard
    ],
)
def test_blow_up_thresholds(name, before, after, alarm):
    assert (BlowUp()(growing(name, before, *after)) is not None) is alarm


def test_blow_up_compares_weights_with_their_initial_norm():
    early = [
        Observation(0, {"weight_norm/generator": 5.0}),
        Observation(50, {"weight_norm/generator": 400.0, "loss/generator": 9.0}),
    ]
    assert BlowUp()(History(early, [Observation(150, {"weight_norm/generator": 501.0})] * 2))
    assert BlowUp()(History(early, [Observation(150, {"loss/generator": 899.0})] * 2)) is None
    assert BlowUp()(History(early, [Observation(150, {"variety/samples": 1e9, "D(x)": 1e9})] * 2)) is None


def test_no_symptom_during_the_warm_up():
    early = outputs(*[(1.0, 0.0)] * 30).latest
    assert all(s(History(early, [])) is None for s in (DiscriminatorWon(), GeneratorAhead(), BlowUp()))


@pytest.mark.parametrize("symptom", [DiscriminatorWon, GeneratorAhead, ModeCollapse, Oscillation, BlowUp])
def test_checks_out_of_range_are_refused(symptom):
    with pytest.raises(ValueError, match="checks must be a whole number of at least 1, got 0"):
        symptom(checks=0)


def test_oscillation_needs_low_below_high():
    with pytest.raises(ValueError, match=r"low must be less than high, got 0.8 and 0.2"):
        Oscillation(low=0.8, high=0.2)


def rates(name, *values):
    return History([], [Observation(150 + 50 * i, {name: value}, [0.5] * 50) for i, value in enumerate(values)])


@pytest.mark.parametrize(
    ("values", "alarm"),
    [([0.981] * 3, True), ([0.981] * 2, False), ([0.979] * 3, False), ([0.99, 0.5, 0.99], False)],
)
def test_margin_reached_thresholds(values, alarm):
    assert (MarginReached()(rates("rate/separated", *values)) is not None) is alarm
    assert DiscriminatorWon()(rates("rate/separated", *values)) is None


@pytest.mark.parametrize(
    ("values", "alarm"), [([0.29] * 3, True), ([0.31] * 3, False), ([0.5] * 3, False), ([0.1, 0.4, 0.1], False)]
)
def test_order_reversed_thresholds(values, alarm):
    assert (OrderReversed()(rates("rate/ordered", *values)) is not None) is alarm
    assert GeneratorAhead()(rates("rate/ordered", *values)) is None
