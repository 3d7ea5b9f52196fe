"""Where the city's sensors stand: districts, the sensors in them, and the limits for the air they measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["AIR_LIMITS", "BUILDINGS", "DISTRICTS", "SENSOR_KINDS", "District", "Role", "SensorMap", "place_sensors"]

#: Kinds of sensors, in the order of the topics.
SENSOR_KINDS = ("traffic", "air", "energy")
#: What an energy meter hangs on.
BUILDINGS = ("homes", "offices", "industry", "street lights")

#: Limit values for the protection of human health. Columns: ``pollutant`` (the field's name), ``mean_over`` (the time
#: the mean is taken over), ``limit`` (micrograms per cubic metre), ``allowed`` (times a year it may be exceeded),
#: ``source``. "EU 2030" is Directive (EU) 2024/2881, annex I, to be met from 2030; "EU" is Directive 2008/50/EC,
#: annexes XI and XIV; "WHO" are the Global Air Quality Guidelines of 2021 (days as the 99th percentile of a year).
AIR_LIMITS = pd.DataFrame(
    [
        ("no2", "hour", 200.0, 18, "EU"),
        ("no2", "year", 40.0, 0, "EU"),
        ("pm25", "year", 25.0, 0, "EU"),
        ("no2", "hour", 200.0, 3, "EU 2030"),
        ("no2", "day", 50.0, 18, "EU 2030"),
        ("no2", "year", 20.0, 0, "EU 2030"),
        ("pm25", "day", 25.0, 18, "EU 2030"),
        ("pm25", "year", 10.0, 0, "EU 2030"),
        ("no2", "day", 25.0, 3, "WHO"),
        ("no2", "year", 10.0, 0, "WHO"),
        ("pm25", "day", 15.0, 3, "WHO"),
        ("pm25", "year", 5.0, 0, "WHO"),
    ],
    columns=["pollutant", "mean_over", "limit", "allowed", "source"],
)


class Role(NamedTuple):
    """What a district is used for, and what follows from it.

    Attributes:
        name: as in the table of districts.
        load: traffic, as a share of the city's rhythm.
        weekend: traffic of a Saturday or Sunday, as a share of ``load``.
        free_kmh: speed on an empty street.
        streets, stoves, plants: emission into the air from traffic, heating and industry; 1 is the city's usual.
        warmer_c: degrees above the surrounding country.
        buildings: codes into BUILDINGS for the district's meters, in turn.
    """

    name: str
    load: float
    weekend: float
    free_kmh: float
    streets: float
    stoves: float
    plants: float
    warmer_c: float
    buildings: tuple[int, ...]


class District(NamedTuple):
    """A district: its name, role, and the place of its centre in kilometres east and north of the town hall."""

    name: str
    role: Role
    x_km: float
    y_km: float


_CENTRE = Role("centre", 1.0, 0.9, 40.0, 1.4, 1.0, 0.0, 1.5, (1, 0, 3, 1))
_HOMES = Role("residential", 0.75, 0.8, 50.0, 0.8, 1.3, 0.0, 0.5, (0, 3, 0, 1))
_INDUSTRY = Role("industrial", 0.85, 0.4, 60.0, 1.1, 0.4, 1.5, 0.5, (2, 3, 2, 1))
_GREEN = Role("green", 0.45, 1.0, 50.0, 0.5, 0.4, 0.0, -0.5, (0, 3, 0, 0))

#: The districts that a city may have; a smaller one has the first of them.
DISTRICTS = (
    District("Old Town", _CENTRE, 0.0, 0.0),
    District("Riverside", _HOMES, -1.9, -0.6),
    District("Foundry", _INDUSTRY, 4.4, -1.0),
    District("Station Quarter", _CENTRE, -0.8, 1.2),
    District("Northfield", _HOMES, 0.3, 3.1),
    District("Southpark", _GREEN, -0.4, -3.2),
    District("Harbour", _INDUSTRY, 2.2, -2.4),
    District("University", _CENTRE, 0.6, -1.4),
    District("Westgate", _HOMES, -3.4, 0.8),
    District("Market Quarter", _CENTRE, 1.3, 0.6),
    District("Eastbrook", _HOMES, 3.3, 1.2),
    District("Lakeside", _GREEN, -3.8, -2.3),
    District("Hillcrest", _HOMES, -2.7, 3.0),
    District("Millbank", _HOMES, 1.9, 2.4),
    District("Airport", _INDUSTRY, 4.9, 3.6),
    District("Meadows", _GREEN, 2.6, 4.8),
)

_SPREAD_KM = 0.6  # sensors stand at most this far east, west, north or south of their district's centre
_WASTEFUL_SHARE = 0.15
_RATED_KW = np.array([[80, 200], [150, 500], [400, 1500], [20, 60]])  # lowest and highest of each kind of building


@dataclass(frozen=True)
class SensorMap:
    """All sensors: those of traffic first, then air, then energy, each by district.

    Attributes:
        districts: the city's districts.
        names: ``traffic-old-town-01`` and so on; the other arrays have one entry for each.
        kind: int8, code into SENSOR_KINDS; also that of the topic.
        district: int8, code into ``districts``.
        every_ms: int64, time between two readings.
        phase_ms: int64, from the start of the simulation to the first reading.
        site: float64, what this place shows of what its district has, 0.8 to 1.2.
        lanes: int64, that a traffic sensor counts; 0 for the others.
        building: int8, code into BUILDINGS of an energy meter; -1 for the others.
        rated_kw: float64, power that a meter's building is made for; NaN for the others.
        wasteful: bool, a meter behind which nothing is ever switched off.
        x_km, y_km: float64, place in kilometres east and north of the town hall.
    """

    districts: tuple[District, ...]
    names: tuple[str, ...]
    kind: npt.NDArray[np.int8]
    district: npt.NDArray[np.int8]
    every_ms: npt.NDArray[np.int64]
    phase_ms: npt.NDArray[np.int64]
    site: npt.NDArray[np.float64]
    lanes: npt.NDArray[np.int64]
    building: npt.NDArray[np.int8]
    rated_kw: npt.NDArray[np.float64]
    wasteful: npt.NDArray[np.bool_]
    x_km: npt.NDArray[np.float64]
    y_km: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def district_names(self) -> tuple[str, ...]:
        """The names of the city's districts, in the order of their codes."""
        return tuple(district.name for district in self.districts)

    def role(self, attribute: str) -> npt.NDArray[np.float64]:
        """Return one number of each district's role, a column of shape (districts, 1)."""
        return np.array([[getattr(district.role, attribute)] for district in self.districts])

    def district_frame(self) -> pd.DataFrame:
        """Return the districts: ``district``, ``role``, ``x_km``, ``y_km``, ``free_kmh``."""
        rows = [(name, role.name, x, y, role.free_kmh) for name, role, x, y in self.districts]
        return pd.DataFrame(rows, columns=["district", "role", "x_km", "y_km", "free_kmh"])

    def frame(self) -> pd.DataFrame:
        """Return the sensors; the columns are told by ``City.sensors``."""
        columns = {
            "sensor_id": list(self.names),
            "kind": _category(self.kind, SENSOR_KINDS),
            "district": _category(self.district, self.district_names),
            "x_km": self.x_km,
            "y_km": self.y_km,
            "every_s": self.every_ms // 1000,
            "lanes": pd.arrays.IntegerArray(self.lanes.copy(), self.lanes == 0),
            "building": _category(self.building, BUILDINGS),
            "rated_kw": self.rated_kw,
            "wasteful": self.wasteful,
        }
        return pd.DataFrame(columns)


