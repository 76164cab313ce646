"""`appfleet import`: a fleet file from a live domain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from engine.cli import flags
from engine.cli.named import STDOUT
from engine.cli.output import say, write_result
from engine.core.errors import ExitCode, UsageError
from engine.core.request import Request
from engine.core.settings import RATE_PER_SECOND, Execution
from engine.core.text import clean

if TYPE_CHECKING:
    from engine.app.import_domain import ImportAsked, ImportResult
    from engine.app.options import AppOptions

_STILL_TERRAFORM: Final = (
    "Terraform still manages these resources. Take them out of its configuration with removed blocks\n"
    "(destroy = false) before its next apply, or it deletes and changes what appfleet makes."
)

_DomainIdFlag = Annotated[
    str, flags.flag("--domain-id", help="Id of the SageMaker domain.", metavar="ID", show_default=False)
]
_AllDomainsFlag = Annotated[bool, flags.flag("--all-domains", help="Import every domain of the region.")]
_FromTerraformFlag = Annotated[
    Path | None,
    flags.path_flag(
        "--from-terraform",
        help="Import from the JSON of a Terraform state, as terraform show -json prints it. Makes no call.",
        metavar="STATE.json",
        dash="Write it to a file: terraform show -json > state.json",
    ),
]
_RegionFlag = Annotated[
    str,
    flags.flag(
        "--region",
        help="Region of the domain (default: AWS_REGION, AWS_DEFAULT_REGION or the profile's; for a state, its own).",
        metavar="REGION",
        show_default=False,
    ),
]
_OutFlag = Annotated[
    Path | None, flags.output_flag("--out", help="File to write; without it, or with -, standard output.")
]
_NameFlag = Annotated[
    str | None, flags.flag("--name", help="Name of the fleet (default: domain id, or ACCOUNT-REGION).", metavar="NAME")
]
_DomainNameFlag = Annotated[
    str | None, flags.flag("--domain-name", help="The file's name for the domain (default: main).", metavar="NAME")
]
_NoSettingsFlag = Annotated[
    bool, flags.flag("--no-settings", help="Skip the settings of user profiles and spaces, which take one call each.")
]
_ReadRateFlag = Annotated[
    float,
    flags.flag(
        "--read-rate",
        help="Read calls per second.",
        metavar="RATE",
        min=RATE_PER_SECOND.low,
        max=RATE_PER_SECOND.high,
    ),
]


def import_(
    ctx: typer.Context,
    domain_id: _DomainIdFlag = "",
    all_domains: _AllDomainsFlag = False,
    from_terraform: _FromTerraformFlag = None,
    region: _RegionFlag = "",
    out: _OutFlag = None,
    name: _NameFlag = None,
    domain_name: _DomainNameFlag = None,
    no_settings: _NoSettingsFlag = False,
    read_rate: _ReadRateFlag = Execution().read_rate,
    simulate: flags.SimulateFlag = None,
) -> int:
    """Write a fleet file from live domains or a Terraform state.

    Existing apps become declared apps, repeated shapes become [apps], and people with the same apps become teams. The
    file includes settings of user profiles and spaces. Planning the file right away shows no changes. Changes nothing
    in the domain and overwrites no file.
    """
    from engine.app import import_domain as app_import_domain
    from engine.app.import_domain import ImportAsked, require_free
    from engine.cli.context import options_of, simulate_of
    from engine.cli.sinks import Sinks

    _check_asked(domain_id, domain_name, from_terraform, all_domains=all_domains)
    out = None if out is STDOUT else out
    if out is not None:
        require_free(out)
    options = replace(options_of(ctx.obj), simulate=simulate_of(simulate), command="import")
    asked = ImportAsked(domain_id, region, name, domain_name or "main", not no_settings, read_rate)
    if from_terraform is not None:
        return _from_state(from_terraform, asked, domain_name, out, options)
    with Sinks(ctx.obj, options, quiet=True) as sinks:
        result = sinks.run(app_import_domain.import_domain(options, asked, sinks.emit))
    return _ended(result, out, options)


def _from_state(state: Path, asked: ImportAsked, domain_name: str | None, out: Path | None, options: AppOptions) -> int:
    """Import what a state of Terraform says. Raises UsageError."""
    from engine.app.import_terraform import import_state

    if options.simulate is not None:
        raise UsageError("--from-terraform reads a file, not a simulated domain", hint="Leave --simulate out")
    code = _ended(import_state(state, asked, domain_name), out, options, source="the state")
    say(_STILL_TERRAFORM)
    return code


def _ended(result: ImportResult, out: Path | None, options: AppOptions, source: str = "") -> int:
    """Write the file, and say what is in it and what is not."""
    from engine.app.import_domain import put
    from engine.app.schema import SchemaOf, line_for
    from engine.render.import_text import import_text

    imported = result.imported
    if out is not None:
        put(out, line_for(SchemaOf.FLEET, out.parent, out.name) + result.text)
    written = out is not None or write_result(result.text)
    counts = {"app": len(imported.keys), "shape": imported.shapes, "team": imported.teams}
    if (domains := len(imported.document["domains"])) > 1:
        counts = {"domain": domains, **counts}
    owners = (imported.bare_owners, imported.set_owners, imported.owners_left_out)
    of_state = (result.resources_left_out, result.other_types)
    say(import_text(counts, imported.left_out, *owners, *of_state, source=source, unmarked=result.unmarked))
    if out is not None:
        _say_what_follows(out, options)
    return ExitCode.OK if written else ExitCode.FAILED


def _check_asked(domain_id: str, domain_name: str | None, from_terraform: Path | None, *, all_domains: bool) -> None:
    """Raise UsageError unless the flags name one thing to import: a domain of a state may be named beside it."""
    other = "--domain-id" if domain_id else "--from-terraform" if from_terraform is not None else ""
    if all_domains == bool(other):
        raise UsageError(
            f"{other} and --all-domains exclude each other" if all_domains else "import needs a domain",
            hint="Give --domain-id ID, --all-domains for every domain of the region, or --from-terraform STATE.json",
        )
    if all_domains and domain_name is not None:
        raise UsageError(
            "--domain-name names one domain, and --all-domains imports all",
            hint="Leave it out: each domain gets its own name, and you may rename it in the file",
        )


def _say_what_follows(out: Path, options: AppOptions) -> None:
    """Name the file that was written, the commands that are next, and what would make them fail."""
    from engine.app.import_domain import refused_beside
    from engine.cli.context import simulation, typed

    following = _for_file(out, options)
    commands = (["plan"], ["apply", *Request(adopt=True).argv()])
    plan, adopt = (typed(following, *words, *simulation(following)) for words in commands)
    say(f"wrote {clean(str(out))}\nNext:\n  {plan}\n  {adopt}")
    if refused := refused_beside(out, options.policies):
        say(f"{refused}\nTo see every finding: {typed(following, 'validate')}")
    say("Until this fleet adopts an app, it cannot prune or replace it.")


def _for_file(out: Path, options: AppOptions) -> AppOptions:
    """Return the options for commands over the new file: in a simulation they need the world that was imported."""
    following = replace(options, fleet_file=out)
    if options.simulate is None or following.state_path == options.state_path:
        return following
    return replace(following, state_dir=options.state_path)
