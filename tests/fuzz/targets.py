"""What is fed with hostile inputs: each target reads bytes as the product reads them, and says what came of it.

A target's `run` returns a short text for what was accepted and lets errors of ours through; anything else that it
raises is a finding. Not here: files that a target begins with (`corpus`, `tests/cases`, `scenarios`).
"""

from __future__ import annotations

import json
import tomllib
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar, Final

from engine.app.approval import approval_of
from engine.app.loading import load
from engine.app.options import AppOptions
from engine.app.teams.members import members_of
from engine.config.fleet.members_file import read_members
from engine.config.policy.policy_file import load_policies
from engine.config.reading.files import InputFile
from engine.config.reading.problems import Problems
from engine.config.reading.toml_document import parse_document
from engine.core import plan_json
from engine.core.errors import ConfigError, UsageError
from engine.core.identity import parse_app_key
from engine.core.planner import plan_fleet
from engine.core.selectors import Selectors
from engine.core.text import is_safe
from engine.policy.cel import Bindings, ExpressionError, environment_for
from engine.policy.facts import facts_of
from engine.policy.prices import PriceBook
from engine.policy.rules import Scope
from engine.render.plan_markdown import plan_markdown
from engine.render.plan_text import plan_text
from engine.simulator.scenario.scenario import load_scenario
from engine.simulator.scenario.snapshot import dump_world, parse_world
from engine.simulator.world.world import World
from tests.fleets import CANVAS, LAB, a_fleet, a_row, an_app, observe, options
from tests.unit.policy.helpers import RESEARCH

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE: Final = Path(__file__).parent
CORPUS: Final = HERE / "corpus"
CASES: Final = HERE.parent / "cases"
SCENARIOS: Final = HERE.parents[1] / "scenarios"
TODAY: Final = date(2026, 11, 24)
NOW: Final = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
PLANNED_APPS_MAX_COUNT: Final = 500

_FLEET_WORDS: Final = (
    b"schema = 1\n", b'name = "x"\n', b"[domains.a]\n", b'id = "d-abcd1234efgh"\n', b'region = "eu-west-1"\n',
    b"[apps.lab]\n", b'type = "JupyterLab"\n', b'extends = "lab"\n', b'apps = ["lab"]\n', b'members = ["a"]\n',
    b'members_file = "people.csv"\n', b'include = ["teams/*.toml"]\n', b"policies = []\n", b'use = "lab"', b"tags = {",
    b'mode = "absent"\n', b"expires = 2026-12-31\n", b'sharing = "Shared"\n', b'owner = "alice"\n', b"spaces = {",
    b'"{member}-lab"', b"user_apps = [", b"settings = {", b"fallback = [", b"[defaults]\n", b"ebs_gb = 5\n",
)  # fmt: skip
_POLICY_WORDS: Final = (
    b"[execution]\n", b"[safety]\n", b"[[rule]]\n", b'id = "a"\n', b'enforcement = "mandatory"\n', b"check = '''\n",
    b"match = 'true'\n", b'scope = "team"\n', b"set = {", b"[[exception]]\n", b"[[priority]]\n", b"[prices]\n",
    b"[backoff.transient]\n", b'message = "{team}"\n', b"weight = 1\n", b"deadline = ", b'"1h"', b"destroy_max = ",
)  # fmt: skip
_CEL_WORDS: Final = (
    b".map(x, ", b".filter(x, ", b".all(x, ", b".exists(x, ", b"[x, x]", b"x + x", b"size(", b".matches('", b"(a+)+$",
    b"instance_type", b"fallback", b"tags", b"hourly_usd", b" && ", b" || ", b" ? ", b" : ", b" in ", b"[1,2,3]",
    b"duration('1h')", b"timestamp('2026-01-01T00:00:00Z')", b"has(tags.x)", b"'a'", b"1 / 0",
    b"1.0 / 0.0", b"-9223372036854775808",
    b"bytes('a')", b".split(',')", b".join(',')", b".replace('a', 'aa')", b".format([", b"string(", b"double(", b"dyn(",
    b"{'a': 1}", b".contains('", b".substring(", b"uint(", b"type(", b".lowerAscii()", b".reverse()", b".flatten()",
)  # fmt: skip
_TEXT_WORDS: Final = (
    LAB.encode(), b"research/user/", b"/JupyterLab/default", b"=12", b"*", b"[!a]",
    b"Mon-Fri 08:00-19:00 Europe/Berlin",
)  # fmt: skip
_FLEET: Final = """schema = 1
name = "fuzz"
include = ["teams/*.toml"]
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
[apps.lab]
type = "JupyterLab"
instance_type = "ml.t3.medium"
"""
_TEAM: Final = """[domains.research.teams.forecasting]
members_file = "people.csv"
tags = { team = "forecasting" }
[domains.research.teams.forecasting.spaces]
"{member}-lab" = { apps = ["lab"] }
"""