def place_sensors(
    rng: np.random.Generator, districts: int, per_district: tuple[int, ...], every_s: tuple[int, ...]
) -> SensorMap:
    """Place sensors in the first ``districts`` of DISTRICTS.

    Args:
        rng: decides on places, phases and sizes.
        districts: how many.
        per_district: how many sensors of each of SENSOR_KINDS stand in each district.
        every_s: seconds between two readings of a sensor, for each of SENSOR_KINDS.
    """
    chosen = DISTRICTS[:districts]
    stand = [(kind, place, one) for kind in range(3) for place in range(districts) for one in range(per_district[kind])]
    kind, district, one = np.array(stand).T
    count = len(stand)
    building = np.where(kind == 2, np.array([place.role.buildings for place in chosen])[district, one % 4], -1)
    lowest, highest = _RATED_KW[building].T
    every_ms = np.array(every_s)[kind] * 1000
    return SensorMap(
        districts=chosen,
        names=tuple(_sensor_id(SENSOR_KINDS[kind], chosen[place], one) for kind, place, one in stand),
        kind=kind.astype(np.int8),
        district=district.astype(np.int8),
        every_ms=every_ms,
        phase_ms=rng.integers(0, every_ms),
        site=rng.uniform(0.8, 1.2, count),
        lanes=np.where(kind == 0, rng.integers(1, 4, count), 0),
        building=building.astype(np.int8),
        rated_kw=np.where(kind == 2, rng.integers(lowest, highest + 1), np.nan),
        wasteful=(kind == 2) & (rng.random(count) < _WASTEFUL_SHARE),
        x_km=_around([chosen[code].x_km for code in district], rng),
        y_km=_around([chosen[code].y_km for code in district], rng),
    )


def _sensor_id(kind: str, district: District, one: int) -> str:
    return f"{kind}-{district.name.lower().replace(' ', '-')}-{one + 1:02}"


def _around(centres: list[float], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return np.round(np.array(centres) + rng.uniform(-_SPREAD_KM, _SPREAD_KM, len(centres)), 3)


def _category(codes: npt.NDArray[np.int8], names: tuple[str, ...]) -> Any:
    return pd.Categorical.from_codes(codes, pd.Index(list(names)))
