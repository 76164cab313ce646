"""The picture of a run: what stands in it, and that it fits."""

from __future__ import annotations

import re

import pytest

from engine.adapters.screen.live_view import LiveView, clock_of
from engine.core.identity import Owner
from engine.core.limits import LIVE_GROUPS_SHOWN_MAX_COUNT
from engine.ports import events
from tests.fleets import CANVAS, KERNEL, LAB, LANE, key_of
from tests.growth import LINEAR_MAX_FACTOR, steps_of
from tests.unit.adapters.runs import Clock, plan_of

SGR = re.compile(r"\x1b\[[0-9;]*m")
BUCKET = "111122223333/eu-west-1/JupyterLab/ml.t3.medium"
STARTED = events.RunStarted("ml-platform", "1", 3)
PLAN = {LAB: "ml.t3.medium", CANVAS: "", KERNEL: "ml.m5.large"}


class Screen:
    """A terminal that keeps what it was shown."""

    def __init__(self) -> None:
        self.columns, self.lines = 100, 30
        self.shown: list[str] = []

    def size(self) -> tuple[int, int]:
        return self.columns, self.lines


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def view(clock: Clock, screen: Screen) -> LiveView:
    return LiveView(screen.shown.append, clock=clock, size=screen.size, colour=False)


def begin(view: LiveView) -> None:
    view.expect(plan_of(PLAN))
    view.emit(STARTED)


def test_before_the_plan_it_tells_what_was_listed(view: LiveView, clock: Clock) -> None:
    clock.now += 7
    assert view.frame() == "0:07  listing"
    view.emit(events.DomainListed("research", 1_200, 12, 3.0))
    assert view.frame() == "0:07  listing, 1,200 apps so far"


def test_a_line_for_the_run_one_for_the_calls_and_one_a_bucket(view: LiveView, clock: Clock) -> None:
    begin(view)
    view.emit(events.AppCreated(key_of(CANVAS), 1, 0.1, ""))
    view.emit(events.CallAnswered("CreateApp", "ok", 0.1))
    clock.now += 10
    view.emit(events.AppInService(key_of(CANVAS), 4.0))
    view.emit(events.AppCreated(key_of(LAB), 1, 0.1, "ml.t3.medium"))
    view.emit(events.LaneRateChanged(LANE, 4.25))
    head, *rest = view.frame().split("\n")
    assert re.fullmatch(r"ml-platform  ━{13}─{27}  1 of 3  0:10  about 15 s left", head)
    assert rest == [
        "0.1 calls/s of 4.2 allowed; 1 starting",
        "  running JupyterLab/ml.t3.medium    0/1  1 starting",
        "  waiting KernelGateway/ml.m5.large  0/1",
        "  done    Canvas                     1/1",
    ]


def test_profiles_and_spaces_have_their_count_beside_the_calls(view: LiveView) -> None:
    begin(view)
    assert "profiles and spaces" not in view.frame()
    view.emit(events.OwnerSettled(Owner("research", "space", "alice-lab"), "updated", 1.0))
    assert "1 of 1 profiles and spaces done" in view.frame()


def test_a_parked_bucket_stands_first_with_the_time_of_its_probe(view: LiveView, clock: Clock) -> None:
    begin(view)
    view.emit(events.BucketParked(BUCKET, 20.0, 1, "full", value=4, used=4))
    clock.now += 12
    assert "  parked  JupyterLab/ml.t3.medium    0/1  1 waiting; next probe in 8 s; 4 of 4 used" in view.frame()
    clock.now += 12
    assert view.frame().split("\n")[2].endswith("1 waiting; probing; 4 of 4 used")
    view.emit(events.BucketReopened(BUCKET, 24.0))
    assert "parked" not in view.frame()


@pytest.mark.parametrize("columns", [36, 60, 80, 120])
def test_the_promised_time_of_a_probe_is_never_cut(view: LiveView, screen: Screen, columns: int) -> None:
    screen.columns = columns
    begin(view)
    long = "Maximum number of running Studio apps allowed per account in a region with a long name"
    view.emit(events.BucketParked(long, 4_000.0, 1_234, "full", value=4, used=4))
    lines = view.frame().split("\n")
    whole = ["1,234 waiting; next probe in 67 min"] if columns >= 60 else ["1,234 waiting", "next probe in 67 min"]
    for said in (*whole, "4 of 4 used"):
        assert any(said in line for line in lines)
    assert all(len(line) < columns for line in lines)


