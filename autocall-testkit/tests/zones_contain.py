"""Holds our table of time zones against the data of the Python package `phonenumbers`.

Reads from standard input one JSON object: {"codes": {area code: [zones]}, "calling": {calling code: [zones]},
"countries": {ISO code: [zones]}}. Our set must contain every zone that the package gives for any exchange of the area code
and of its overlays, for every area code and every calling code. Prints one line for each that is missing and a last line
with what was compared; ends with 1 if anything is missing.
"""

import json
import sys

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
from phonenumbers.tzdata import TIMEZONE_DATA

# Area codes that serve one area: an overlay and what it lies over. Facts, as of 2026; on purpose not read from our table.
OVERLAYS = """
    201/551 202/771 203/475 204/431/584 205/659 206/253/360/425/564 208/986 209/350 210/726
    212/332/646/917/347/718/929 213/323/738 214/469/945/972 215/267/445 217/447 220/740 223/717 224/847
    226/382/519/548 227/240/301 234/330 236/250/257/604/672/778 248/947 249/683/705 256/938 263/438/514 270/364
    272/570 274/920 281/346/621/713/832 283/513 289/365/742/905 303/720/983 304/681 305/786/645 306/474/639
    309/861 310/424 312/773/872 313/679 314/557 315/680 317/463 321/407/689 326/937 331/630 336/743 339/781
    343/613/753 351/978 353/608 354/450/579 363/516 273/367/418/581 368/403/587/780/825 380/614 385/801 402/531
    404/470/678/770/943 405/572 408/669 410/443/667 412/724/878 415/628 416/437/647/942 419/567 428/506 430/903
    436/440 442/760 448/850 458/541 464/708 468/819/873 480/602/623 484/610/835 503/971 507/924 508/774 510/341
    512/737 518/838 530/837 534/715 539/918 540/826 559/357 561/728 571/703 573/235 582/814 601/769 609/640
    615/629 617/857 618/730 619/858 631/934 657/714 662/471 682/817 686/804 702/725 704/980 706/762 707/369
    709/879 716/624 732/848 747/818 754/954 757/948 779/815 782/902 803/839 805/820 812/930 813/656 816/975
    821/864 840/909 843/854 845/329 860/959 862/973 870/327 904/324 910/472 912/565 916/279 919/984 970/748
""".split()

# Freephone and personal numbers have no place: the package gives them every zone of the plan, we give none, which is stricter.
NOT_A_PLACE = {800, 808, 870, 878, 881, 882, 883, 888, 979}


def by_area_code():
    """Every zone that any exchange of an area code has in the package, its overlays included."""
    own = {}
    for prefix, zones in TIMEZONE_DATA.items():
        if prefix.startswith("1") and len(prefix) >= 4:
            own.setdefault(prefix[1:4], set()).update(zones)
    united = {code: set(zones) for code, zones in own.items()}
    for group in OVERLAYS:
        codes = group.split("/")
        everything = set().union(*(own.get(code, set()) for code in codes))
        for code in codes:
            united.setdefault(code, set()).update(everything)
    return united


def by_calling_code():
    """Every zone that any number of a calling code has in the package."""
    out = {}
    for prefix, zones in TIMEZONE_DATA.items():
        for length in (1, 2, 3):
            code = int(prefix[:length])
            if code != 1 and code in COUNTRY_CODE_TO_REGION_CODE:
                out.setdefault(code, set()).update(zones)
                break
    return out


def main():
    ours = json.load(sys.stdin)
    missing = []

    def compare(kind, name, theirs):
        mine = set(ours[kind].get(str(name), []))
        if not theirs <= mine:
            missing.append(f"{kind} {name}: ours {sorted(mine)} lacks {sorted(theirs - mine)}")

    areas = by_area_code()
    for code, zones in sorted(areas.items()):
        compare("codes", code, zones)
    callings = by_calling_code()
    for code, regions in sorted(COUNTRY_CODE_TO_REGION_CODE.items()):
        if code == 1 or code in NOT_A_PLACE:
            continue
        zones = callings.get(code, set())
        if not zones:
            missing.append(f"calling {code}: the package has no zone; look again")
        compare("calling", code, zones)
        for region in regions:
            compare("countries", region, zones)
    for line in missing:
        print(line)
    print(f"phonenumbers {phonenumbers.__version__}: {len(areas)} area codes, {len(callings)} calling codes compared")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
