"""An independent judge of dialled calls.

Its own transcription of the law (no pack file, no shared code), its own look-up of zones (`phonenumbers` and `zoneinfo`).
Reads a log of decided dials, one JSON object a line, and reports every violation:

    python independent_checker.py calls.jsonl

A line (unknown fields are ignored, absent ones are empty):

    {"call": "id", "at_ms": 1795000000000, "ring_ms": 25000, "number": "+12145550123", "purpose": "sales",
     "person": "key of person and subject", "party": "consumer|business|unknown", "voice": "agent|agentless",
     "dialing": "automated|manual", "state": "TX", "postal": "75001", "country": "US", "zone": "America/Chicago",
     "trust_zone": false, "agent_guaranteed": false, "business": false,
     "consents": [{"class": "written|express", "given_ms": 0, "expires_ms": null, "any_hour": false, "automated": false,
                   "recorded": false}],
     "revoked_ms": [..], "listed_until_ms": null, "registries": {"us-national": {"as_of_ms": 0, "listed": false}},
     "purchase_ms": null, "inquiry_ms": null,
     "outcome": "conversation|abandoned|answered_short|machine|message_left|fax|no_answer|busy|not_connected|refused|pending",
     "ended_ms": 1795000030000}

A line {"fresh": anything} begins another world: what was dialled before is forgotten. The log is in the order of dialling; caps and rests are judged from it alone. Prints one line for each violation and a last
line with the sums; ends with 1 if there is any.
"""

import json
import sys
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo, reset_tzpath

import phonenumbers
import tzdata  # noqa: F401
from phonenumbers import geocoder
from phonenumbers.tzdata import TIMEZONE_DATA

# The package's zone data, never the machine's: laws on clocks change several times a year and machines lag behind.
reset_tzpath(to=())

DAY = 86_400_000
HOUR = 3_600_000
MINUTE = 60_000

# Overlays of area codes that are split between zones (an overlay does not inherit the split in the package's data).
SPLIT_OVERLAYS = [{"448", "850"}, {"364", "270"}, {"930", "812"}, {"458", "541"}, {"208", "986"}, {"879", "709"}]
# Postal prefixes of split states that lie in one zone, checked by hand; all others are judged by every zone of the state.
ONE_ZONE_ZIP = {"325": "America/Chicago", "375": "America/Chicago", "799": "America/Denver", "752": "America/Chicago"}


def zip_prefix(text):
    return text[:3] if text and len(text) >= 5 and text[:5].isdigit() else None


@lru_cache(maxsize=None)
def zones_of_area(code):
    """Every zone that any exchange of the area code, or of the code that it lies over, has in the package."""
    codes = {code}.union(*(group for group in SPLIT_OVERLAYS if code in group))
    return frozenset(z for prefix, zones in TIMEZONE_DATA.items() if prefix[:1] == "1" and prefix[1:4] in codes for z in zones)


@lru_cache(maxsize=None)
def zones_of_calling_code(code):
    return frozenset(z for prefix, zones in TIMEZONE_DATA.items() if prefix.startswith(str(code)) for z in zones)


@lru_cache(maxsize=None)
def region_of_area(code):
    """The country of an area code: that of any exchange of it that the package knows."""
    for exchange in range(201, 1000, 3):
        parsed = phonenumbers.PhoneNumber(country_code=1, national_number=int(f"{code}{exchange}0123"))
        region = phonenumbers.region_code_for_number(parsed)
        if region not in (None, "001"):
            return region
    return None


@lru_cache(maxsize=None)
def states_of_area(code):
    """The states that the package's place names give for exchanges of the area code."""
    names = set()
    for exchange in range(200, 1000, 7):
        parsed = phonenumbers.PhoneNumber(country_code=1, national_number=int(f"{code}{exchange}0123"))
        text = geocoder.description_for_number(parsed, "en")
        names.add(text.rsplit(", ", 1)[-1])
    return frozenset(STATE_NAMES.get(name, name) for name in names if STATE_NAMES.get(name, name) in STATES)


