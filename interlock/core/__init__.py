"""Values, rules and ports: pure, without I/O. The package's other rooms stand on this one."""
