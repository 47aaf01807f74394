"""Suites of cases: each is run for real, compared with what it expects, and told in one table."""

from interlock.evaluation.runner import run_suite
from interlock.evaluation.table import Report

__all__ = ["Report", "run_suite"]
