"""What can be rented: regions, sizes and images as they look, with prices of the right magnitude."""

from __future__ import annotations

from dataclasses import dataclass

REGIONS = {
    "nyc1": "New York 1",
    "nyc2": "New York 2",
    "nyc3": "New York 3",
    "ams3": "Amsterdam 3",
    "blr1": "Bangalore 1",
    "fra1": "Frankfurt 1",
    "lon1": "London 1",
    "sfo2": "San Francisco 2",
    "sfo3": "San Francisco 3",
    "sgp1": "Singapore 1",
    "syd1": "Sydney 1",
    "tor1": "Toronto 1",
}
CLOSED = frozenset({"nyc2"})
"""Regions that take no new droplets."""

FEATURES = ("backups", "ipv6", "metadata", "install_agent", "storage", "image_transfer")
_EVERYWHERE = tuple(REGIONS)
_LARGE = ("nyc1", "nyc3", "ams3", "fra1", "sfo3")
_RARE = ("nyc1", "ams3")


@dataclass(frozen=True)
class Size:
    """`memory` in MiB, `disk` in GiB, `hourly` and `monthly` in US dollars, `regions` where it is sold."""

    slug: str
    memory: int
    vcpus: int
    disk: int
    hourly: float
    monthly: float
    regions: tuple[str, ...]
    description: str
    transfer: float = 1.0


def sizes() -> tuple[Size, ...]:
    """Cheapest kinds first, more of them than one page of a list holds."""
    return tuple(
        Size(slug, memory, vcpus, disk, hourly, monthly, regions, description)
        for slug, memory, vcpus, disk, hourly, monthly, regions, description in _SIZES
    )


_SIZES = (
    ("s-1vcpu-512mb-10gb", 512, 1, 10, 0.00595, 4.0, _LARGE, "Basic"),
    ("s-1vcpu-1gb", 1024, 1, 25, 0.00893, 6.0, _EVERYWHERE, "Basic"),
    ("s-1vcpu-2gb", 2048, 1, 50, 0.01786, 12.0, _EVERYWHERE, "Basic"),
    ("s-2vcpu-2gb", 2048, 2, 60, 0.02679, 18.0, _EVERYWHERE, "Basic"),
    ("s-2vcpu-4gb", 4096, 2, 80, 0.03571, 24.0, _EVERYWHERE, "Basic"),
    ("s-4vcpu-8gb", 8192, 4, 160, 0.07143, 48.0, _EVERYWHERE, "Basic"),
    ("s-8vcpu-16gb", 16384, 8, 320, 0.14286, 96.0, _EVERYWHERE, "Basic"),
    ("s-1vcpu-1gb-amd", 1024, 1, 25, 0.01042, 7.0, _LARGE, "Basic AMD"),
    ("s-2vcpu-4gb-amd", 4096, 2, 80, 0.04167, 28.0, _LARGE, "Basic AMD"),
    ("s-4vcpu-8gb-amd", 8192, 4, 160, 0.08333, 56.0, _LARGE, "Basic AMD"),
    ("s-8vcpu-16gb-amd", 16384, 8, 320, 0.16667, 112.0, _LARGE, "Basic AMD"),
    ("s-1vcpu-1gb-intel", 1024, 1, 25, 0.01042, 7.0, _LARGE, "Basic Intel"),
    ("s-2vcpu-4gb-intel", 4096, 2, 80, 0.04167, 28.0, _LARGE, "Basic Intel"),
    ("s-4vcpu-8gb-intel", 8192, 4, 160, 0.08333, 56.0, _LARGE, "Basic Intel"),
    ("c-2", 4096, 2, 25, 0.0625, 42.0, _EVERYWHERE, "CPU-Optimized"),
    ("c-4", 8192, 4, 50, 0.125, 84.0, _EVERYWHERE, "CPU-Optimized"),
    ("c-8", 16384, 8, 100, 0.25, 168.0, _EVERYWHERE, "CPU-Optimized"),
    ("c-16", 32768, 16, 200, 0.5, 336.0, _LARGE, "CPU-Optimized"),
    ("c-60-intel", 122880, 60, 750, 2.4375, 1638.0, _RARE, "Premium Intel"),
    ("g-2vcpu-8gb", 8192, 2, 25, 0.09375, 63.0, _EVERYWHERE, "General Purpose"),
    ("g-4vcpu-16gb", 16384, 4, 50, 0.1875, 126.0, _EVERYWHERE, "General Purpose"),
    ("g-8vcpu-32gb", 32768, 8, 100, 0.375, 252.0, _LARGE, "General Purpose"),
    ("m-2vcpu-16gb", 16384, 2, 50, 0.125, 84.0, _EVERYWHERE, "Memory-Optimized"),
    ("m-4vcpu-32gb", 32768, 4, 100, 0.25, 168.0, _LARGE, "Memory-Optimized"),
)


