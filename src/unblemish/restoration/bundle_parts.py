"""What `bundle.json` says: a card for each part, the groups, and the manifest that joins them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from unblemish.restoration.errors import BundleError

FORMAT = 2
"""Version of the layout of `bundle.json` where there are no generators, which older programs read too."""

FORMAT_WITH_GENERATORS = 3
"""Version of the layout where there are."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Statement = Annotated[str, Field(min_length=1)]

DESCRIPTOR = "descriptor"
"""What that part is called to users."""

_VERDICTS = ("clean", "unknown")
"""What an examination says where it names no group; no group may be called so."""


class Card(BaseModel):
    """What every part states about itself.

    Attributes:
        licence: SPDX identifier of the part's licence.
        training_set: What it was made from, with the licence of those pictures.
        recipe: Name of the recipe that made it, or a text that says how it was made.
        protocol: How `scores` are computed: set, channels, crop, rounding.
        scores: Numbers by name, such as "psnr/gaussian_noise".
        hardware: What it was made on.
        revision: Git revision of the program that made it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    licence: Statement
    training_set: Statement
    recipe: Statement
    protocol: str = ""
    scores: dict[str, FiniteFloat] = {}
    hardware: str = ""
    revision: str = ""


class NetworkCard(Card):
    """What is known about a network's weights.

    Attributes:
        name: What users choose it by.
        purpose: One sentence: which damage it treats.
        treats: Degradations it was trained for; none where that is not stated. Of a generator: those that it makes.
        architecture: Key in the catalogue of networks.
        options: Arguments of the architecture.
        steps: Training steps.
        tile_margin: Pixels next to a tile's inner edge that differ visibly from the whole picture's result,
            as measured; None where the receptive field is to be used.
        overview: Longer side in pixels of the copy that tones are taken from, see `overview`; None takes them from the
            picture itself.
    """

    name: Name
    purpose: str
    treats: tuple[Name, ...] = ()
    architecture: str
    options: dict[str, JsonValue] = {}
    steps: int = Field(default=0, ge=0)
    tile_margin: int | None = Field(default=None, ge=0)
    overview: int | None = Field(default=None, ge=8)


class KnowledgeCard(Card):
    """What an examination is concluded from, besides the descriptor.

    Attributes:
        settings: All of it that is not tensors: names of classes, thresholds.
    """

    settings: dict[str, JsonValue]


class Stored(BaseModel):
    """Where a part's tensors lie.

    Attributes:
        file: Name of the safetensors file beside the manifest.
        sha256: Its checksum, hexadecimal.
    """

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\.safetensors$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class NetworkEntry(Stored, NetworkCard):
    """A network's card with the file of its weights."""


class KnowledgeEntry(Stored, KnowledgeCard):
    """The knowledge's card with the file of its tensors."""


class Group(BaseModel):
    """Degradations that share a network.

    Attributes:
        name: What an examination and users call it.
        degradations: Its members.
        network: Name of the network that treats them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    degradations: tuple[Name, ...] = Field(min_length=1)
    network: Name


class ExaminationParts(BaseModel):
    """What examines a picture.

    Attributes:
        descriptor: Network whose features describe the picture.
        knowledge: What its features mean.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    descriptor: NetworkEntry
    knowledge: KnowledgeEntry


class Manifest(BaseModel):
    """The content of `bundle.json`.

    Attributes:
        format: Version of this layout.
        default: Name of the network that restores where none is chosen, by name or by an examination.
        networks: Every network that restores.
        groups: Degradations by the network that treats them; no degradation is in two groups.
        examination: What chooses one of the groups; None where the bundle cannot.
        generators: Networks that make damage, so that the bundle can grow without the pictures it was trained on.
            What a generator's card calls `treats` is what it makes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    default: str
    networks: tuple[NetworkEntry, ...] = Field(min_length=1)
    groups: tuple[Group, ...] = ()
    examination: ExaminationParts | None = None
    generators: tuple[NetworkEntry, ...] = ()

    @property
    def parts(self) -> dict[str, NetworkEntry | KnowledgeEntry]:
        """Every part that is stored, by what it is called to users."""
        found: dict[str, NetworkEntry | KnowledgeEntry] = {f"network {entry.name}": entry for entry in self.networks}
        if self.examination is not None:
            found |= {DESCRIPTOR: self.examination.descriptor, "knowledge": self.examination.knowledge}
        return found | {f"generator {entry.name}": entry for entry in self.generators}

    @property
    def files(self) -> frozenset[str]:
        """Names of the files of all parts; parts with the same tensors may share one."""
        return frozenset(entry.file for entry in self.parts.values())

    @model_serializer(mode="wrap")
    def _without_what_older_programs_refuse(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content = dump(self)
        if not self.generators:
            content.pop("generators", None)
        return content

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        networks = {entry.name: entry for entry in self.networks}
        _refuse_twice("networks have one name", [entry.name for entry in self.networks])
        _refuse_twice("groups have one name", [group.name for group in self.groups])
        _refuse_twice("groups treat one degradation", [name for group in self.groups for name in group.degradations])
        _refuse_twice("generators have one name", [entry.name for entry in self.generators])
        if self.generators and self.format < FORMAT_WITH_GENERATORS:
            raise ValueError(f"generators need bundle format {FORMAT_WITH_GENERATORS}, not {self.format}")
        if self.default not in networks:
            raise ValueError(f"the default network '{self.default}' is none of {', '.join(networks)}")
        if self.examination is not None and not self.groups:
            raise ValueError("an examination chooses among groups, and there is none")
        for group in self.groups:
            if group.name in _VERDICTS:
                raise ValueError(f"no group can be called '{group.name}': that is what an examination says without one")
            if group.network not in networks:
                raise ValueError(
                    f"the network '{group.network}' of the group '{group.name}' is none of {', '.join(networks)}"
                )
            treats = networks[group.network].treats
            if treats and not {*group.degradations} <= {*treats}:
                raise ValueError(
                    f"the network '{group.network}' does not treat all of the group '{group.name}' "
                    f"({', '.join(group.degradations)})"
                )
        return self


def parse_manifest(content: bytes, origin: str) -> Manifest:
    """Reads what `bundle.json` says.

    Args:
        content: The file's bytes.
        origin: Where they come from, for errors.

    Raises:
        BundleError: They are no JSON, of another format, or do not fit together.
    """
    try:
        stated = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{origin} is no JSON ({error}): fetch the bundle again") from error
    version = stated.get("format") if isinstance(stated, dict) else None
    if type(version) is not int:
        raise BundleError(f"{origin} states no bundle format: it is damaged or of something else, fetch it again")
    if version not in (FORMAT, FORMAT_WITH_GENERATORS):
        advice = "fetch or build the bundle again" if version < FORMAT else "install a newer unblemish"
        raise BundleError(
            f"{origin} has bundle format {version} and this program reads {FORMAT} and {FORMAT_WITH_GENERATORS}: "
            f"{advice}"
        )
    try:
        return Manifest.model_validate(stated)
    except ValidationError as error:
        raise BundleError(f"{origin}: {first_complaint(error)}; mend it or fetch the bundle again") from error


def first_complaint(error: ValidationError) -> str:
    """The first thing that does not fit, on one line."""
    detail = error.errors()[0]
    place = ".".join(str(part) for part in detail["loc"])
    return f"{place}: {detail['msg']}" if place else detail["msg"]


def _refuse_twice(complaint: str, names: list[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(f"two {complaint}: {', '.join(repeated)}")
