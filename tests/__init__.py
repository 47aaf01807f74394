"""Everything that proves Interlock: unit, integration and acceptance rings."""
