"""Evaluation cases of the reference application."""
