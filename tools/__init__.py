"""Tool servers and data of the reference support desk."""
