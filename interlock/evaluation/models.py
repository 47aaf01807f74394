"""The models that evaluation itself asks: judges and reflection. Runs have their own, behind their doors."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from interlock.bootstrap.models import ChosenModels
from interlock.core.ports import Models, SystemClock
from interlock.evaluation.cases import Suite
from interlock.evaluation.swaps import scripted
from interlock.settings import Settings


@asynccontextmanager
async def models_for(settings: Settings, suite: Suite) -> AsyncGenerator[Models | None]:
    """The models of the settings, or the suite's script, closed at the end; None where there is neither.

    The script that answers a project's runs is not asked: it knows nothing of judging.
    """
    chosen = ChosenModels(scripted(settings, suite.script), SystemClock())
    try:
        yield None if chosen.scripted and not suite.script else chosen
    finally:
        await chosen.close()
