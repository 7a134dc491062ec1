"""EC2 as a Provider."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC
from functools import cached_property
from importlib.util import find_spec
from typing import ClassVar

from scaler.domain.errors import NotFound, Refused, ScalerError
from scaler.domain.instance import Finding, Instance, InstanceId, Offering, Reference, Selector, TagKey
from scaler.ports import Capabilities, ConsoleLog
from scaler_providers.ec2 import checks
from scaler_providers.ec2.api import Api, Record
from scaler_providers.ec2.catalog import Catalog
from scaler_providers.ec2.describe import NOT_GONE, TAG_KEYS, Place, instance_id, instances, records, records_by_id, tags_of
from scaler_providers.ec2.errors import not_found
from scaler_providers.ec2.prices import PriceBook

_NO_LATEST = {"UnsupportedOperation", "InvalidParameterCombination", "InvalidParameterValue"}
"""What GetConsoleOutput says to Latest=true on types that cannot: those on the Xen hypervisor."""


class Ec2Provider:
    """Credentials, region and endpoint come from the environment, as for every AWS tool; nothing is read before the first call."""

    name: ClassVar[str] = "ec2"
    capabilities: ClassVar[Capabilities] = Capabilities(has_console_log=True, has_status_checks=True)

    def __init__(self) -> None:
        """Make the adapter without loading the SDK.

        Raises:
            ModuleNotFoundError: the SDK is not installed.
        """
        if find_spec("boto3") is None:
            raise ModuleNotFoundError("boto3 is not installed", name="boto3")

    @cached_property
    def _api(self) -> Api:
        return Api()

    @cached_property
    def _catalog(self) -> Catalog:
        return Catalog(self._api)

    @cached_property
    def _prices(self) -> PriceBook:
        return PriceBook(self._api)

    def find(self, what: Reference | Selector) -> Sequence[Instance]:
        if isinstance(what, Selector):
            return self._select(what)
        place = Place.named(what, self._api)
        filters = [{"Name": "instance-id", "Values": [place.name]}] if place.is_id else _tag_filters({"Name": place.name})
        found = self._live(place.region, filters, {} if place.is_id else {"Name": place.name})
        if not found:
            raise not_found(place.name, place.region)
        if len(found) > 1:
            ids = ", ".join(sorted(instance_id(place.region, record["InstanceId"]) for record in found))
            raise Refused(f"{len(found)} instances are named {place.name} in {place.region}: {ids}.", hint="Name one by its id.")
        return instances(self._api, place.region, found)

    def find_with_intent(self) -> Sequence[Instance]:
        region = self._api.default_region
        found = self._live(region, [{"Name": "tag-key", "Values": [TAG_KEYS[TagKey.INTENT]]}])
        return instances(self._api, region, found)

    def observe(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        by_region: dict[str, list[str]] = defaultdict(list)
        for place in map(Place.of, dict.fromkeys(ids)):
            by_region[place.region].append(place.name)
        seen: dict[InstanceId, Instance] = {}
        for region, names in by_region.items():
            found = instances(self._api, region, records_by_id(self._api, region, names))
            seen |= {instance.id: instance for instance in found}
        return seen

    def offerings(self, instance: Instance) -> Sequence[Offering]:
        place = Place.of(instance.id)
        prices = self._prices.prices_for(place.region, self._record(place))
        return self._catalog.offerings(place.region, instance, prices)

    def check(self, instance: Instance, type_name: str) -> Sequence[Finding]:
        place = Place.of(instance.id)
        return checks.check(self._api, self._catalog, place, self._record(place), type_name)

    def stop(self, id: InstanceId) -> None:  # noqa: A002
        place = Place.of(id)
        self._api.call(place.region, "stop_instances", place.name, InstanceIds=[place.name])

    def set_instance_type(self, id: InstanceId, type_name: str) -> None:  # noqa: A002
        place = Place.of(id)
        self._api.call(
            place.region, "modify_instance_attribute", place.name, InstanceId=place.name, InstanceType={"Value": type_name}
        )

    def start(self, id: InstanceId) -> None:  # noqa: A002
        place = Place.of(id)
        self._api.call(place.region, "start_instances", place.name, InstanceIds=[place.name])

    def write_tag(self, id: InstanceId, key: TagKey, value: str | None) -> None:  # noqa: A002
        place, tag = Place.of(id), {"Key": TAG_KEYS[key]}
        if value is None:
            self._api.call(place.region, "delete_tags", place.name, Resources=[place.name], Tags=[tag])
        else:
            self._api.call(place.region, "create_tags", place.name, Resources=[place.name], Tags=[tag | {"Value": value}])

    def console_log(self, id: InstanceId) -> ConsoleLog | None:  # noqa: A002
        place = Place.of(id)
        try:
            answer, is_live = self._console(place, Latest=True), True
        except ScalerError as error:
            if error.code not in _NO_LATEST:
                raise
            answer, is_live = self._console(place), False
        text = answer.get("Output")  # botocore has undone the base64
        return ConsoleLog(text, answer["Timestamp"].astimezone(UTC), is_live) if text else None

    def _console(self, place: Place, **parameters: object) -> Record:
        return self._api.call(place.region, "get_console_output", place.name, InstanceId=place.name, **parameters)

    def _select(self, what: Selector) -> Sequence[Instance]:
        region = what.location or self._api.default_region
        found = self._live(region, _tag_filters(what.tags), what.tags)
        if not found:
            wanted = ", ".join(f"{key}={value}" for key, value in what.tags.items()) or "any tags"
            raise NotFound(f"No instance in {region} carries {wanted}.", hint="Tags are compared exactly, capitals included.")
        return instances(self._api, region, found)

    def _live(self, region: str, filters: Sequence[Record], tags: Mapping[str, str] | None = None) -> list[Record]:
        """What matches and is not terminated. EC2 takes `*` and `?` in filters as wildcards; `tags` are compared exactly."""
        found = records(self._api, region, [NOT_GONE, *filters])
        return [record for record in found if (tags or {}).items() <= tags_of(record).items()]

    def _record(self, place: Place) -> Record:
        found = records_by_id(self._api, place.region, [place.name])
        if not found:
            raise not_found(place.name, place.region)
        return found[0]


def _tag_filters(tags: Mapping[str, str]) -> list[Record]:
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
