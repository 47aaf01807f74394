"""For your own tests: scripted models and a clock that stands still. Real parts, deterministic answers."""

from interlock.testing.clock import StillClock
from interlock.testing.model_server import ModelServer
from interlock.testing.models import ScriptedModels

__all__ = ["ModelServer", "ScriptedModels", "StillClock"]