STATE_NAMES = {
    "Alabama": "AL", "Alaska": "AK", "Arizona": "AZ", "Arkansas": "AR", "California": "CA", "Colorado": "CO", "Connecticut": "CT",
    "Delaware": "DE", "Florida": "FL", "Georgia": "GA", "Hawaii": "HI", "Idaho": "ID", "Illinois": "IL", "Indiana": "IN", "Iowa": "IA",
    "Kansas": "KS", "Kentucky": "KY", "Louisiana": "LA", "Maine": "ME", "Maryland": "MD", "Massachusetts": "MA", "Michigan": "MI",
    "Minnesota": "MN", "Mississippi": "MS", "Missouri": "MO", "Montana": "MT", "Nebraska": "NE", "Nevada": "NV", "New Hampshire": "NH",
    "New Jersey": "NJ", "New Mexico": "NM", "New York": "NY", "North Carolina": "NC", "North Dakota": "ND", "Ohio": "OH",
    "Oklahoma": "OK", "Oregon": "OR", "Pennsylvania": "PA", "Rhode Island": "RI", "South Carolina": "SC", "South Dakota": "SD",
    "Tennessee": "TN", "Texas": "TX", "Utah": "UT", "Vermont": "VT", "Virginia": "VA", "Washington State": "WA", "Washington": "WA",
    "West Virginia": "WV", "Wisconsin": "WI", "Wyoming": "WY", "Washington D.C.": "DC",
}
STATES = set(STATE_NAMES.values())
# Zones of an address when only the state is known.
STATE_ZONES = {
    "AL": "C", "AK": "KA", "AZ": "ZM", "AR": "C", "CA": "P", "CO": "M", "CT": "E", "DE": "E", "DC": "E", "FL": "EC", "GA": "E", "HI": "H",
    "ID": "MP", "IL": "C", "IN": "EC", "IA": "C", "KS": "CM", "KY": "EC", "LA": "C", "ME": "E", "MD": "E", "MA": "E", "MI": "EC",
    "MN": "C", "MS": "C", "MO": "C", "MT": "M", "NE": "CM", "NV": "PM", "NH": "E", "NJ": "E", "NM": "M", "NY": "E", "NC": "E",
    "ND": "CM", "OH": "E", "OK": "C", "OR": "PM", "PA": "E", "RI": "E", "SC": "E", "SD": "CM", "TN": "EC", "TX": "CM", "UT": "M",
    "VT": "E", "VA": "E", "WA": "P", "WV": "E", "WI": "C", "WY": "M",
}
LETTER = {
    "E": "America/New_York", "C": "America/Chicago", "M": "America/Denver", "P": "America/Los_Angeles", "Z": "America/Phoenix",
    "K": "America/Anchorage", "A": "America/Adak", "H": "Pacific/Honolulu",
}


def place(line):
    """Countries, states and zones of a call; an empty set of zones is unknown."""
    number = phonenumbers.parse(line["number"], None)
    national = str(number.national_number)
    countries, states, zones = set(), set(), set()
    if number.country_code == 1:
        region = region_of_area(national[:3])
        # Freephone codes have no rows of their own, and so no zones.
        zones |= zones_of_area(national[:3])
        if zones and region:
            countries.add("US" if region in ("US", "PR", "VI", "GU", "AS", "MP") else region)
            if region == "US":
                states |= states_of_area(national[:3])
    else:
        zones |= zones_of_calling_code(number.country_code)
        countries |= {r for r in phonenumbers.region_codes_for_country_code(number.country_code) if r != "001"}
    if line.get("country"):
        countries.add(line["country"].upper())
    state = (line.get("state") or "").upper()
    if state in STATES and "US" in countries:
        states.add(state)
        address = {LETTER[letter] for letter in STATE_ZONES[state]}
        prefix = zip_prefix(line.get("postal"))
        if prefix in ONE_ZONE_ZIP and ONE_ZONE_ZIP[prefix] in address:
            address = {ONE_ZONE_ZIP[prefix]}
        elif prefix and len(address) > 1:
            # Not sure which of the state's zones: at least one of them suits.
            address = set()
        # An address that fits the number narrows it; one that does not adds to it.
        if address:
            zones = address if (zones & address or not zones) else zones | address
    if line.get("zone"):
        zones = {line["zone"]} if line.get("trust_zone") else zones | {line["zone"]}
    return countries, states, zones


# ---- calendars -------------------------------------------------------------------------------


def nth(year, month, weekday, n):
    if n > 0:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))
    last = date(year + (month == 12), month % 12 + 1, 1) - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - weekday) % 7)


