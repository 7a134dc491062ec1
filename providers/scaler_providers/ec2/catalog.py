"""The types of a region and which of them a zone has."""

from collections.abc import Sequence
from decimal import Decimal

from scaler.domain.instance import Instance, InstanceType, Offering
from scaler_providers.ec2.api import Api, Record
from scaler_providers.ec2.prices import Prices

_ACCELERATORS = frozenset({"GpuInfo", "NeuronInfo", "InferenceAcceleratorInfo", "FpgaInfo", "MediaAcceleratorInfo"})
"""Each is there only where the type has that kind."""


class Catalog:
    """Types as the API describes them, read once in a process for each region and architecture."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._types: dict[tuple[str, str], list[Record]] = {}
        self._zones: dict[tuple[str, str], frozenset[str]] = {}

    def offerings(self, region: str, instance: Instance, prices: Prices | None) -> list[Offering]:
        """What the instance could be: the current types of its architecture and those of its own family, without bare metal.

        Families leave the current generation while many still run on them (m5 by 2026), and a larger type of the own family is the
        least of all changes. Only types with the same kinds of accelerators: a GPU lost breaks the program that uses it, and one
        gained costs several times the memory.
        """
        entries = {entry["InstanceType"]: entry for entry in self._current(region, instance.architecture)}
        if instance.type_name not in entries:
            entries |= {entry["InstanceType"]: entry for entry in self._family(region, instance)}
        kinds = _accelerators(entries.get(instance.type_name, {}))
        entries = {name: entry for name, entry in entries.items() if _accelerators(entry) == kinds}
        offered = self.offered(region, instance.zone)
        found = [_offering(entry, instance, prices, entry["InstanceType"] in offered) for entry in entries.values()]
        return sorted(found, key=lambda offering: (offering.type.memory_mib, offering.type.name))

    def types(self, region: str, names: Sequence[str]) -> list[Record]:
        """The entries of these types, `*` standing for anything; unknown names are left out, where a list instead of a filter fails."""
        return self._read(region, [_filter("instance-type", *names)])

    def offered(self, region: str, zone: str) -> frozenset[str]:
        """The names of all types this zone has. Whether it has one free now only a start can tell."""
        if (region, zone) not in self._zones:
            entries = self._api.pages(
                region,
                "describe_instance_type_offerings",
                "InstanceTypeOfferings",
                LocationType="availability-zone",
                Filters=[_filter("location", zone)],
            )
            self._zones[region, zone] = frozenset(entry["InstanceType"] for entry in entries)
        return self._zones[region, zone]

    def _current(self, region: str, architecture: str) -> list[Record]:
        if (region, architecture) not in self._types:
            wanted = [
                _filter("processor-info.supported-architecture", architecture),
                _filter("current-generation", "true"),
                _filter("bare-metal", "false"),
            ]
            self._types[region, architecture] = self._read(region, wanted)
        return self._types[region, architecture]

    def _family(self, region: str, instance: Instance) -> list[Record]:
        """The types of the instance's family, its own whatever that is."""
        siblings = self.types(region, [f"{family(instance.type_name)}.*"])
        return [entry for entry in siblings if entry["InstanceType"] == instance.type_name or _suits(entry, instance.architecture)]

    def _read(self, region: str, filters: Sequence[Record]) -> list[Record]:
        return list(self._api.pages(region, "describe_instance_types", "InstanceTypes", Filters=list(filters)))


def architectures(entry: Record) -> list[str]:
    """What a type can run: mostly one, `i386` besides `x86_64` on a few."""
    return list(entry.get("ProcessorInfo", {}).get("SupportedArchitectures", ()))


def family(type_name: str) -> str:
    """`t3` of `t3.small`."""
    return type_name.partition(".")[0]


def _accelerators(entry: Record) -> frozenset[str]:
    return frozenset(_ACCELERATORS & entry.keys())


def _suits(entry: Record, architecture: str) -> bool:
    return architecture in architectures(entry) and not entry.get("BareMetal", False)


def _filter(name: str, *values: str) -> Record:
    return {"Name": name, "Values": list(values)}


def _offering(entry: Record, instance: Instance, prices: Prices | None, is_offered: bool) -> Offering:
    usd = prices.usd_per_hour.get(entry["InstanceType"]) if prices else None
    return Offering(
        type=_type(entry, instance.architecture),
        zone=instance.zone,
        usd_per_hour=usd,
        price_source=prices.source if prices and usd is not None else "",
        is_available=is_offered,
    )


def _type(entry: Record, architecture: str) -> InstanceType:
    name = entry["InstanceType"]
    return InstanceType(
        name=name,
        memory_mib=entry["MemoryInfo"]["SizeInMiB"],
        vcpus=Decimal(entry["VCpuInfo"]["DefaultVCpus"]),
        architecture=architecture,
        family=family(name),
        is_current_generation=entry.get("CurrentGeneration", True),
        is_burstable=entry.get("BurstablePerformanceSupported", False),
    )
