#!/usr/bin/env python3
"""Judges events of alerts and recommendations by the published schema of OCSF 1.8.0.

    ocsf.py FILE    FILE holds an event a line; needs PyPI's ocsf-json-schema (1.2.0) and jsonschema
"""

import json
import pathlib
import sys

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0"))
classes, events, wrong = {}, 0, []
for line in pathlib.Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
    event, events = json.loads(line), events + 1
    uid = event["class_uid"]
    if uid not in classes:
        classes[uid] = Draft202012Validator(schema.get_class_schema(schema.lookup_class_name_from_uid(uid)))
    wrong += [f"event {events}, {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in classes[uid].iter_errors(event)]
print(f"{events} events of {len(classes)} classes, {len(wrong)} errors")
print("\n".join(wrong[:40]))
sys.exit(1 if wrong or not events else 0)
