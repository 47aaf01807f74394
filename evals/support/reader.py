"""What stands in for a model while none is configured: it has read a handful of tickets before.

With INTERLOCK_MODEL set, a real model is asked instead, with the same prompt and the same rules around it.
"""

import json

from interlock.testing.model_server import Asked

READ = [
    (("do mnie nie dotarła", "zwrot pieniędzy", "trzy tygodnie"), ["missing", "refund"]),
    (("a che punto è", "spedizione", "buongiorno"), ["status"]),
]
"""Words of a ticket, and what its writer wants; any of them will do, because people misspell."""


def script(asked: Asked) -> str:
    """The wish in a ticket it knows; else none, as the prompt says."""
    said = asked.text.casefold()
    found = [wants for words, wants in READ if any(each in said for each in words)]
    return json.dumps({"order": "", "wants": found[0] if found else []})