@pytest.mark.parametrize("columns", [50, 60, 80])
def test_names_of_other_buckets_are_whole_beside_one_that_is_parked(
    view: LiveView, screen: Screen, columns: int
) -> None:
    screen.columns = columns
    begin(view)
    view.emit(events.BucketParked(BUCKET, 20.0, 1, "full", value=4, used=4))
    lines = view.frame().split("\n")
    assert lines[2:] == [
        "  parked  JupyterLab/ml.t3.medium    0/1",
        "    1 waiting; next probe in 20 s; 4 of 4 used",
        "  waiting Canvas                     0/1",
        "  waiting KernelGateway/ml.m5.large  0/1",
    ]


@pytest.mark.parametrize(
    ("columns", "head"),
    [
        (100, r"ml-platform  ━{13}─{27}  1 of 3  0:10  about 30 s left"),
        (60, r"ml-platform  ━{5}─{10}  1 of 3  0:10  about 30 s left"),
        (46, r"ml-platform  1 of 3  0:10  about 30 s left"),
        (40, r"ml-plat…  1 of 3  0:10  about 30 s left"),
        (32, r"1 of 3  0:10  about 30 s left"),
    ],
)
def test_a_narrow_terminal_shows_the_numbers_and_not_the_name(
    view: LiveView, screen: Screen, clock: Clock, columns: int, head: str
) -> None:
    screen.columns = columns
    begin(view)
    view.emit(events.AppCreated(key_of(CANVAS), 1, 0.1, ""))
    view.emit(events.CallAnswered("CreateApp", "ok", 0.1))
    clock.now += 10
    view.emit(events.AppInService(key_of(CANVAS), 4.0))
    assert re.fullmatch(head, view.frame().split("\n")[0])


def test_counts_of_calls_that_do_not_fit_go_onto_a_second_line(view: LiveView, screen: Screen) -> None:
    screen.columns = 40
    begin(view)
    view.emit(events.LaneRateChanged(LANE, 4.25))
    view.emit(events.AppCreated(key_of(CANVAS), 1, 0.1, ""))
    view.emit(events.AppFailed(key_of(LAB), "AccessDenied", "no", "hint"))
    assert view.frame().split("\n")[1:3] == ["0.0 calls/s of 4.2 allowed; 1 starting", "1 failed"]


def test_lines_below_parked_buckets_count_for_the_height(view: LiveView, screen: Screen) -> None:
    screen.columns, screen.lines = 50, 12
    begin(view)
    for kind in ("JupyterLab/ml.t3.medium", "KernelGateway/ml.m5.large"):
        bucket = f"111122223333/eu-west-1/{kind}"
        view.emit(events.BucketParked(bucket, 20.0, 1, "full", value=4, used=4))
    assert view.frame().count("\n") == 2 + 4
    assert view.frame().endswith("4 of 4 used\n  and 1 more")


def test_a_quota_that_is_no_buckets_has_a_line_of_its_own(view: LiveView) -> None:
    begin(view)
    view.emit(events.BucketParked("Studio apps per account\x1b", 20.0, 7, "full"))
    assert "  parked  Studio apps per account\\u001b" in view.frame()
    assert "7 waiting; next probe in 20 s" in view.frame()


def test_an_app_without_instance_type_finds_its_quota_too(view: LiveView) -> None:
    begin(view)
    view.emit(events.BucketParked("111122223333/eu-west-1/Canvas/", 20.0, 1, "full"))
    assert "  parked  Canvas  " in view.frame()
    assert "1111" not in view.frame()


def test_the_last_failures_stand_below(view: LiveView) -> None:
    begin(view)
    view.emit(events.AppFailed(key_of(LAB), "AccessDenied", "no\x1b[2J", "hint"))
    lines = view.frame().split("\n")
    assert lines[-1] == f"  failed  {LAB}: AccessDenied: no\\u001b[2J"
    assert "1 failed" in lines[1]
    assert "  failed  JupyterLab/ml.t3.medium    1/1  1 failed" in lines


def test_a_run_that_stops_says_why(view: LiveView) -> None:
    begin(view)
    view.emit(events.RunInterrupted("a signal"))
    assert view.frame().split("\n")[0].endswith("0:00  stopping: a signal")


