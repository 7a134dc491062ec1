"""The JSON Schema of the policy file, for editors and for looking up what is known at a place in it."""

import functools
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from scaler.policyfile.models import PolicyFile
from scaler.policyfile.problems import Location


class _Generator(GenerateJsonSchema):
    """Leaves out what the models have only for themselves: None as a key's value, and titles made from names."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of version 1 of the file."""
    generated = PolicyFile.model_json_schema(schema_generator=_Generator)
    for definition in generated["$defs"].values():
        definition.pop("title", None)
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": "urn:scale:policy:1",
        **generated,
        "title": "scale policy file, version 1",
    }


@functools.cache
def _schema() -> dict[str, Any]:
    return schema()


def known_keys(location: Location) -> list[str]:
    """The keys that may stand in the mapping at a location of pydantic's, sorted; empty where any may."""
    node = _resolve(_schema())
    for step in location:
        node = _resolve(_step(node, step))
    return sorted(node.get("properties", {}))


def _step(node: dict[str, Any], step: str | int) -> dict[str, Any]:
    if isinstance(step, int):
        return dict(node["items"])
    if "oneOf" in node and "properties" not in node:
        return {"$ref": f"#/$defs/{step.strip('<>')}"}
    return dict(node.get("properties", {}).get(step) or node["additionalProperties"])


def _resolve(node: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref", "")
    return dict(_schema()["$defs"][reference.removeprefix("#/$defs/")]) if reference else node
