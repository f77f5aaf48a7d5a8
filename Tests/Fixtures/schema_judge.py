"""Judges a JSON Schema and configurations by it, with the validator of the Python package jsonschema.

    schema_judge.py SCHEMA FILE...

Prints a JSON object: for each file, the list of what is wrong with it, each as `path: message`. Ends with an error
where the schema itself is not one, or has a keyword that means nothing, which a validator would pass over.
"""

import json
import sys

from jsonschema import Draft202012Validator

# Annotations of the draft that its validator need not know (JSON Schema Validation 2020-12, section 9).
ANNOTATIONS = {"$schema", "title", "description", "default", "examples", "then", "else"}
LISTS_OF_SCHEMAS = ("allOf", "anyOf", "oneOf")
SCHEMAS = ("if", "then", "else", "not", "items", "additionalProperties")


def unknown_keywords(schema):
    """Every key in the place of a keyword that is none."""
    if not isinstance(schema, dict):
        return []
    found = [key for key in schema if key not in ANNOTATIONS and key not in Draft202012Validator.VALIDATORS]
    below = list(schema.get("properties", {}).values())
    below += [schema[key] for key in SCHEMAS if key in schema]
    below += [part for key in LISTS_OF_SCHEMAS for part in schema.get(key, [])]
    return found + [key for part in below for key in unknown_keywords(part)]


def place(path):
    """A path as our own messages write it, such as `sinks[1].level`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def main(schema_file, files):
    with open(schema_file, encoding="utf-8") as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    if unknown := unknown_keywords(schema):
        sys.exit(f"keywords that mean nothing: {sorted(set(unknown))}")
    validator = Draft202012Validator(schema)
    verdicts = {}
    for name in files:
        with open(name, encoding="utf-8") as file:
            errors = validator.iter_errors(json.load(file))
            verdicts[name] = [f"{place(error.absolute_path)}: {error.message}" for error in errors]
    print(json.dumps(verdicts))


main(sys.argv[1], sys.argv[2:])