class Target:
    """One kind of input. `words` are what its format is made of."""

    name: ClassVar[str] = ""
    words: ClassVar[tuple[bytes, ...]] = ()
    is_json: ClassVar[bool] = False

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="appfleet-fuzz-")))

    def close(self) -> None:
        """Take away what it made."""
        self._stack.close()

    def inputs(self) -> list[bytes]:
        """Return the inputs to begin with: those of the corpus, and the target's own."""
        kept = sorted((CORPUS / self.name).glob("*"))
        return [path.read_bytes() for path in kept] + sorted(set(self.seeds()))

    def seeds(self) -> Iterable[bytes]:
        """Return inputs that are valid, or nearly."""
        return ()

    def run(self, data: bytes) -> str:
        """Read one input, and say what came of it."""
        raise NotImplementedError


def shown(text: str) -> str:
    """Return `text`, which must be safe to show."""
    assert is_safe(text), f"a text that cannot be shown: {text!r}"
    return text


def _no_hint(text: str) -> bool:
    raise AssertionError(f"a problem without a hint: {text}")


def _checked(error: ConfigError) -> str:
    """Return the problems of a file, each of which must be safe to show and say what to do."""
    for problem in error.diagnostics:
        shown(problem.render())
        assert problem.hint or _no_hint(problem.render())
    return "; ".join(f"{problem.code} {problem.message}" for problem in error.diagnostics[:5])


class FleetTarget(Target):
    """A fleet file, which includes a team's file and a table of people."""

    name = "fleet"
    words = _FLEET_WORDS
    file = "fleet.toml"

    def __init__(self) -> None:
        super().__init__()
        (self.folder / "teams").mkdir()
        (self.folder / "policies").mkdir()
        (self.folder / "people.csv").write_text("user;mail\nalice;a@x\nbob;b@x\n")
        (self.folder / "teams" / "people.csv").write_text("alice\nbob\n")
        (self.folder / "fleet.toml").write_text(_FLEET)
        (self.folder / "teams" / "forecasting.toml").write_text(_TEAM)

    def seeds(self) -> Iterable[bytes]:
        """Yield the fleet files of all cases, right and wrong ones."""
        yield _FLEET.encode()
        for path in sorted(CASES.glob("fleet_*/*/*.toml")):
            yield path.read_bytes()

    def run(self, data: bytes) -> str:
        """Read the fleet and plan it against nothing."""
        (self.folder / self.file).write_bytes(data)
        _agrees_with_tomllib(data)
        try:
            loaded = load(self.folder / "fleet.toml", TODAY)
        except ConfigError as error:
            return _checked(error)
        if len(loaded.fleet.apps) > PLANNED_APPS_MAX_COUNT:
            return "large"
        names = [domain.name for domain in loaded.fleet.domains]
        plan = plan_fleet(loaded.fleet, observe(domains=names), options(domain_lanes={}))
        assert is_safe(plan_text(plan, next_command="").replace("\n", "")), "a plan that cannot be shown"
        return f"{len(loaded.fleet.apps)} apps, {len(loaded.warnings)} warnings, {len(plan.changes)} changes"


class TeamTarget(FleetTarget):
    """A team's file that a good fleet file includes."""

    name = "team"
    file = "teams/forecasting.toml"

    def seeds(self) -> Iterable[bytes]:
        """Yield the included files of all cases."""
        yield _TEAM.encode()
        for path in sorted(CASES.glob("fleet_*/*/teams/*.toml")):
            yield path.read_bytes()


