"""The predecessor reads a registry: pull-cache, and what PackageRepo gives of one package."""

import json
import sys

from conda_oci_mirror.mirror import Mirror
from conda_oci_mirror.repo import PackageRepo

registry, channel, subdir, cache, package = sys.argv[1:]
mirror = Mirror(channel, [], [subdir], registry, cache, insecure=True, timeout=0)
pulled = mirror.pull_latest(serial=True)
repo = PackageRepo(
    channel, subdir, f"{cache}/one", mirror.registry, client=mirror.client
)
with repo.get_info(package) as info:
    members = sorted(info.getnames())
print(
    json.dumps(
        {
            "pulled": pulled,
            "index": repo.get_index_json(package),
            "info": members,
            "package": repo.get_package(package),
        }
    )
)
