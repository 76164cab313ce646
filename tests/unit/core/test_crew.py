"""How many workers there are, and where their scheduler is."""

from __future__ import annotations

import pytest

from engine.core.crew import Crew, crew_of
from engine.core.errors import UsageError


def test_no_flag_is_no_crew() -> None:
    assert crew_of(None, None) is None


def test_a_number_is_that_many_processes_of_this_machine() -> None:
    crew = crew_of(8, None)
    assert crew == Crew(8)
    assert crew.is_local
    assert crew.argv() == ["--workers", "8"]


@pytest.mark.parametrize(
    "address", ["tls://dask.acme.example:8786", "tcp://127.0.0.1:8786", "tcp://[::1]:8786", "tcp://localhost:8786/"]
)
def test_a_scheduler_is_on_this_machine_or_proves_who_it_is(address: str) -> None:
    crew = crew_of(None, address)
    assert crew == Crew(0, address.rstrip("/"))
    assert not crew.is_local
    assert crew.is_verified is address.startswith("tls")
    assert crew.argv() == ["--scheduler", address.rstrip("/")]


@pytest.mark.parametrize("address", ["dask:8786", "http://dask:8786", "tls://dask", "tls://dask:0", "tls://dask:70000"])
def test_what_is_not_an_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=r"is not the address of a Dask scheduler\. Write tls://HOST:PORT"):
        crew_of(None, address)


def test_nobody_on_the_way_may_run_code_in_the_workers() -> None:
    with pytest.raises(UsageError, match=r"anyone who reaches a tcp:// scheduler can run code in its workers"):
        crew_of(None, "tcp://10.0.0.7:8786")


def test_an_address_holds_no_password() -> None:
    with pytest.raises(UsageError, match="no user name and no password") as caught:
        crew_of(None, "tls://me:secret@dask:8786")
    assert "secret" not in str(caught.value)