@dataclass(frozen=True)
class Image:
    """`slug` is None for snapshots. `kind` is `base` for what DigitalOcean offers and `snapshot` for the account's own,
    `application` says that a base image is a 1-click application. `least_disk` in GiB."""

    id: int
    slug: str | None
    name: str
    distribution: str
    kind: str = "base"
    application: bool = False
    public: bool = True
    regions: tuple[str, ...] = _EVERYWHERE
    least_disk: int = 7
    gigabytes: float = 0.6
    tags: tuple[str, ...] = ()


def images() -> tuple[Image, ...]:
    """What DigitalOcean offers, more than one page of a list holds."""
    return tuple(
        Image(179_000_000 + 1_111 * number, slug, name, distribution, application="-app" in kind)
        for number, (slug, name, distribution, kind) in enumerate(_IMAGES)
    )


_IMAGES = (
    ("ubuntu-24-04-x64", "24.04 (LTS) x64", "Ubuntu", "base"),
    ("ubuntu-22-04-x64", "22.04 (LTS) x64", "Ubuntu", "base"),
    ("ubuntu-25-10-x64", "25.10 x64", "Ubuntu", "base"),
    ("debian-13-x64", "13 x64", "Debian", "base"),
    ("debian-12-x64", "12 x64", "Debian", "base"),
    ("debian-11-x64", "11 x64", "Debian", "base"),
    ("fedora-42-x64", "42 x64", "Fedora", "base"),
    ("fedora-41-x64", "41 x64", "Fedora", "base"),
    ("centos-stream-9-x64", "9 Stream x64", "CentOS", "base"),
    ("centos-stream-10-x64", "10 Stream x64", "CentOS", "base"),
    ("rockylinux-9-x64", "9 x64", "Rocky Linux", "base"),
    ("rockylinux-8-x64", "8 x64", "Rocky Linux", "base"),
    ("docker-20-04", "Docker on Ubuntu 22.04", "Ubuntu", "base-app"),
    ("lemp-20-04", "LEMP on Ubuntu 24.04", "Ubuntu", "base-app"),
    ("lamp-20-04", "LAMP on Ubuntu 24.04", "Ubuntu", "base-app"),
    ("mysql-20-04", "MySQL on Ubuntu 22.04", "Ubuntu", "base-app"),
    ("mongodb-20-04", "MongoDB on Ubuntu 22.04", "Ubuntu", "base-app"),
    ("nodejs-20-04", "NodeJS on Ubuntu 24.04", "Ubuntu", "base-app"),
    ("wordpress-20-04", "WordPress on Ubuntu 24.04", "Ubuntu", "base-app"),
    ("gitlab-20-04", "GitLab on Ubuntu 22.04", "Ubuntu", "base-app"),
    ("grafana-20-04", "Grafana on Ubuntu 22.04", "Ubuntu", "base-app"),
    ("ghost-20-04", "Ghost on Ubuntu 22.04", "Ubuntu", "base-app"),
)
