"""How the gateway runs: what layers.py found to be set, and defaults.

Every setting is a flag of `gateway serve` (`--egress-allow`), a variable (`GATEWAY_EGRESS_ALLOW`) and a
key of gateway.toml (`egress_allow`). docs/settings.md lists them; a test holds the page to this file.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    ValidationError,
)

from gateway.config.layers import (
    DATABASE,
    DATABASE_IS,
    FILE,
    ROUTES,
    ROUTES_ARE,
    place_of_database,
    variable,
    what_was_set,
)
from gateway.config.nearest import nearest
from gateway.config.quantities import Duration, Rate, Size
from gateway.config.urls import PublicUrl
from gateway.core.egress import LOOPBACK, EgressPolicy, Network, allowed_network, never_opened
from gateway.core.errors import ConfigError, Problem
from gateway.core.model import SECOND
from gateway.core.postgres_url import PostgresUrl
from gateway.core.retention import DAY, Retention

HTTPS_PORT = 443


def host_and_port(value: Any) -> tuple[str, int]:
    """`127.0.0.1:8080` or `[::1]:8080`."""
    if isinstance(value, tuple):
        return value
    host, _, port = str(value).rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{value!r} is no HOST:PORT, such as 127.0.0.1:8080")
    return host, int(port)


def _items(value: Any) -> Any:
    """A comma-separated text, or a list of them, as a list; a single value as a list of one."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    if isinstance(value, list):
        return [item for each in value for item in _items(each)]
    return value if isinstance(value, (tuple, frozenset)) else [value]


def _networks(value: Any) -> tuple[Network, ...]:
    networks = []
    for item in _items(value):
        try:
            networks.append(allowed_network(str(item)))
        except ValueError:
            raise ValueError(f"{item!r} is no address range, such as 10.1.0.0/16") from None
    return tuple(networks)


def _opened(value: Any) -> tuple[Network, ...]:
    """Ranges that calls may go to. One in which nothing is ever opened would have no effect, silently."""
    networks = _networks(value)
    for network in networks:
        if never_opened(network):
            raise ValueError(
                f"{network} is never opened: link-local addresses, metadata services and the"
                " unspecified address stay closed; leave it out"
            )
    return networks


def _hosts(value: Any) -> tuple[str, ...]:
    hosts = tuple(str(item).lower() for item in _items(value))
    for host in hosts:
        if not re.fullmatch(r"[a-z0-9_.-]+|[0-9a-f:.]+", host):
            raise ValueError(f"{host!r} is no host name, such as hooks.example.com")
    return hosts


def _names(value: Any) -> tuple[str, ...]:
    names = tuple(str(item).lower() for item in _items(value))
    for name in names:
        if not re.fullmatch(r"[a-z0-9._:-]+", name) or name.count(":") == 1:
            raise ValueError(f"{name!r} is no host name; write it without scheme and port")
    return names


def _zero_bytes(value: Any) -> Any:
    """Nothing is nothing in any unit."""
    return "0B" if str(value) == "0" else value


