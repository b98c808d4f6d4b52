"""What a user hears when Ray does not start: that trying again is worth it, and what else to look at."""

from __future__ import annotations

import pytest
import ray

from afray.errors import Retryable
from afray.runtime.session import ray_session

STARTS = {
    "a node that is late": Exception("The current node timed out during startup."),
    "a store that is late": RuntimeError("Failed to start GCS."),
    "a reply that is late": TimeoutError(),
    "nobody there": ConnectionError("Could not find any running Ray instance."),
}


@pytest.fixture(autouse=True)
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """None at hand, whatever other tests of this process have left, and theirs is not ended."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)


@pytest.mark.parametrize("address", ["", "auto"])
@pytest.mark.parametrize("start", STARTS)
def test_a_ray_that_does_not_start_in_time_is_worth_another_run(
    start: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(**_: object) -> None:
        raise STARTS[start]

    monkeypatch.setattr(ray, "init", late)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(Retryable) as caught, ray_session(1):
        pass
    assert caught.value.exit_code == 74
    assert (str(STARTS[start]) or "TimeoutError") in str(caught.value)


def test_a_wrong_setting_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def refuse(**_: object) -> None:
        raise ValueError("object_store_memory")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(ValueError, match="object_store_memory"), ray_session(1):
        pass
