"""Agents of other processes and frameworks, over A2A: what we call, and what calls us."""

import os

# The record is what is traced; the SDK's own spans would tell the same again, method by method.
os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")
