"""Measures what safety costs: `make bench`, which writes docs/benchmarks.md. Nothing here is a test."""