@lru_cache(maxsize=None)
def easter(year):
    """By the tables of the Book of Common Prayer: Golden Number and Sunday after the paschal full moon."""
    golden = year % 19 + 1
    century = year // 100 + 1
    x = 3 * century // 4 - 12
    z = (8 * century + 5) // 25 - 5
    sunday = 5 * year // 4 - x - 10
    epact = (11 * golden + 20 + z - x) % 30
    if (epact == 25 and golden > 11) or epact == 24:
        epact += 1
    n = 44 - epact
    if n < 21:
        n += 30
    n += 7 - (sunday + n) % 7
    return date(year, 3, n) if n <= 31 else date(year, 4, n - 31)


@lru_cache(maxsize=None)
def federal_holidays(year):
    days = {date(year, 1, 1), date(year, 6, 19), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25)}
    days |= {nth(year, 1, 0, 3), nth(year, 2, 0, 3), nth(year, 5, 0, -1), nth(year, 9, 0, 1), nth(year, 10, 0, 2), nth(year, 11, 3, 4)}
    return days


def us_holiday(day):
    """Whether the federal calendar closes the day, observed days of weekend holidays included."""
    for year in (day.year, day.year + 1):
        for holiday in federal_holidays(year):
            kept = {5: holiday - timedelta(days=1), 6: holiday + timedelta(days=1)}.get(holiday.weekday(), holiday)
            if day in (holiday, kept):
                return True
    return False


# ---- hours -----------------------------------------------------------------------------------

EVERY = range(7)
# State: (opening, closing, closed weekdays, closed on holidays, fixed zone), sales calls.
STATE_HOURS = {
    "AL": (8, 20, {6}, True, None), "CT": (9, 20, set(), False, None), "FL": (8, 20, set(), False, None), "IL": (8, 21, set(), False, None),
    "IN": (8, 21, set(), False, None), "KY": (10, 21, set(), False, None), "LA": (8, 20, {6}, True, None), "MA": (8, 20, set(), False, None),
    "MD": (8, 20, set(), False, None), "MI": (9, 21, set(), False, None), "MN": (9, 21, set(), False, None),
    "MS": (8, 20, {6}, True, "America/Chicago"), "NM": (9, 21, set(), False, None), "NV": (9, 20, set(), False, None),
    "OK": (8, 20, set(), False, None), "PA": (8, 21, set(), True, None), "SD": (9, 21, {6}, False, None), "UT": (8, 21, {6}, True, None),
    "VA": (8, 21, set(), False, None), "WA": (8, 20, set(), False, None), "WY": (8, 20, set(), False, None),
}


def inside(local, opens, closes):
    ms = (local.hour * 3600 + local.minute * 60 + local.second) * 1000 + local.microsecond // 1000
    return opens * HOUR <= ms < closes * HOUR


