"""Only type-checked: right wiring has the right types, wrong wiring is an error on its line."""
