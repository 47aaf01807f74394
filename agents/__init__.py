"""The specialists of the support desk. None of them knows who asks it, or why."""
