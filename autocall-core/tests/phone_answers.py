"""Answers of Google's rules (the Python package phonenumbers) for the differential test.

Reads lines "country<TAB>text" from standard input; writes for each one line:
"ok<TAB>e164<TAB>type<TAB>region<TAB>extension" or "no<TAB>reason". The first line names the version.
"""

import sys

import phonenumbers as p

TYPES = {
    value: name.lower()
    for name, value in vars(p.PhoneNumberType).items()
    if isinstance(value, int) and not name.startswith("_")
}


def answer(country, text):
    try:
        number = p.parse(text, country)
    except p.NumberParseException as error:
        return ["no", f"parse {error.error_type}"]
    if not p.is_valid_number(number):
        return ["no", "invalid"]
    e164 = p.format_number(number, p.PhoneNumberFormat.E164)
    region = p.region_code_for_number(number) or ""
    return ["ok", e164, TYPES[p.number_type(number)], region, number.extension or ""]


def main():
    sys.stdin.reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    print(p.__version__)
    for line in sys.stdin:
        country, text = line.rstrip("\n").split("\t", 1)
        print("\t".join(answer(country, text)))


main()