def _agrees_with_tomllib(data: bytes) -> None:
    """See that no value is read otherwise than tomllib reads it, and that nothing is read that tomllib refuses."""
    problems = Problems()
    ours = parse_document(InputFile("f.toml", "f.toml", data, ""), problems)
    try:
        theirs = tomllib.loads(data.decode().removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        assert ours is None, "something was read that tomllib refuses"
        return
    if ours is None:
        assert any(problem.code == "AF119" for problem in problems.errors), "something was refused that tomllib reads"
    else:
        assert repr(ours.data) == repr(theirs), "something was read otherwise than tomllib reads it"


class PolicyTarget(Target):
    """A policy file, by which two apps are judged."""

    name = "policy"
    words = (*_POLICY_WORDS, *_CEL_WORDS)

    def seeds(self) -> Iterable[bytes]:
        """Yield the policies of all cases and of the example fleet."""
        for path in (*sorted(CASES.glob("policy_*/*/*.toml")), *sorted((HERE.parents[1] / "policies").glob("*.toml"))):
            yield path.read_bytes()

    def run(self, data: bytes) -> str:
        """Read the policy and judge."""
        (self.folder / "p.toml").write_bytes(data)
        apps = (an_app(LAB, team="a", tags=(("a", "b"),)), an_app(CANVAS, None, fallback=("ml.m5.large",)))
        try:
            loaded = load_policies([Path("p.toml")], self.folder)
            admitted = loaded.admission.admit(apps, (RESEARCH,), TODAY)
        except ConfigError as error:
            return _checked(error)
        for finding in admitted.findings:
            assert is_safe(finding.message), "a finding that cannot be shown"
        return f"{len(loaded.admission.rules)} rules, {len(admitted.findings)} findings, {admitted.run_denied}"


class ExpressionTarget(Target):
    """A CEL expression by itself."""

    name = "expression"
    words = _CEL_WORDS

    def seeds(self) -> Iterable[bytes]:
        """Yield the expressions of all cases."""
        for path in sorted((CASES / "cel").glob("*.toml")):
            for case in tomllib.loads(path.read_text()).get("case", ()):
                yield str(case["expr"]).encode()

    def run(self, data: bytes) -> str:
        """Compile it and run it on one app."""
        text = data.decode("utf-8", "replace")
        environment = environment_for(Scope.APP)
        facts = facts_of(an_app(tags=(("a", "b"),), fallback=("ml.m5.large",)), RESEARCH, PriceBook(()))
        try:
            result = environment.compile(text).run(Bindings(environment, facts))
        except ExpressionError as error:
            shown("".join(flaw.text() for flaw in error.flaws if flaw.hint or _no_hint(flaw.text())))
            return str(error)
        return str(result)


class MembersTarget(Target):
    """A table of people, as `members_file` and as `--members-file` read it."""

    name = "members"
    words = (
        b"user",
        b"e-mail",
        b"ann@x.org",
        b"First Name [Required]",
        b"sso_identity",
        b'"a\nb"',
        b"b_b",
        b"Ann",
        b";",
    )

    def seeds(self) -> Iterable[bytes]:
        """Yield tables of the usual kinds."""
        yield b"alice\nbob\n"
        yield b"\xef\xbb\xbfuser;mail\r\nalice;a@x\r\nbob;b@x\r\n"
        yield b'name\tx\n"ann"\t1\n'
        yield b"email,name\nann@x.org,Ann\nbob.b@x.org,Bob\n"

    def run(self, data: bytes) -> str:
        """Read it both ways."""
        problems = Problems()
        found = read_members(InputFile("p.csv", "p.csv", data, ""), (), problems)
        assert (found is None) == bool(problems.errors), "a table without people must say why"
        (self.folder / "p.csv").write_bytes(data)
        try:
            members_of((), self.folder / "p.csv")
        except UsageError as error:
            return f"{problems.errors[:2]} {shown(str(error))}"
        return f"{len(found or ())} people"


class PlanTarget(Target):
    """A saved plan that `apply` is given."""

    name = "plan"
    is_json = True
    made = plan_fleet(
        a_fleet(an_app(LAB), an_app(CANVAS, None)),
        observe(a_row(CANVAS, "Failed", None)),
        options(prune=True, allowances=("research/*=12",), selectors=Selectors.parse(teams=["a"])),
    )

    def seeds(self) -> Iterable[bytes]:
        """Yield a plan that was saved, and the documents of the planner's cases."""
        yield json.dumps(self.made.to_json()).encode()
        yield json.dumps(self.made.document()).encode()

    def run(self, data: bytes) -> str:
        """Read it, hold it against the plan that is made now, and show it."""
        path = self.folder / "plan.json"
        path.write_bytes(_with_its_fingerprint(data))
        approval, _ = approval_of(AppOptions(self.folder / "fleet.toml", saved_plan=path), NOW)
        assert approval.saved is not None
        plan_text(approval.saved, next_command="")
        plan_markdown(approval.saved, next_command="")
        json.dumps(approval.saved.document())
        approval.check(self.made)
        return "approved"


def _with_its_fingerprint(data: bytes) -> bytes:
    """Let the plan say the fingerprint and the summary that it has: whoever edits one can reckon them too."""
    try:
        document = json.loads(data)
        plan = plan_json._read_plan(document)
        document |= {"fingerprint": plan.fingerprint, "summary": plan.summary}
        return json.dumps(document).encode()
    except Exception:  # noqa: BLE001 - it is read again as it is, and what it raises then counts
        return data


class WorldTarget(Target):
    """The simulator's saved world."""

    name = "world"
    is_json = True

    def seeds(self) -> Iterable[bytes]:
        """Yield a world with something of everything in it."""
        from tests.unit.simulator.scenario.test_snapshot import a_rich_world

        yield dump_world(a_rich_world())

    def run(self, data: bytes) -> str:
        """Read it, look at it, let time pass, and write it again."""
        from tests.unit.simulator.worlds import call, pass_time

        world = parse_world(data)
        for operation in ("ListApps", "ListUserProfiles", "ListSpaces", "ListDomains"):
            call(world, operation)
        pass_time(world, 60.0)
        parse_world(dump_world(world))
        return f"{len(world.apps)} apps in {len(world.domains)} domains"


class ScenarioTarget(Target):
    """A scenario for the simulator."""

    name = "scenario"
    words = (b"[[fault]]\n", b"[[domain]]\n", b"[[at]]\n", b"[times]\n", b"[request_limits.CreateApp]\n", b"[prices]\n")

    def seeds(self) -> Iterable[bytes]:
        """Yield the scenarios that are shipped."""
        for path in sorted(SCENARIOS.glob("*.toml")):
            yield path.read_bytes()

    def run(self, data: bytes) -> str:
        """Read it and lay it over an empty world."""
        path = self.folder / "s.toml"
        path.write_bytes(data)
        world = World()
        try:
            load_scenario(path).apply_to(world, 0.0)
        except ConfigError as error:
            return _checked(error)
        world.advance(100.0)
        return f"{len(world.domains)} domains"


class WordsTarget(Target):
    """What is typed behind a flag, a line each: keys, selectors, allowances, durations."""

    name = "words"
    words = _TEXT_WORDS

    def seeds(self) -> Iterable[bytes]:
        """Yield one line of each kind."""
        yield b"\n".join((LAB.encode(), b"research/*=12", b"1h", b"team-*", b"2026-11-24T01:00:00Z"))

    def run(self, data: bytes) -> str:
        """Read each line as each kind."""
        from engine.cli.asked import Asked
        from engine.cli.context import duration_of
        from engine.policy.guardrails import parse_allowance

        seen = []
        for line in data.decode("utf-8", "surrogateescape").split("\n")[:20]:
            for read in (
                parse_app_key,
                parse_allowance,
                lambda text: duration_of(text, "--deadline"),
                lambda text: Selectors.parse(teams=[text], keys=[text]),
                lambda text: Asked(replace=[text], allow_destructive=[text], adopt=True, from_fleet=text).request(),
            ):
                try:
                    seen.append(type(read(line)).__name__)
                except UsageError as error:
                    seen.append(shown(str(error)))
        return "; ".join(seen)


def all_targets() -> tuple[type[Target], ...]:
    """Return every target, in the order in which they are played."""
    from tests.fuzz.answers import AnswerTarget
    from tests.fuzz.kept import JournalBytesTarget, JournalTarget

    return (
        FleetTarget, TeamTarget, PolicyTarget, ExpressionTarget, MembersTarget, PlanTarget, AnswerTarget, JournalTarget,
        JournalBytesTarget, WorldTarget, ScenarioTarget, WordsTarget,
    )  # fmt: skip


def target_named(name: str) -> Any:
    """Return the class of one target. Raises KeyError."""
    return {target.name: target for target in all_targets()}[name]
