"""The carrier's own validator and markup builder, as a judge: one JSON question a line on standard
input, one JSON answer a line on standard output.

{"token", "url", "fields": [[name, value]...], "signature"} -> {"valid": bool, "signature": "what it signs"}
{"twiml": [...]}: builds the same markup with VoiceResponse -> {"text": "..."}
"""

import json
import sys

from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import Conference, Dial, Gather, VoiceResponse

try:
    from werkzeug.datastructures import MultiDict
except ImportError:
    MultiDict = None


class Fields(dict):
    """Repeated names, in the shape that the validator asks frameworks for."""

    def __init__(self, pairs):
        super().__init__()
        for name, value in pairs:
            self.setdefault(name, []).append(value)

    def getall(self, name):
        return self[name]


def build(parent, nodes):
    verbs = {
        "Say": "say", "Play": "play", "Pause": "pause", "Gather": "gather", "Dial": "dial",
        "Conference": "conference", "Redirect": "redirect", "Hangup": "hangup", "Number": "number",
        "Sip": "sip", "Client": "client",
    }
    snake = lambda name: "".join("_" + c.lower() if c.isupper() else c for c in name)
    for node in nodes:
        make = getattr(parent, verbs[node["name"]])
        attributes = {snake(name): value for name, value in node["attributes"].items()}
        if node["text"] or node["name"] == "Redirect":
            made = make(node["text"], **attributes)
        else:
            made = make(**attributes)
        build(made, node["children"])


for line in sys.stdin:
    question = json.loads(line)
    if "twiml" in question:
        response = VoiceResponse()
        build(response, question["twiml"])
        print(json.dumps({"text": str(response)}), flush=True)
        continue
    validator = RequestValidator(question["token"])
    fields = Fields(question["fields"])
    valid = validator.validate(question["url"], fields, question["signature"])
    print(json.dumps({"valid": valid, "signature": validator.compute_signature(question["url"], fields)}), flush=True)
