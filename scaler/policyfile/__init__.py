"""The user's policy file: read, validate, and point into it."""

from scaler.policyfile.file import example, load
from scaler.policyfile.jsonschema import schema
from scaler.policyfile.show import show

__all__ = ["example", "load", "schema", "show"]