def moments(line):
    """Both ends of the longest ring, and each change of minute at its edges."""
    start = line["at_ms"]
    end = start + max(0, line.get("ring_ms", 0))
    return {start, end, (start + end) // 2}


def local(zone, ms):
    return datetime.fromtimestamp(ms // 1000, timezone.utc).replace(microsecond=ms % 1000 * 1000).astimezone(ZoneInfo(zone))


def hours_broken(line, countries, states, zones):
    purpose = line["purpose"]
    any_hour = any(c.get("any_hour") for c in consents(line))
    for zone in zones:
        for ms in moments(line):
            at = local(zone, ms)
            if "US" in countries:
                if purpose in ("sales", "debt_collection") and not inside(at, 8, 21):
                    yield "us-hours", f"{at} in {zone}: 8:00 to 21:00 (47 CFR 64.1200(c)(1), 12 CFR 1006.6(b)(1))"
                if purpose == "charity" and not any_hour and not inside(at, 8, 21):
                    yield "us-hours", f"{at} in {zone}: 8:00 to 21:00 (16 CFR 310.4(c))"
                if purpose in ("service", "political", "survey") and not inside(at, 8, 21):
                    yield "us-courtesy", f"{at} in {zone}: no law, but never at night"
            if "GB" in countries and not inside(at, 8, 21):
                yield "gb-hours", f"{at} in {zone}"
            if "FR" in countries and purpose in ("sales", "charity") and not list(consents(line)):
                open_now = at.weekday() < 5 and (inside(at, 10, 13) or inside(at, 14, 20))
                if not open_now:
                    yield "fr-hours", f"{at} in {zone}: weekdays 10-13 and 14-20 (D223-9)"
            if "CA" in countries:
                weekend = at.weekday() >= 5
                if not (inside(at, 10, 18) if weekend else inside(at, 9, 21.5)):
                    yield "ca-hours", f"{at} in {zone}: weekdays 9:00-21:30, weekends 10:00-18:00 (CRTC)"
            if "AU" in countries and purpose != "survey" and not any_hour:
                open_now = inside(at, 9, 17) if at.weekday() == 5 else at.weekday() < 5 and inside(at, 9, 20)
                if not open_now:
                    yield "au-hours", f"{at} in {zone}"
            if "US" in countries and purpose in ("sales", "charity"):
                for state in states:
                    yield from state_hours_broken(state, zone, at, ms)


def state_hours_broken(state, zone, at, ms):
    if state == "TX":
        if not (inside(at, 12, 21) if at.weekday() == 6 else inside(at, 9, 21)):
            yield "tx-hours", f"{at} in {zone}: Mon-Sat 9-21, Sun 12-21"
    if state == "RI":
        open_now = inside(at, 10, 17) if at.weekday() == 5 else at.weekday() < 5 and inside(at, 9, 18)
        if not open_now or us_holiday(at.date()):
            yield "ri-hours", f"{at} in {zone}: Mon-Fri 9-18, Sat 10-17, no holidays"
    if state in STATE_HOURS:
        opens, closes, closed, holidays, fixed = STATE_HOURS[state]
        at = local(fixed, ms) if fixed else at
        if not inside(at, opens, closes) or at.weekday() in closed or (holidays and us_holiday(at.date())):
            yield f"{state.lower()}-hours", f"{at} in {fixed or zone}"


# ---- consent and lists -----------------------------------------------------------------------


def consents(line):
    """Consents in force: given, not expired, not revoked since."""
    now = line["at_ms"]
    for c in line.get("consents", []):
        ended = c.get("expires_ms") is not None and c["expires_ms"] <= now
        revoked = any(c["given_ms"] <= r <= now for r in line.get("revoked_ms", []))
        if c["given_ms"] <= now and not ended and not revoked:
            yield c


def consent_broken(line, countries, states):
    now, purpose = line["at_ms"], line["purpose"]
    consumer = line.get("party", "unknown") != "business"
    written = [c for c in consents(line) if c["class"] == "written"]
    if line.get("listed_until_ms") is not None and line["listed_until_ms"] > now:
        yield "listed", "on the tenant's own list (47 CFR 64.1200(d))"
    past = [r for r in line.get("revoked_ms", []) if r <= now]
    if past and not any(max(past) < c["given_ms"] <= now for c in line.get("consents", [])):
        yield "revoked", "after a revocation (47 CFR 64.1200(a)(10))"
    automated = line.get("dialing", "automated") == "automated"
    if purpose == "sales" and consumer and automated:
        for state in states & {"FL", "MD", "OK", "CT"}:
            if not any(c.get("automated") for c in written):
                yield f"{state.lower()}-written", "automated sales call without written consent"
    recorded = line.get("voice", "agent") != "agent"
    if recorded and "US" in countries and purpose == "sales" and not any(c.get("recorded") for c in written):
        yield "recorded", "recorded voice that sells without written consent (47 CFR 64.1200(a)(3))"
    lifted = written or recent(line.get("purchase_ms"), now, 548) or recent(line.get("inquiry_ms"), now, 92)
    if purpose == "sales" and consumer and "US" in countries and not lifted:
        yield from registry_broken(line, "us-national", 31)
    if purpose == "sales" and line.get("party") == "consumer" and "GB" in countries and not list(consents(line)):
        yield from registry_broken(line, "gb-tps", 28)
    if purpose == "sales" and consumer and "DE" in countries and not list(consents(line)):
        yield "de-consent", "sales call to a consumer without consent (UWG 7)"


def recent(at, now, days):
    return at is not None and at <= now < at + days * DAY


def registry_broken(line, name, days):
    copy = line.get("registries", {}).get(name)
    if copy is None:
        yield "registry", f"no copy of {name}"
    elif line["at_ms"] - copy["as_of_ms"] > days * DAY:
        yield "registry", f"the copy of {name} is older than {days} days"
    elif copy["listed"]:
        yield "registry", f"listed in {name}"


# ---- caps and rests --------------------------------------------------------------------------


class Past:
    """What has been dialled, by number and by person."""

    def __init__(self):
        self.number, self.person = {}, {}

    def broken(self, line, countries, states):
        now, purpose = line["at_ms"], line["purpose"]
        number = self.number.get(line["number"], [])
        person = self.person.get(line.get("person", line["number"]), [])

        def within(rows, span, skip=()):
            return sum(1 for row in rows if now - span < row["at_ms"] <= now and row.get("outcome", "pending") not in skip)

        def since(rows, outcomes):
            ends = [row.get("ended_ms", row["at_ms"]) for row in rows if row.get("outcome") in outcomes]
            return now - max(ends) if ends else None

        if "US" in countries:
            if within(number, HOUR, ("busy",)) >= 2:
                yield "redial", "a third attempt within 60 minutes (47 CFR 68.318(b))"
            if purpose == "sales" and states & {"FL", "OK", "MD"} and within(person, DAY) >= 3:
                yield "three-a-day", f"a fourth attempt in 24 hours in {sorted(states)}"
            if purpose in ("sales", "charity") and "ME" in states and line.get("dialing", "automated") == "automated":
                if within(number, 8 * HOUR) >= 1:
                    yield "me-8h", "a second automated call in 8 hours"
            if purpose == "debt_collection":
                if within(person, 7 * DAY, ("not_connected",)) >= 7:
                    yield "reg-f-7", "an eighth attempt in 7 days (12 CFR 1006.14(b)(2)(i)(A))"
                talked = since(person, ("conversation", "refused"))
                if talked is not None and talked < 7 * DAY:
                    yield "reg-f-talk", "within 7 days of a conversation (12 CFR 1006.14(b)(2)(i)(B))"
            refused = since(person, ("refused",))
            if "WA" in states and purpose in ("sales", "charity") and refused is not None and refused < 365 * DAY:
                yield "wa-year", "within a year of a request to stop (RCW 80.36.390)"
        if "GB" in countries and not line.get("agent_guaranteed"):
            abandoned, machine = since(number, ("abandoned",)), since(number, ("machine", "message_left"))
            if abandoned is not None and abandoned < 72 * HOUR:
                yield "gb-72h", "within 72 hours of an abandoned call (Ofcom 2016)"
            if machine is not None and machine < 24 * HOUR:
                yield "gb-24h", "within 24 hours of a machine (Ofcom 2016)"
        if "FR" in countries and purpose in ("sales", "charity") and not list(consents(line)) and within(person, 30 * DAY) >= 4:
            yield "fr-4", "a fifth attempt in 30 days (D223-9)"

    def add(self, line):
        # Nothing is judged by what is older than 366 days.
        for table, key in ((self.number, line["number"]), (self.person, line.get("person", line["number"]))):
            rows = table.setdefault(key, [])
            rows.append(line)
            while rows and line["at_ms"] - rows[0]["at_ms"] > 366 * DAY:
                rows.pop(0)


def check(lines):
    """Every violation as (call, rule, why), in order; and how many dials were judged."""
    past, out, judged = Past(), [], 0
    for line in lines:
        if "fresh" in line:
            past = Past()
            continue
        countries, states, zones = place(line)
        found = []
        if not zones:
            found.append(("zone", "the place is not known"))
        found += hours_broken(line, countries, states, zones)
        found += consent_broken(line, countries, states)
        found += past.broken(line, countries, states)
        out += [(line.get("call", "?"), rule, why) for rule, why in dict(reversed(found)).items()]
        past.add(line)
        judged += 1
    return out, judged


def main(paths):
    total, judged = 0, 0
    for path in paths or ["-"]:
        with (sys.stdin if path == "-" else open(path, encoding="utf-8")) as log:
            found, count = check(json.loads(text) for text in log if text.strip())
        judged += count
        total += len(found)
        for call, rule, why in found[:1000]:
            print(f"{path}: call {call}: {rule}: {why}")
        for rule, times in sorted(Counter(rule for _, rule, _ in found).items()):
            print(f"{path}: sum: {rule}: {times}")
    print(f"{judged} dials judged, {total} violations")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