DatabasePlace = Annotated[Path | InstanceOf[PostgresUrl], BeforeValidator(place_of_database)]
HostAndPort = Annotated[tuple[str, int], BeforeValidator(host_and_port)]
Networks = Annotated[tuple[Any, ...], BeforeValidator(_networks)]
Files = Annotated[tuple[Path, ...], BeforeValidator(_items)]
Opened = Annotated[tuple[Network, ...], BeforeValidator(_opened)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Port = Annotated[int, Field(ge=1, le=65535)]
Ports = Annotated[frozenset[Port], BeforeValidator(_items)]
SizeOrNone = Annotated[Size, BeforeValidator(_zero_bytes)]
Hosts = Annotated[tuple[str, ...], BeforeValidator(_hosts)]


class Settings(BaseModel):
    """The settings of one process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    routes: Annotated[Path, Field(description=ROUTES_ARE)] = ROUTES
    database: Annotated[DatabasePlace, Field(description=DATABASE_IS)] = DATABASE
    listen: HostAndPort = ("127.0.0.1", 8080)
    """Where webhooks are received."""
    public_url: PublicUrl | None = None
    """The URL under which senders reach the gateway, as they know it: what they sign may hold it."""
    allowed_host: Hosts = ()
    """Hosts that requests may name, beside that of `public_url`; without one, any."""
    trusted_proxy: Networks = ()
    """Address ranges of proxies whose X-Forwarded-For is believed."""
    max_connections: Annotated[int, Field(ge=1)] = 1000
    """How many connections senders may hold open together."""
    max_in_flight: Size = 64 * 1024 * 1024
    """How much of bodies that are being received, or wait for their answer, may be in memory."""
    ballast: SizeOrNone = 16 * 1024 * 1024
    """Room that is kept beside the database, and given back when the disk is full; 0: none."""
    disk_reserve: SizeOrNone = 64 * 1024 * 1024
    """Where less than this is free on the disk of the database, no more events are taken; 0: all is used."""
    address_rate: Rate | None = None
    """How many requests an address may send; more are refused before anything else is done."""
    admin: HostAndPort = ("127.0.0.1", 8081)
    """Where the admin API listens. Other addresses than loopback need a token."""
    admin_token_file: Path | None = None
    """The file that lists who may use the admin API; made, with one token that is shown once, where there is none."""
    admin_host: Names = ()
    """Names by which the admin API is called, besides its own address and those of loopback."""
    encryption_key: Files = ()
    """Files with keys: what is stored is encrypted with the first, and read with all."""
    traces: Literal["off", "otlp"] = "off"
    """Where spans go: `otlp` exports them by OTLP over HTTP, as OpenTelemetry's own variables say."""
    evidence: Literal["on", "off"] = "on"
    """Whether evidence is written of what was received and delivered."""
    evidence_key: Path | None = None
    """The file with the key that signs evidence, made where there is none; default: beside the database."""
    retention: Duration = 7 * DAY
    """How long events are kept of which nothing is left to do."""
    retention_dead: Duration = 90 * DAY
    """How long events with a dead letter are kept, and operations that sent many again."""
    retention_inbox: Duration = 30 * DAY
    """How long the inbox, and events that no route took, are kept."""
    retention_once: Duration = 400 * DAY
    """How long it is remembered for which values a `once` has fired."""
    retention_audit: Duration = 400 * DAY
    """How long the audit log is kept."""
    retention_evidence: Duration | None = None
    """How long evidence is kept of what was received and delivered; default: for good."""
    retention_size: Size = 10 * 1024**3
    """When the database holds more, finished events go before their time, oldest first."""
    retention_events: Annotated[int, Field(ge=1)] | None = None
    """When there are more than this, finished events go before their time, oldest first."""
    egress_allow: Opened = ()
    """Address ranges that calls may go to besides public ones; with http, and any port."""
    egress_port: Ports = frozenset()
    """Ports that calls to public addresses may go to besides 443."""
    sender: Literal["auto", "aiohttp"] = "auto"
    """What requests are sent with; auto: plain posts by the lean sender, all else by aiohttp."""
    production: bool = False
    """Make no secrets up, and do not open loopback to calls."""
    skip_backup: bool = False
    """Make no copy of the database before it is migrated."""
    paused: bool = False
    """Start without delivering: events are taken, and no attempt is begun until `gateway resume --all`."""
    grace: Duration = 25 * SECOND
    """How long attempts under way may take to finish at the end."""
    drain: Duration = 1 * SECOND
    """How long after SIGTERM requests are still answered, with 503, so that load balancers see it."""
    log: Literal["auto", "json", "console"] = "auto"
    """The form of log lines; auto: console on a terminal, else json."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severity that is logged."""
    sample_receiver: HostAndPort | None = None
    """Start a receiver beside the gateway that shows what arrives: for trying things out."""

    @property
    def egress(self) -> EgressPolicy:
        """The policy that these settings make; in development loopback is open."""
        development = () if self.production else LOOPBACK
        return EgressPolicy(
            allow=(*self.egress_allow, *development), ports=self.egress_port | {HTTPS_PORT}
        )

    @property
    def kept(self) -> Retention:
        """How long what is stored is kept."""
        return Retention(
            finished=self.retention,
            dead=self.retention_dead,
            inbox=self.retention_inbox,
            once=self.retention_once,
            audit=self.retention_audit,
            evidence=self.retention_evidence,
            size_bytes=self.retention_size,
            events=self.retention_events,
        )

    @property
    def hosts(self) -> frozenset[str]:
        """What requests may name as their host; empty: anything."""
        own = urlsplit(self.public_url).hostname if self.public_url else None
        return frozenset(
            {*self.allowed_host, own or self.allowed_host[0]} if self.allowed_host else ()
        )

    @property
    def database_file(self) -> Path | None:
        """The SQLite file; None where the database is another."""
        return self.database if isinstance(self.database, Path) else None

    @property
    def database_url(self) -> PostgresUrl | None:
        """The PostgreSQL database; None where it is a file."""
        return self.database if isinstance(self.database, PostgresUrl) else None

    @property
    def evidence_key_file(self) -> Path:
        """Where the key that signs evidence is."""
        if self.evidence_key is not None:
            return self.evidence_key
        file = self.database_file
        return DATABASE.with_name("evidence-key") if file is None else key_beside(file)

    @property
    def development_secrets(self) -> Path | None:
        """Where made-up secrets are kept, beside the database's file if it has one; None in production."""
        folder = (self.database_file or DATABASE).parent
        return None if self.production else folder / "development-secrets.json"


def key_beside(database: Path) -> Path:
    """Where the key is that signs a database's evidence, if nothing else is said."""
    return database.with_name(f"{database.name}.evidence-key")


def read_settings(flags: Mapping[str, Any]) -> Settings:
    """The settings, given the flags that were set. Raises ConfigError with every problem."""
    given = what_was_set(flags, Settings.model_fields)
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        raise ConfigError([_problem(fault, flags) for fault in error.errors()]) from None


def _problem(fault: Any, flags: Mapping[str, Any]) -> Problem:
    name = str(fault["loc"][0])
    flag = "--" + name.replace("_", "-")
    if fault["type"] == "extra_forbidden":
        cure = nearest(name, list(Settings.model_fields))
        return Problem(
            file=FILE,
            line=0,
            column=0,
            code="unknown-setting",
            what=f'unknown key "{name}"',
            cure=cure,
        )
    where = flag if flags.get(name) is not None else f"{variable(name)} or {FILE}"
    what, cure = _said(fault)
    return Problem(file=where, line=0, column=0, code="setting", what=what, cure=cure)


SEE = "see docs/settings.md"

SAID: Mapping[str, tuple[str, str]] = {
    "greater_than_equal": ("is less than {ge}", "write {ge} or more"),
    "less_than_equal": ("is more than {le}", "write {le} or less"),
    "literal_error": ("is no such value", "write {expected}"),
    "bool_parsing": ("is neither true nor false", "write true or false"),
    "bool_type": ("is neither true nor false", "write true or false"),
    "int_parsing": ("is no whole number", "write one, such as 1000"),
    "int_type": ("is no whole number", "write one, such as 1000"),
    "int_from_float": ("is no whole number", "write one, such as 1000"),
    "path_type": ("is no path", "write it as text"),
}
"""By pydantic's name of a fault: what is said of the value that was given, and the cure."""


def _said(fault: Any) -> tuple[str, str]:
    """What is wrong with a value, and the cure: both in our words, wherever we have some."""
    kind, context = fault["type"], fault.get("ctx", {})
    if kind in SAID:
        what, cure = SAID[kind]
        expected = str(context.get("expected", "")).replace("'", "")
        given = {**context, "expected": expected}
        return f'"{fault["input"]}" {what.format(**given)}', cure.format(**given)
    if "cure" in context:
        return fault["msg"].partition(";")[0], context["cure"]
    if kind == "value_error":
        return str(context["error"]), SEE
    return f'"{fault["input"]}" is not what it has to be: {fault["msg"]}', SEE
