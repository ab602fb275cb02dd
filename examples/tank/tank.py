"""A tank under a roof: how much of a household's water can be rain."""

import csv

ROOF = 120  # m²
GARDEN = 80  # litres a day, while it is watered
FIRST_FLUSH = 0.5  # mm of each day's rain that wash the roof and are let go


def year(rain, volume, demand, garden):
    """The share of a year's demand that a tank of `volume` (m³) meets, and the rain that overflows (m³).

    `rain` is the path of a table with a line for each day and its rain in mm in the column `rain`; `demand` is in
    litres a day, and `garden` holds the first and the last day on which the garden is watered, too. Each day the rain
    comes first.
    """
    stored = wanted = served = lost = 0.0
    with open(rain, encoding="utf-8") as file:
        days = [float(line["rain"]) for line in csv.DictReader(file)]
    for day, fallen in enumerate(days, 1):
        stored += max(0.0, fallen - FIRST_FLUSH) / 1000 * ROOF
        lost += max(0.0, stored - volume)
        stored = min(stored, volume)
        today = (demand + GARDEN * (garden[0] <= day <= garden[1])) / 1000
        taken = min(stored, today)
        stored -= taken
        served += taken
        wanted += today
    return {"met": served / wanted, "overflow": lost}
