"""What is stored: runs, journal, questions, the record, artifacts and checkpoints, in one database."""