@pytest.mark.parametrize("columns", [1, 20, 40, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(view: LiveView, screen: Screen, columns: int) -> None:
    begin(view)
    view.emit(events.BucketParked("a quota with a name that is as long as names of quotas are" * 3, 20.0, 7, "full"))
    view.emit(events.AppFailed(key_of(LAB), "AccessDenied", "no " * 200, "hint"))
    screen.columns = columns
    lines = view.frame().split("\n")
    assert len(lines) == {120: 7, 200: 7, 80: 7, 60: 8, 40: 8}.get(columns, 10), "what a bucket waits for goes below it"
    assert max(map(len, lines)) <= max(columns - 1, 20)


def test_what_does_not_fit_the_height_is_counted(view: LiveView, screen: Screen) -> None:
    view.expect(plan_of({f"research/user/u{n}/KernelGateway/k": f"ml.c5.{n + 1}xlarge" for n in range(20)}))
    view.emit(STARTED)
    assert view.frame().count("\n") == 2 + LIVE_GROUPS_SHOWN_MAX_COUNT
    assert view.frame().endswith("  and 8 more")
    screen.lines = 12
    assert view.frame().count("\n") == 2 + 4
    screen.lines = 2
    assert view.frame().endswith("  and 19 more")


def test_a_name_is_never_read_as_markup(view: LiveView) -> None:
    view.expect(plan_of(PLAN))
    view.emit(events.RunStarted("[red]fleet[/red] :smile:", "1", 3))
    assert view.frame().startswith("[red]fleet[/red] :smile:")


def test_colour_is_on_or_off(clock: Clock, screen: Screen, view: LiveView) -> None:
    coloured = LiveView(screen.shown.append, clock=clock, size=screen.size, colour=True)
    for one in (coloured, view):
        begin(one)
        one.emit(events.BucketParked(BUCKET, 20.0, 1, "full"))
    assert "\x1b[33mparked" in coloured.frame()
    assert "\x1b" not in view.frame()
    assert SGR.sub("", coloured.frame()) == view.frame()


def test_a_tick_shows_a_frame(view: LiveView, screen: Screen) -> None:
    view.tick()
    view.emit(STARTED)
    assert screen.shown == ["0:00  listing"]


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0:00"), (67.9, "1:07"), (3_727, "1:02:07")])
def test_a_time_since_the_start(seconds: float, text: str) -> None:
    assert clock_of(seconds) == text


def test_a_frame_looks_at_each_bucket_and_each_parked_quota_once(clock: Clock, screen: Screen) -> None:
    def steps(count: int) -> float:
        view = LiveView(screen.shown.append, clock=clock, size=screen.size, colour=False)
        view.expect(plan_of({f"research/space/u{n}/JupyterLab/default": f"ml.m5.{n}xlarge" for n in range(count)}))
        view.emit(STARTED)
        for number in range(count):
            bucket = f"111122223333/eu-west-1/JupyterLab/ml.m5.{number}xlarge"
            view.emit(events.BucketParked(bucket, 5.0, 1, "full"))
        return steps_of(view.frame) / count

    assert steps(600) < LINEAR_MAX_FACTOR * steps(60)


def test_one_line_tells_of_all_that_waits_for_a_canary(view: LiveView, screen: Screen) -> None:
    screen.columns = 80
    begin(view)
    view.emit(events.CanaryAwaited(key_of(LAB), "JupyterLab", 1))
    line = f"1 app waits for the canary {LAB}"
    assert view.frame().split("\n")[2] == line
    view.emit(events.CanaryAwaited(key_of(KERNEL), "KernelGateway", 12))
    assert view.frame().split("\n")[2] == f"13 wait for 2 canaries, such as {LAB}"
    assert all(len(line) < screen.columns for line in view.frame().split("\n"))
    view.emit(events.CanaryPassed(key_of(LAB), "JupyterLab", 1))
    assert view.frame().split("\n")[2] == f"12 apps wait for the canary {KERNEL}"
    view.emit(events.CreatesTripped(LANE, "KernelGateway", 12, "Bad", "it broke", ""))
    view.emit(events.CreatesTripped(None, "all apps of this run", 0, "Bad", "it broke", ""))
    assert "canar" not in view.frame()


def test_of_one_shape_in_two_regions_the_one_that_passed_waits_no_more(view: LiveView) -> None:
    begin(view)
    view.emit(events.CanaryAwaited(key_of(LAB), "JupyterLab", 1))
    view.emit(events.CanaryAwaited(key_of(CANVAS), "JupyterLab", 2))
    view.emit(events.CanaryPassed(key_of(LAB), "JupyterLab", 1))
    assert f"2 apps wait for the canary {CANVAS}" in view.frame()
    view.emit(events.CanaryPassed(key_of(KERNEL), "JupyterLab", 2))  # the first one had failed, and this was the next
    assert "canar" not in view.frame()
