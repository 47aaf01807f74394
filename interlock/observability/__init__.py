"""Projections of the record for people: the story of a run, the review card, a line of progress."""
